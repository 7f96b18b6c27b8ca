"""The sink that writes records to the ledger, behind the requests.

Lives here: what waits in memory, when a batch goes to the database, and what becomes of it when that is away; how it
gets to disk is said in spill.py. A request pays for one append to a list. Laws: a row is brought until it is in the
database, in the spool, or counted as lost; the row of an exchange that is charged to somebody is on disk before its
request is over; one row that the database will not have keeps no other from being written.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import Task
from collections.abc import Callable, Coroutine, Iterator, Sequence
from operator import attrgetter, is_
from typing import Final

from gateway.core.exchange import Exchange
from gateway.core.record import Record
from gateway.store.ledger.batch import Batch
from gateway.store.ledger.bringing import Bringer, Result, Tell
from gateway.store.ledger.fitting import fitted, is_clamped
from gateway.store.ledger.protocol import LedgerDatabase, LedgerDown
from gateway.store.ledger.reach import Reach
from gateway.store.ledger.spill import Spill
from gateway.store.ledger.spool import Spool, SpoolFull
from gateway.store.ledger.upkeep import tend_forever

CLOSE_WITHIN: Final = 5.0
"""Seconds that the end of a process waits for the database; then the rows go to the spool."""
_LOOK_FOR_ORPHANS: Final = 30.0
"""Seconds between two looks for what other processes left behind."""
_OPEN_WITHIN: Final = 2.0
"""Seconds that the start of a process waits for the database, and for what is brought to it first."""
_SLOW: Final = 1.0
"""Seconds that rows stay in memory alone while the database does not answer."""
_is_charged: Final = attrgetter("charged")


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
        self._next = Batch()
        self._in_hand: dict[int, Batch] = {}
        self._waiting = 0
        self.is_full = False
        self._filled = asyncio.Event()
        self._pressed = asyncio.Event()
        self._room = asyncio.Event()
        self._replay = asyncio.Event()
        self._looked = asyncio.Event()
        self._closing = asyncio.Event()
        self._closed = False
        self._reach = Reach(monotonic, tell)
        self._spill = Spill(spool, tell, self._replay.set)
        self._failure: str | None = None
        self._lost = 0
        self._tasks: list[Task[None]] = []

    async def open(self) -> None:
        """Connect and migrate, bring what other processes left, and begin: what they charged is known before anybody
        is served. A database that is away, or has much to take, goes on behind the requests."""
        works: tuple[Coroutine[None, None, None], ...] = (
            self._write_forever(), self._relieve_forever(), self._replay_forever(),
            tend_forever(self.database, self._retention, self._wall, self._tell),
        )  # fmt: skip
        self._tasks = [asyncio.get_running_loop().create_task(work) for work in works]
        for task in self._tasks:
            task.add_done_callback(self._note_end)
        opening = asyncio.get_running_loop().create_task(self._open())
        self._tasks.append(opening)
        await asyncio.wait((opening,), timeout=_OPEN_WITHIN)

    def write_all(self, records: Sequence[Record], exchanges: Sequence[Exchange]) -> None:
        """Take some that ended together. Raises nothing."""
        # Now, while they are in the processor's caches, and each step for all of them, while its code is.
        rows = list(map(fitted, records))
        batch, more = self._next, len(rows)
        if (
            more + self._waiting < self._queue
            and not self._closed
            and not any(map(_is_charged, exchanges))
            and all(map(is_, rows, records))
        ):
            batch.extend(rows)
            self._waiting += more
            self._note_rows(batch, batch.size - more)
            return
        for row, record, exchange in zip(rows, records, exchanges, strict=True):
            self._write(row, record, exchange)

    def write(self, record: Record, exchange: Exchange) -> None:
        """Take one. Raises nothing."""
        self._write(fitted(record), record, exchange)

    def _write(self, row: Record, record: Record, exchange: Exchange) -> None:
        if row is not record and is_clamped(record, row):
            self._count("clamped", 1)
        batch = self._next
        is_safe = False
        if exchange.charged:
            is_safe = self._spill.protect(batch, row)
            if not is_safe:
                self._count("unprotected", 1)
        if self._waiting >= self._queue and (self._drops or self._closed):
            if is_safe:
                batch.keeps = True
                self._filled.set()
                self._count("spooled", 1)
            else:
                self._lose(1)
            return
        if self._closed:
            self._put_away_late(row)
            return
        batch.append(row)
        self._waiting += 1
        if self._waiting >= self._queue:
            self._tell_full()
        self._note_rows(batch, batch.size - 1)

    def _note_rows(self, batch: Batch, before: int) -> None:
        """A batch that had so many rows has more."""
        if not before:
            batch.began = self._monotonic()
            self._filled.set()
        if before < self._queue // 2 <= batch.size:
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
                self._lose(len(batch.loose()))
        self._in_hand.clear()
        self._leave(self._waiting)
        self._spill.seal()
        with contextlib.suppress(LedgerDown, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.database.close()

    def trouble(self) -> str | None:
        if self._failure is not None:
            return f"the ledger's writer has failed, restart the gateway: {self._failure}"
        trouble = self._spill.trouble()
        if trouble is not None:
            return trouble
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

    def _take(self) -> Batch:
        batch, self._next = self._next, Batch()
        self._filled.clear()
        self._in_hand[id(batch)] = batch
        return batch

    def _end(self, batch: Batch) -> None:
        """Its rows are where they belong."""
        self._in_hand.pop(id(batch), None)
        self._leave(batch.size)

    def _note_end(self, task: Task[None]) -> None:
        """None of the tasks ends before it is told to, but by a fault of the gateway's own."""
        if not task.cancelled() and (bug := task.exception()) is not None:
            self._failure = repr(bug)
            self._tell("error", "the ledger's writer has failed", {"error": repr(bug)})

    async def _open(self) -> None:
        try:
            await self._bringer.open()
        except LedgerDown as down:
            self._fell(down)
        self._replay.set()
        await self._looked.wait()

    async def _write_forever(self) -> None:
        while True:
            await self._filled.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._window):
                    await self._closing.wait()
            # What came while the batch before was written is still to be taken.
            is_last = self._closing.is_set()
            await self._bring(self._take())
            if is_last:
                return

    async def _bring(self, batch: Batch) -> None:
        if self._reach.may_be_asked():
            try:
                await self._insert_soon(batch)
            except LedgerDown as down:
                self._fell(down)
            else:
                self._rose()
                self._spill.release(batch)
                self._end(batch)
                return
        with contextlib.suppress(SpoolFull):
            await self._put_away(batch)

    async def _insert_soon(self, batch: Batch) -> None:
        """Into the database. While it keeps one waiting, what waits is put on disk too: it may never answer, and the
        process may end before."""
        inserting = asyncio.get_running_loop().create_task(self._bringer.bring(batch.chunks))
        try:
            while not (await asyncio.wait((inserting,), timeout=_SLOW))[0]:
                with contextlib.suppress(SpoolFull):
                    await self._spill.secure(batch)
                self._pressed.set()
        except BaseException:
            inserting.cancel()
            await asyncio.gather(inserting, return_exceptions=True)
            raise
        await inserting

    async def _relieve_forever(self) -> None:
        """While the database is slow, what waits goes to the spool before memory is full."""
        while True:
            await self._pressed.wait()
            self._pressed.clear()
            with contextlib.suppress(SpoolFull):
                await self._put_away(self._take())

    async def _put_away(self, batch: Batch) -> None:
        """Into the spool; back into memory when there is no room."""
        try:
            await self._spill.put(batch)
        except SpoolFull:
            self._give_back(batch)
            raise
        finally:
            if self._reach.down is None:
                self._spill.seal()
        self._count("spooled", batch.size)
        self._end(batch)

    def _give_back(self, batch: Batch) -> None:
        if self._closed:
            return
        loose = batch.loose()
        self._in_hand.pop(id(batch), None)
        self._leave(batch.size - len(loose))
        for row in loose:
            self._next.append(row)
        self._next.began = batch.began
        self._filled.set()

    def _put_away_late(self, row: Record) -> None:
        """After the end: what settles as the process goes."""
        if self._spill.put_late(row):
            self._count("spooled", 1)
        else:
            self._lose(1)

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
            self._looked.set()

    async def _replay_all(self) -> None:
        if self._reach.down is not None:
            # Whoever asks whether it is back needs something to ask with.
            self._spill.seal()
            await self._bringer.ask()
        with contextlib.closing(self._spool.orphans()) as orphans:
            for orphan in orphans:
                # One that is full answers, and writes nothing.
                try:
                    await self._bringer.replay(orphan, self._rose)
                except SpoolFull as failure:
                    self._spill.stuck(failure)
                else:
                    self._spill.replayed()
        self._rose()
        self._reach.behind_since = 0.0

    def _fell(self, down: LedgerDown) -> None:
        self._reach.fell(down)
        # Whoever replays is to look again sooner.
        self._replay.set()

    def _rose(self) -> None:
        if self._reach.rose():
            self._replay.set()
        self._spill.seal()

    def _lose(self, rows: int) -> None:
        if not rows:
            return
        if not self._lost:
            self._tell("error", "rows of the ledger are lost: memory and spool are full", {})
        self._lost += rows
        self._count("dropped", rows)
