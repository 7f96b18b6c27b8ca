"""Rows on their way into the database, from memory or from the spool.

Laws: a row that the database will not have, or a line that is damaged, is counted and set aside, and keeps no other
from being written. Whether the database is away is for others to mind: LedgerDown passes through, and a fault that
nobody thought of becomes one, so that it is told and tried again and ends nobody's task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

from gateway.store.ledger.batch import CHUNK
from gateway.store.ledger.protocol import LedgerDatabase, LedgerDown, Records, RecordsRefused
from gateway.store.ledger.spool import Orphan, Spool, framed

Result = Literal[
    "written", "duplicate", "spooled", "replayed", "dropped", "refused", "damaged", "clamped", "unprotected"
]
"""What became of rows: docs/metrics.md has it."""

Tell = Callable[[Literal["info", "warning", "error"], str, Mapping[str, str | int | float | bool | None]], None]


class Bringer:
    """spool: where what cannot be used is set aside."""

    def __init__(
        self, database: LedgerDatabase, spool: Spool, tell: Tell, count: Callable[[Result, int], None]
    ) -> None:
        self._database = database
        self._spool = spool
        self._tell = tell
        self._count = count

    async def open(self) -> None:
        """Connect and migrate. LedgerDown."""
        await _asked(self._database.open())

    async def ask(self) -> None:
        """Whether it can be reached, by giving it no row. LedgerDown where it cannot."""
        await _asked(self._database.insert(()))

    async def bring(self, chunks: Iterable[Records]) -> None:
        """All of them, those apart that the database will not have. LedgerDown: some may be there, and none is harmed
        by being brought again."""
        for chunk in chunks:
            await self._insert(chunk)

    async def replay(self, orphan: Orphan, taken: Callable[[], None]) -> None:
        """A segment of the spool, which is deleted then. taken: told each time when the database has written of it.
        LedgerDown, or SpoolFull where the file cannot be used."""
        batches = orphan.batches(CHUNK)
        while True:
            found = await asyncio.to_thread(next, batches, None)
            if found is None:
                break
            records, damaged = found
            if damaged:
                self._count("damaged", len(damaged))
                self._spool.put_aside(orphan.path.stem, damaged)
                self._tell(
                    "error",
                    "rows in the ledger's spool are damaged and were set aside",
                    {"file": orphan.path.name, "lines": len(damaged)},
                )
            if await self._insert(records):
                taken()
            self._count("replayed", len(records))
        orphan.delete()

    async def _insert(self, rows: Records) -> int:
        """How many were new."""
        if not rows:
            return 0
        try:
            new = await self._database.insert(rows)
        except LedgerDown:
            raise
        except RecordsRefused as refused:
            listed = list(rows)
            if len(listed) > 1:
                middle = len(listed) // 2
                return await self._insert(listed[:middle]) + await self._insert(listed[middle:])
            self._count("refused", 1)
            self._spool.put_aside("refused", [framed(listed[0])])
            self._tell("error", "the ledger refuses a row", {"id": listed[0].id, "error": str(refused)})
            return 0
        except Exception as bug:
            raise LedgerDown(repr(bug)) from bug
        self._count("written", new)
        if new < len(rows):
            self._count("duplicate", len(rows) - new)
        return new


async def _asked(answer: Awaitable[object]) -> None:
    try:
        await answer
    except LedgerDown:
        raise
    except Exception as failure:
        raise LedgerDown(repr(failure)) from failure
