"""Where a request stands in a distributed trace, as W3C Trace Context has it.

Pure data, and its text form. Whether a trace is kept is decided in policy/sampling.py.
"""

from __future__ import annotations

from typing import Final

import msgspec

_SPAN_IDS: Final = (1 << 64) - 1
_BEHIND: Final = 1 << 32
"""Beyond the attempts that an exchange can have."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """The gateway's own part of a trace. trace_id: 128 bits. span_id: of the exchange, 64 bits, never 0. parent: the
    client's span, 0 where there is none. sampled: the trace is kept. state: the client's `tracestate`, or ``."""

    trace_id: int
    span_id: int
    parent: int = 0
    sampled: bool = True
    state: str = ""

    def of_attempt(self, number: int) -> int:
        """The span id of an attempt; number: from 1. It follows from the exchange's own, so that what goes out before
        an attempt has ended and what is told of it later agree without being kept."""
        return (self.span_id + number) & _SPAN_IDS or 1

    def behind(self) -> Span:
        """Of the request that is made behind this one's back and on its account, once at most."""
        return Span(self.trace_id, self.of_attempt(_BEHIND), self.span_id, self.sampled, self.state)

    def header(self, number: int) -> str:
        """The `traceparent` that an attempt goes out with."""
        return f"00-{self.trace_id:032x}-{self.of_attempt(number):016x}-{self.sampled:02x}"

    @property
    def trace(self) -> str:
        """The trace's id, as trace stores show it."""
        return f"{self.trace_id:032x}"
