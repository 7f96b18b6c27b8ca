"""What a ledger needs beside rows: tables for the time to come, and an end for what is old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.store.ledger.bringing import Tell
from gateway.store.ledger.protocol import LedgerDatabase, LedgerDown

EVERY: Final = 3600.0
AGAIN: Final = 60.0
"""Seconds, after a failure."""


async def tend_forever(
    database: LedgerDatabase, retention: float | None, wall: Callable[[], float], tell: Tell
) -> None:
    """retention: seconds, None for ever. wall: Unix seconds."""
    while True:
        now = wall()
        try:
            await database.tend(now)
            if retention is not None:
                deleted = await database.retain(now - retention)
                if deleted:
                    tell("info", "old rows of the ledger were deleted", {"rows": deleted})
        except LedgerDown as down:
            tell("warning", "the ledger could not be tended", {"error": str(down)})
            await asyncio.sleep(AGAIN)
        else:
            await asyncio.sleep(EVERY)
