"""Rows for the ledger of a server, as many a second as it is told, in the statements of a gateway's writer: what a
ledger asks of the server, without the gateway that has one.

Prints READY once its rows are made, and begins at a line on standard input. Ends with one JSON line that starts with
LOADJSON, or without it when the server was too slow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Final
from uuid import uuid4

import uvloop

from gateway.core.secret import Secret
from gateway.store.ledger.grouped import GroupedRecords
from gateway.store.ledger.postgres import PostgresLedger
from tests.support.records import a_record

BATCH: Final = 0.1
"""Seconds from one batch to the next: `ledger.batch` of a gateway that is told nothing."""


def batches(rows_a_second: float, seconds: float) -> list[GroupedRecords]:
    """Rows that differ in what each has of its own alone, as those of one load do, from now on."""
    own, now, each = uuid4().hex[:12], time.time(), round(rows_a_second * BATCH)
    return [
        GroupedRecords.of(
            a_record(1, id=f"{own}-{n:x}", request_id=f"req-{own}{n:x}", time=now + n / rows_a_second, seconds=n * 1e-6)
            for n in range(first, first + each)
        )
        for first in range(0, each * round(seconds / BATCH), each)
    ]


async def run(chosen: argparse.Namespace) -> None:
    ledger = PostgresLedger(Secret("--url", chosen.url), "row_load")
    await ledger.open()
    waiting = batches(chosen.rows_a_second, chosen.seconds)
    print("READY", flush=True)
    sys.stdin.readline()
    begun, brought = time.monotonic(), 0
    for turn, batch in enumerate(waiting, 1):
        brought += await ledger.insert(batch)
        await asyncio.sleep(begun + turn * BATCH - time.monotonic())
    took = time.monotonic() - begun
    await ledger.close()
    if took > chosen.seconds + BATCH:
        raise SystemExit(f"the server took {took:.1f} s for the rows of {chosen.seconds:g} s")
    print("LOADJSON " + json.dumps({"rows": brought, "seconds": took}), flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", required=True)
    options.add_argument("--rows-a-second", type=float, required=True)
    options.add_argument("--seconds", type=float, required=True)
    uvloop.run(run(options.parse_args()))


if __name__ == "__main__":
    main()
