"""The sink that writes records to the ledger, behind the requests.

Lives here: what waits in memory, when a batch goes to the database, and what becomes of it when that is away. A request
pays for one append to a list. Laws: a row is brought until it is in the database, in the spool, or counted as lost; the
row of an exchange that is charged to somebody is on disk before its request is over; one row that the database will not
have keeps no other from being written.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import Task
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Final

from gateway.core.exchange import Exchange
from gateway.core.record import Record
from gateway.store.ledger.bringing import Bringer, Result, Tell
from gateway.store.ledger.fitting import fitted, is_clamped
from gateway.store.ledger.protocol import LedgerDatabase, LedgerDown
from gateway.store.ledger.reach import Reach
from gateway.store.ledger.spool import Segment, Spool, SpoolFull
from gateway.store.ledger.upkeep import tend_forever

CLOSE_WITHIN: Final = 5.0
"""Seconds that the end of a process waits for the database; then the rows go to the spool."""
_LOOK_FOR_ORPHANS: Final = 30.0
"""Seconds between two looks for what other processes left behind."""
_OPEN_WITHIN: Final = 2.0
"""Seconds that the start of a process waits for the database."""
_SLOW: Final = 1.0
"""Seconds that rows stay in memory alone while the database does not answer."""


class _Batch:
    """rows: to be brought. fit: so many of them are known to fit into columns. safe: the ids of those that are on disk
    already. segment: where, if in its own. keeps: the segment has rows that are not among these. began: clock seconds
    of the first row."""

    __slots__ = ("began", "fit", "keeps", "rows", "safe", "segment")

    def __init__(self) -> None:
        self.began = 0.0
        self.rows: list[Record] = []
        self.fit = 0
        self.safe: set[str] = set()
        self.segment: Segment | None = None
        self.keeps = False

    def loose(self) -> list[Record]:
        """What is in memory alone."""
        return [row for row in self.rows if row.id not in self.safe] if self.safe else self.rows


class LedgerWriter:
    """batch: seconds that rows are gathered. queue: rows in memory at most. drops: what is too much is lost; else
    `is_full` tells that no more requests should come. retention: seconds, None for ever. monotonic, wall: clock
    seconds."""

    def __init__(
        self,
        database: LedgerDatabase,
        spool: Spool,
        *,
        batch: float,
        queue: int,
        drops: bool,
        retention: float | None,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        tell: Tell,
        count: Callable[[Result, int], None],
    ) -> None:
        self.database: Final = database
        self._spool = spool
        self._window = batch
        self._queue = queue
        self._drops = drops
        self._retention = retention
        self._monotonic = monotonic
        self._wall = wall
        self._tell = tell
        self._count = count
        self._bringer = Bringer(database, spool, tell, count)
        self._next = _Batch()
        self._in_hand: dict[int, _Batch] = {}
        self._waiting = 0
        self.is_full = False
        self._spill: Segment | None = None
        self._putting = asyncio.Lock()
        self._filled = asyncio.Event()
        self._pressed = asyncio.Event()
        self._room = asyncio.Event()
        self._replay = asyncio.Event()
        self._closing = asyncio.Event()
        self._closed = False
        self._reach = Reach(monotonic, tell)
        self._spool_trouble: str | None = None
        self._lost = 0
        self._tasks: list[Task[None]] = []

    async def open(self) -> None:
        """Connect and migrate, and begin. A database that is away is tried again behind the requests."""
        works: tuple[Coroutine[None, None, None], ...] = (
            self._write_forever(), self._relieve_forever(), self._replay_forever(),
            tend_forever(self.database, self._retention, self._wall, self._tell),
        )  # fmt: skip
        self._tasks = [asyncio.get_running_loop().create_task(work) for work in works]
        opening = asyncio.get_running_loop().create_task(self._open())
        self._tasks.append(opening)
        await asyncio.wait((opening,), timeout=_OPEN_WITHIN)

    def write(self, record: Record, exchange: Exchange) -> None:
        """Take one. Raises nothing."""
        batch = self._next
        is_safe = False
        if exchange.charged:
            record = self._fitted(record)
            is_safe = self._protect(batch, record)
        if self._waiting >= self._queue and (self._drops or self._closed):
            if is_safe:
                batch.keeps = True
                self._filled.set()
                self._count("spooled", 1)
            else:
                self._lose(1)
            return
        if self._closed:
            self._put_away_late(self._fitted(record))
            return
        batch.rows.append(record)
        self._waiting += 1
        if self._waiting >= self._queue:
            self._tell_full()
        size = len(batch.rows)
        if size == 1:
            batch.began = self._monotonic()
            self._filled.set()
        elif size == self._queue // 2:
            self._pressed.set()

    async def close(self) -> None:
        """Bring what is left, for CLOSE_WITHIN seconds; what is left then goes to the spool."""
        self._closing.set()
        self._filled.set()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        for writing in self._tasks[:1]:
            await asyncio.wait((writing,), timeout=CLOSE_WITHIN)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        self._closed = True
        for batch in (*self._in_hand.values(), self._take()):
            try:
                await self._put_away(batch)
            except SpoolFull:
                self._lose(len(batch.rows))
        self._in_hand.clear()
        self._leave(self._waiting)
        self._seal_spill()
        with contextlib.suppress(LedgerDown, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.database.close()

    def trouble(self) -> str | None:
        if self._spool_trouble is not None:
            return f"the ledger's spool takes no rows: {self._spool_trouble}"
        if self._reach.down is not None:
            return f"the ledger is away, rows wait in the spool: {self._reach.down}"
        aside = self._spool.set_aside()
        return f"the ledger's spool has {aside} files with rows that were set aside" if aside else None

    async def room(self) -> None:
        """Returns when there is room again."""
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    def gauges(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Samples of this moment."""
        now = self._monotonic()
        batches = (self._next, *self._in_hand.values())
        since = min(filter(None, (self._reach.behind_since, *(batch.began for batch in batches))), default=0.0)
        yield "gateway_ledger_up", (), float(self._reach.down is None)
        yield "gateway_ledger_queue_rows", (), self._waiting
        yield "gateway_ledger_spool_bytes", (), self._spool.size()
        yield "gateway_ledger_lag_seconds", (), now - since if since else 0.0

    def _tell_full(self) -> None:
        """New requests should wait where there is room for no more rows, and none may be lost."""
        self.is_full = not self._drops and self._waiting >= self._queue

    def _leave(self, rows: int) -> None:
        """So many wait no more."""
        self._waiting -= rows
        self._tell_full()
        self._room.set()

    def _fitted(self, record: Record) -> Record:
        row = fitted(record)
        if row is not record and is_clamped(record, row):
            self._count("clamped", 1)
        return row

    def _fit(self, batch: _Batch) -> None:
        """Not when a row comes, which is on the path of its request: many at once take half the time."""
        batch.rows[batch.fit :] = map(self._fitted, batch.rows[batch.fit :])
        batch.fit = len(batch.rows)

    def _protect(self, batch: _Batch, row: Record) -> bool:
        """Write a row through to the system, at once."""
        try:
            segment = self._spill or batch.segment
            if segment is None:
                segment = batch.segment = self._spool.begin()
            segment.append((row,))
        except SpoolFull as full:
            self._count("unprotected", 1)
            self._spool_failed(full)
            return False
        batch.safe.add(row.id)
        self._spool_trouble = None
        return True

    def _take(self) -> _Batch:
        batch, self._next = self._next, _Batch()
        self._fit(batch)
        self._filled.clear()
        self._in_hand[id(batch)] = batch
        return batch

    def _end(self, batch: _Batch) -> None:
        """Its rows are where they belong."""
        self._in_hand.pop(id(batch), None)
        self._leave(len(batch.rows))

    async def _open(self) -> None:
        try:
            await self.database.open()
        except LedgerDown as down:
            self._fell(down)
        self._replay.set()

    async def _write_forever(self) -> None:
        while True:
            await self._filled.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._window):
                    await self._closing.wait()
            await self._bring(self._take())
            if self._closing.is_set():
                return

    async def _bring(self, batch: _Batch) -> None:
        if self._reach.may_be_asked():
            try:
                await self._insert_soon(batch)
            except LedgerDown as down:
                self._fell(down)
            else:
                self._rose()
                if batch.segment is not None:
                    self._release(batch.segment, keeps=batch.keeps)
                self._end(batch)
                return
        with contextlib.suppress(SpoolFull):
            await self._put_away(batch)

    async def _insert_soon(self, batch: _Batch) -> None:
        """Into the database. While it keeps one waiting, what waits is put on disk too: it may never answer, and the
        process may end before."""
        inserting = asyncio.get_running_loop().create_task(self._bringer.bring(batch.rows))
        try:
            while not (await asyncio.wait((inserting,), timeout=_SLOW))[0]:
                with contextlib.suppress(SpoolFull):
                    async with self._putting:
                        await self._spill_loose(batch)
                self._pressed.set()
        except BaseException:
            inserting.cancel()
            await asyncio.gather(inserting, return_exceptions=True)
            raise
        await inserting

    def _release(self, segment: Segment, *, keeps: bool) -> None:
        if keeps:
            segment.seal()
            self._replay.set()
        else:
            segment.discard()

    async def _relieve_forever(self) -> None:
        """While the database is slow, what waits goes to the spool before memory is full."""
        while True:
            await self._pressed.wait()
            self._pressed.clear()
            with contextlib.suppress(SpoolFull):
                await self._put_away(self._take())

    async def _put_away(self, batch: _Batch) -> None:
        """Into the spool; back into memory when there is no room."""
        async with self._putting:
            if batch.segment is not None:
                segment, batch.segment = batch.segment, None
                if self._spill is None:
                    self._spill = segment
                else:
                    segment.seal()
            try:
                await self._spill_loose(batch)
            except SpoolFull:
                self._give_back(batch)
                raise
            finally:
                if self._reach.down is None:
                    self._end_spill()
            self._count("spooled", len(batch.rows))
            self._end(batch)

    async def _spill_loose(self, batch: _Batch) -> None:
        """What of a batch is not on disk yet is written there."""
        loose = batch.loose()
        if not loose:
            return
        try:
            if self._spill is None:
                self._spill = self._spool.begin()
            await asyncio.to_thread(_append, self._spill, loose)
        except SpoolFull as full:
            self._spool_failed(full)
            raise
        batch.safe.update(row.id for row in loose)
        self._spool_trouble = None
        if self._spill.size >= self._spool.largest:
            self._end_spill()

    def _give_back(self, batch: _Batch) -> None:
        if self._closed:
            return
        loose = batch.loose()
        self._in_hand.pop(id(batch), None)
        self._leave(len(batch.rows) - len(loose))
        self._next.rows[:0] = loose
        self._next.fit = 0
        self._next.began = batch.began
        self._filled.set()

    def _put_away_late(self, row: Record) -> None:
        """After the end: what settles as the process goes."""
        try:
            segment = self._spool.begin()
            segment.append((row,))
            segment.seal()
        except SpoolFull:
            self._lose(1)
        else:
            self._count("spooled", 1)

    async def _replay_forever(self) -> None:
        while True:
            pause = _LOOK_FOR_ORPHANS if self._reach.down is None else self._reach.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._replay.wait()
            self._replay.clear()
            if self._reach.may_be_asked():
                try:
                    await self._replay_all()
                except LedgerDown as down:
                    self._fell(down)

    async def _replay_all(self) -> None:
        if self._reach.down is not None:
            # Whoever asks whether it is back needs something to ask with.
            self._seal_spill()
            await self.database.insert(())
        with contextlib.closing(self._spool.orphans()) as orphans:
            for orphan in orphans:
                # One that is full answers, and writes nothing.
                await self._bringer.replay(orphan, self._rose)
                self._spool_trouble = None
        self._rose()
        self._reach.behind_since = 0.0

    def _fell(self, down: LedgerDown) -> None:
        self._reach.fell(down)
        # Whoever replays is to look again sooner.
        self._replay.set()

    def _rose(self) -> None:
        if self._reach.rose():
            self._replay.set()
        self._seal_spill()

    def _seal_spill(self) -> None:
        """Let what is in the spool be replayed. Whoever is adding to it does so in the end."""
        if not self._putting.locked():
            self._end_spill()

    def _end_spill(self) -> None:
        if self._spill is not None:
            self._spill.seal()
            self._spill = None
            self._replay.set()

    def _spool_failed(self, full: SpoolFull) -> None:
        if self._spool_trouble is None:
            self._tell("error", "the ledger's spool takes no rows", {"error": str(full)})
        self._spool_trouble = str(full)

    def _lose(self, rows: int) -> None:
        if not rows:
            return
        if not self._lost:
            self._tell("error", "rows of the ledger are lost: memory and spool are full", {})
        self._lost += rows
        self._count("dropped", rows)


def _append(segment: Segment, rows: Sequence[Record]) -> None:
    segment.append(rows)
    segment.sync()
