"""How rows get from memory to disk, and from there to whoever replays them.

Lives here: the segment that all batches share while the database is away, the one of a batch with charged rows, and
what is wrong with the disk. Must not: know whether the database answers. Laws: a row counts as safe only when the
system has it; a segment that somebody writes to is nobody's to replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from gateway.core.record import Record
from gateway.store.ledger.batch import Batch
from gateway.store.ledger.bringing import Tell
from gateway.store.ledger.spool import Segment, Spool, SpoolFull


class Spill:
    """replay: called when there is something to replay."""

    def __init__(self, spool: Spool, tell: Tell, replay: Callable[[], None]) -> None:
        self._spool: Final = spool
        self._tell = tell
        self._replay = replay
        self._shared: Segment | None = None
        self._putting = asyncio.Lock()
        self._full: str | None = None
        self._stuck: str | None = None

    def trouble(self) -> str | None:
        """Why rows are not written, or not removed."""
        if self._full is not None:
            return f"the ledger's spool takes no rows: {self._full}"
        if self._stuck is not None:
            return f"a file of the ledger's spool cannot be read or removed: {self._stuck}"
        return None

    def protect(self, batch: Batch, row: Record) -> bool:
        """Write a row through to the system, at once. Whether that was possible."""
        try:
            segment = self._shared or batch.segment
            if segment is None:
                segment = batch.segment = self._spool.begin()
            segment.append((row,))
        except SpoolFull as full:
            self._refused(full)
            return False
        batch.safe.add(row.id)
        self._full = None
        return True

    async def secure(self, batch: Batch) -> None:
        """Have all of a batch on disk, in case that it is never brought. SpoolFull."""
        async with self._putting:
            await self._write_loose(batch)

    async def put(self, batch: Batch) -> None:
        """Have all of a batch on disk, for whoever replays. SpoolFull: what is loose is in memory alone."""
        async with self._putting:
            if batch.segment is not None:
                segment, batch.segment = batch.segment, None
                if self._shared is None:
                    self._shared = segment
                else:
                    segment.seal()
            await self._write_loose(batch)

    def put_late(self, row: Record) -> bool:
        """One by itself, when nobody writes any more. Whether that was possible."""
        try:
            segment = self._spool.begin()
            segment.append((row,))
            segment.seal()
        except SpoolFull:
            return False
        return True

    def release(self, batch: Batch) -> None:
        """A batch is in the database: what its own segment has beside it is for whoever replays."""
        segment, batch.segment = batch.segment, None
        if segment is None:
            return
        if batch.keeps:
            segment.seal()
            self._replay()
            return
        try:
            segment.discard()
        except SpoolFull as failure:
            self.stuck(failure)
        else:
            self._stuck = None

    def seal(self) -> None:
        """Let what was put be replayed. Whoever is adding to it does so in the end."""
        if not self._putting.locked():
            self._end_shared()

    def replayed(self) -> None:
        """A segment has been brought and removed: there is room, and the folder can be used."""
        self._full = self._stuck = None

    def stuck(self, failure: SpoolFull) -> None:
        """A file cannot be read or removed. Its rows are brought again, and known again."""
        if self._stuck is None:
            self._tell("error", "a file of the ledger's spool cannot be read or removed", {"error": str(failure)})
        self._stuck = str(failure)

    async def _write_loose(self, batch: Batch) -> None:
        loose = batch.loose()
        if not loose:
            return
        try:
            if self._shared is None:
                self._shared = self._spool.begin()
            await asyncio.to_thread(_append, self._shared, loose)
        except SpoolFull as full:
            self._refused(full)
            raise
        batch.safe.update(row.id for row in loose)
        self._full = None
        if self._shared.size >= self._spool.largest:
            self._end_shared()

    def _end_shared(self) -> None:
        if self._shared is not None:
            self._shared.seal()
            self._shared = None
            self._replay()

    def _refused(self, full: SpoolFull) -> None:
        if self._full is None:
            self._tell("error", "the ledger's spool takes no rows", {"error": str(full)})
        self._full = str(full)


def _append(segment: Segment, rows: Sequence[Record]) -> None:
    segment.append(rows)
    segment.sync()
