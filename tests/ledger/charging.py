"""A process that takes rows of charged exchanges and is killed at once: run by test_gateways."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.store.ledger.spool import Spool
from gateway.store.ledger.sqlite import SqliteLedger
from gateway.store.ledger.writer import LedgerWriter
from tests.support.records import an_exchange, records
from tests.support.virtual_time import virtual_clock


async def main(folder: Path) -> None:
    clock = virtual_clock()
    writer = LedgerWriter(
        SqliteLedger(folder / "ledger.db"),
        Spool(folder / "spool", 10**8, "killed"),
        batch=0.1,
        queue=1000,
        drops=True,
        retention=None,
        monotonic=clock.monotonic,
        wall=clock.wall,
        tell=lambda level, event, fields: None,
        count=lambda result, rows: None,
    )
    await writer.open()
    for record in records(40):
        writer.write(record, an_exchange(charged=True))
    for record in records(80)[40:]:
        writer.write(record, an_exchange())
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
