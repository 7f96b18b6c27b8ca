"""The audit log as a sink: which exchanges get a line.

On the path of a request an entry is put into a queue, no more: its line is made by another thread (audit_entry.py).
Law: of a route whose level is `none` nothing is kept at all. A sink that nobody has opened takes nothing: rehearsals
build the whole gateway, and leave no trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.core.exchange import Call, Exchange
from gateway.core.record import Record
from gateway.telemetry.audit_entry import Entry, LineMaker
from gateway.telemetry.audit_line import Change
from gateway.telemetry.audit_place import Line, Place
from gateway.telemetry.audit_writer import Count, Writer
from gateway.telemetry.log import Log

HELD: Final = 64 * 1024 * 1024
"""Bytes of bodies that may wait to be hashed. Beyond them lines have no digest and no features."""
CLOSE_WITHIN: Final = 10.0
"""Seconds in which the last lines are written."""

_ADMIN: Final = Call("other", "other", "")


class AuditSink:
    """is_silent: of a route by its name, nothing is kept of it. most: entries that may wait."""

    def __init__(
        self,
        place: Place,
        make_line: LineMaker,
        *,
        is_silent: Callable[[str], bool],
        most: int,
        count: Count,
        log: Log,
    ) -> None:
        self._make_line: Final = make_line
        self._is_silent: Final = is_silent
        self._is_open = False
        self._came = 0
        self._went = 0
        self._writer: Final[Writer[Entry]] = Writer(place, self._line_of, most=most, count=count, log=log)

    async def open(self) -> None:
        self._writer.start()
        self._is_open = True

    def write(self, record: Record, exchange: Exchange) -> None:
        if not self._is_open or self._is_silent(record.router):
            return
        body: bytes | None = exchange.body
        size = len(exchange.body)
        if self._came - self._went + size > HELD:
            body = None
        entry = Entry(
            record,
            exchange.call,
            exchange.path,
            exchange.query,
            body,
            size,
            exchange.estimate,
            exchange.captured,
            exchange.credential,
        )
        if self._writer.put(entry) and body is not None:
            # Each of the two sums is changed by one thread alone.
            self._came += size

    def note(self, record: Record, path: str, size: int, change: Change | msgspec.UnsetType) -> None:
        """Take a request to the admin API, as `write` takes others; whatever the level of privacy is, which is about
        clients. size: bytes of its body."""
        if self._is_open:
            self._writer.put(Entry(record, _ADMIN, path, b"", None, size, None, None, b"", change))

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close, CLOSE_WITHIN)

    def trouble(self) -> str | None:
        return self._writer.trouble()

    def _line_of(self, entry: Entry) -> Line:
        if entry.body is not None:
            self._went += len(entry.body)
        return self._make_line(entry)
