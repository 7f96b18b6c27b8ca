"""Which requests are traced: the client's trace goes on, or a new one begins and chance decides.

Lives here: reading `traceparent` and `tracestate`, and the decision. Law: what a client sends can neither make a
request fail nor make an id that is not valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.core.exchange import Headers
from gateway.core.span import Span

_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_STATE: Final = 512
"""Characters of a `tracestate` that have to be passed on; a longer one is left out whole."""
_STATE: Final = re.compile(rb"[\x20-\x7e]*")
_HALF: Final = (1 << 64) - 1


class Sampling(msgspec.Struct, frozen=True):
    """ratio: of the traces that begin here, from 0 to 1. follows: a client's trace goes on, and is kept if the client
    says so; else each request begins one of its own. chance: so many random bytes."""

    ratio: float
    follows: bool
    chance: Callable[[int], bytes]

    def begin(self, headers: Headers) -> Span:
        """The span of a request with these headers."""
        if self.follows:
            parent: bytes | None = None
            states: list[bytes] = []
            for name, value in headers:
                if name == b"traceparent":
                    # Said twice, it is not known which is meant.
                    parent = b"" if parent is not None else value
                elif name == b"tracestate":
                    states.append(value)
            if parent and (found := _read(parent)) is not None:
                trace_id, span_id, sampled = found
                return Span(trace_id, self._span_id(), span_id, sampled, _state(states))
        trace_id = int.from_bytes(self.chance(16), "big") or 1
        # By the low half of the id, as the SDKs' own ratio samplers do: who is asked to sample the same share of the
        # same traces samples the same ones.
        return Span(trace_id, self._span_id(), sampled=trace_id & _HALF < round(self.ratio * (1 << 64)))

    def _span_id(self) -> int:
        return int.from_bytes(self.chance(8), "big") or 1


def _read(parent: bytes) -> tuple[int, int, bool] | None:
    """Trace id, span id and whether it is sampled; None for what is not valid, which is as if it were not there."""
    match = _PARENT.fullmatch(parent.strip())
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    # A later version may say more behind; this one may not.
    if version == b"ff" or (version == b"00" and more):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    return (trace_id, span_id, bool(int(flags, 16) & 1)) if trace_id and span_id else None


def _state(states: list[bytes]) -> str:
    whole = b",".join(states)
    return whole.decode("ascii") if len(whole) <= _LONGEST_STATE and _STATE.fullmatch(whole) else ""
