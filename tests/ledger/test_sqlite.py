"""What is SQLite's own: a file that is full, locked, or not a database."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import get_args

import pytest

from gateway.store.ledger.protocol import Dimension, LedgerDown, UsageQuery
from gateway.store.ledger.queries import SQLITE, records_statement, usage_statement
from gateway.store.ledger.sqlite import SqliteLedger
from tests.support.records import DAY, MIDNIGHT, a_record, records

pytestmark = pytest.mark.real_time


async def total(database: SqliteLedger) -> int:
    (row,) = (await database.usage(UsageQuery(0, 5e9))).rows
    return row.requests


async def test_a_full_database_is_away_until_there_is_room(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.insert(records(50))

    def bound(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    await database._writer.run(bound)
    with pytest.raises(LedgerDown, match="full"):
        await database.insert(records(4000))
    # A new connection has no such bound, as a disk that has room again.
    assert await database.insert(records(4000)) == 3950
    assert await total(database) == 4000
    await database.close()


async def test_rows_that_share_nearly_all_and_rows_that_share_nothing_come_back_as_they_were(tmp_path: Path) -> None:
    alike = [a_record(n, caller="c", team="t", project="p", model="m") for n in range(1000, 1220)]
    others = records(60)
    database = SqliteLedger(tmp_path / "ledger.db")
    assert await database.insert(others[:20]) == 20
    # Of one batch some are there already, and of many alike one statement is not enough.
    assert await database.insert([*alike, *others]) == len({row.id for row in (*alike, *others)}) - 20
    found = [row async for row in database.records(UsageQuery(0, 5e9, limit=1000))]
    assert {row.id: row for row in found} == {row.id: row for row in (*alike, *others)}
    assert await total(database) == len(found)
    await database.close()


async def test_what_is_no_database_is_away(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is a letter to my aunt" * 100)
    database = SqliteLedger(path)
    with pytest.raises(LedgerDown, match="not a database"):
        await database.open()
    path.unlink()
    assert await database.insert(records(3)) == 3
    await database.close()


async def test_the_folder_is_made(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "here" / "there" / "ledger.db")
    assert await database.insert(records(3)) == 3
    await database.close()


async def test_a_ledger_that_is_closed_is_away(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.open()
    await database.close()
    with pytest.raises(LedgerDown):
        await database.insert(records(3))


async def test_rows_are_found_by_their_time_whatever_else_is_asked(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.insert(records(20))
    for dimension in get_args(Dimension):
        query = UsageQuery(MIDNIGHT + 0.5, MIDNIGHT + DAY / 2, by=(dimension,), where=((dimension, "x"),))
        for sql, arguments in (
            usage_statement(query, SQLITE),
            records_statement(query, SQLITE, None, 100),
            records_statement(query, SQLITE, (MIDNIGHT + 1, "x"), 100),
        ):
            asked = f"EXPLAIN QUERY PLAN {sql}", arguments
            plan = [row[3] for row in await database._read(lambda c, asked=asked: c.execute(*asked).fetchall())]  # type: ignore[misc]  # bound now
            reads = [line for line in plan if "ledger_" in line]
            assert reads, dimension
            assert all("(time>? AND time<?)" in line for line in reads), (dimension, plan)
    await database.close()


async def test_a_long_question_keeps_no_short_one_waiting(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.insert(records(10))
    answered = threading.Event()
    asking = [asyncio.ensure_future(database._read(lambda connection: answered.wait(20.0))) for _ in range(3)]
    await asyncio.sleep(0)
    assert await database.balances() == ()
    assert await total(database) == 10
    answered.set()
    assert await asyncio.gather(*asking) == [True] * 3
    await database.close()


async def test_a_question_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db", timeout=0.05)
    endless = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT MAX(n) FROM n"
    for _ in range(5):
        with pytest.raises(LedgerDown, match=r"no answer in 0\.05 s"):
            await database._read(lambda connection: connection.execute(endless).fetchall())
    await database.close()
    # That waits for all threads: none goes on with it.


async def test_one_reads_while_another_writes(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.insert(records(10))
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await total(database) == 10
    other.execute("ROLLBACK")
    other.close()
    await database.close()
