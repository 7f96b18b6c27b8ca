"""Where records go, and what every such place can be asked.

Ledger, audit log, alerts and traces are sinks. Law: a sink never keeps a request waiting and never makes one fail; what
it cannot take it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gateway.core.exchange import Exchange
from gateway.core.record import Record


class Sink(Protocol):
    """Takes what has happened, one record for each exchange. It outlives a reload that does not change its settings."""

    async def open(self) -> None:
        """Begin. A place that is away keeps nobody from serving: see `trouble`."""
        ...

    def write(self, record: Record, exchange: Exchange) -> None:
        """Take one, on the path of the request: not waited for, and nothing is raised. The exchange is over and is not
        to be kept: it has the whole request in it."""
        ...

    async def close(self) -> None:
        """Write what was taken, within a bounded time, and end."""
        ...

    def trouble(self) -> str | None:
        """What an operator is to know of it now, None when it is well."""
        ...


@runtime_checkable
class BulkSink(Sink, Protocol):
    """One that takes what ended together for less than one by one."""

    def write_all(self, records: Sequence[Record], exchanges: Sequence[Exchange]) -> None:
        """As `write`, each with its exchange."""
        ...
