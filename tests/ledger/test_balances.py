"""The balances of many, on real databases: what they are, and how many statements they take."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from gateway.core.record import Record
from gateway.core.secret import Secret
from gateway.store.ledger.postgres import PostgresLedger
from gateway.store.ledger.protocol import Balance, Consumer, ConsumerKind, LedgerDatabase, QuotaEntry
from gateway.store.ledger.sqlite import SqliteLedger
from tests.support.postgres_server import PostgresServer
from tests.support.records import DAY, MIDNIGHT, cost_of, records

pytestmark = pytest.mark.real_time

Connect = Callable[[], LedgerDatabase]
GIVEN: Final = records(400)
"""Four days and a half."""
COLUMN: Final[dict[ConsumerKind, str]] = {"key": "caller", "team": "team", "project": "project", "router": "router"}
NAMES: Final[tuple[tuple[ConsumerKind, str], ...]] = (
    *(("key", f"caller-{n}") for n in range(5)), *(("team", f"team-{n}") for n in range(3)),
    ("project", "project-0"), ("project", "project-1"), ("router", "prod"), ("team", "prod"), ("key", "nobody"),
)  # fmt: skip
MOMENTS: Final = (
    MIDNIGHT - 3 * DAY, MIDNIGHT, MIDNIGHT + 0.25, MIDNIGHT + DAY / 2, MIDNIGHT + DAY - 0.25, MIDNIGHT + DAY,
    # Two records begin in these very moments.
    GIVEN[100].time, GIVEN[130].time, MIDNIGHT + 40 * DAY,
)  # fmt: skip


def entries() -> list[QuotaEntry]:
    """Each consumer adds or sets, once to three times."""
    moments, amounts = cycle(MOMENTS), cycle((10**9, -7, 2**50))
    changes = cycle(("add", "set", "add", "add"))
    made: list[QuotaEntry] = []
    for number, (kind, name) in enumerate(NAMES):
        for at in sorted(islice(moments, number % 3 + 1)):
            change = "set" if next(changes) == "set" else "add"
            made.append(QuotaEntry(str(len(made)), Consumer(kind, name), change, next(amounts), at))  # type: ignore[arg-type]  # one of two
    return made


def reckoned(made: list[QuotaEntry], given: list[Record]) -> tuple[Balance, ...]:
    found = []
    for kind, name in sorted(NAMES):
        own = [entry for entry in made if entry.consumer == Consumer(kind, name)]
        own = own[max((at for at, entry in enumerate(own) if entry.kind == "set"), default=0) :]
        since = own[0].time if own[0].kind == "set" else min(entry.time for entry in own)
        spent = cost_of(row for row in given if row.time >= since and getattr(row, COLUMN[kind]) == name)
        found.append(Balance(Consumer(kind, name), sum(entry.amount for entry in own), spent, since))
    return tuple(found)


async def test_the_balances_of_many_are_each_what_it_is(connect: Connect) -> None:
    database, made = connect(), entries()
    await database.insert(GIVEN)
    for entry in made:
        await database.enter(entry)
    expected = reckoned(made, GIVEN)
    assert len({balance.spent for balance in expected}) > len(expected) // 2
    # The rows of one day after another go.
    for before in (MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + DAY, MIDNIGHT + 9 * DAY):
        assert await database.balances() == expected
        for kind in COLUMN:
            assert await database.balances(kind) == tuple(b for b in expected if b.consumer.kind == kind)
        for balance in expected:
            assert await database.balance(balance.consumer) == balance
        await database.retain(before)
    assert await database.balances() == expected
    await database.close()


async def test_an_entry_after_rows_were_deleted_counts_what_comes_behind_it(connect: Connect) -> None:
    database, team = connect(), Consumer("team", "team-1")
    await database.insert(GIVEN)
    await database.enter(QuotaEntry("1", team, "set", 5, MIDNIGHT + DAY / 2))
    await database.retain(MIDNIGHT + 2 * DAY)
    since = MIDNIGHT + 2.5 * DAY
    await database.enter(QuotaEntry("2", team, "set", 7, since))
    spent = cost_of(row for row in GIVEN if row.time >= since and row.team == "team-1")
    assert await database.balances() == (Balance(team, 7, spent, since),)
    await database.close()


@contextmanager
def statements_of_sqlite(database: SqliteLedger, told: list[str]) -> Iterator[None]:
    def trace(callback: Callable[[str], None] | None) -> None:
        def begin(connection: sqlite3.Connection) -> None:
            connection.set_trace_callback(callback)

        for thread in (*database._readers, database._writer):
            thread._pool.submit(thread._ask, begin).result()

    trace(told.append)
    yield
    trace(None)


@pytest.mark.parametrize("ask", ["balances", "retain"])
async def test_sqlite_is_asked_as_often_for_300_as_for_3(tmp_path: Path, ask: str) -> None:
    counts = []
    for consumers in (3, 300):
        database, told = SqliteLedger(tmp_path / f"{consumers}.db"), list[str]()
        await enter_many(database, consumers)
        with statements_of_sqlite(database, told):
            await (database.balances() if ask == "balances" else database.retain(MIDNIGHT + DAY))
        counts.append(len(told))
        await database.close()
    assert counts[0] == counts[1]
    assert counts[0] == 1 or ask == "retain"


@pytest.mark.parametrize("ask", ["balances", "retain"])
async def test_postgresql_is_asked_as_often_for_300_as_for_3(
    postgres: PostgresServer, postgres_url: str, ask: str
) -> None:
    name = postgres_url.rsplit("/", 1)[1]
    counts = []
    for consumers in (3, 300):
        database = PostgresLedger(Secret("ledger", postgres_url), "here")
        await enter_many(database, consumers)
        await database.balances("router")
        await log_statements(postgres, name, "all")
        await database.close()
        # Its connections are new ones, of which the server logs each statement.
        before = postgres.output()
        await (database.balances() if ask == "balances" else database.retain(MIDNIGHT + DAY))
        counts.append(postgres.output()[len(before) :].count("LOG:  execute "))
        await log_statements(postgres, name, "none")
        await database.close()
    assert counts[0] == counts[1]
    assert counts[0] == 1 or ask == "retain"


async def enter_many(database: LedgerDatabase, consumers: int) -> None:
    await database.insert(GIVEN[:100])
    for number in range(consumers):
        consumer = Consumer("team", f"team-{number}")
        await database.enter(QuotaEntry(f"{consumers}-{number}", consumer, "add", 1, MIDNIGHT + 60.0 * number))
    assert len(await database.balances()) == consumers


async def log_statements(server: PostgresServer, database: str, which: str) -> None:
    connection = await asyncpg.connect(server.url())
    await connection.execute(f"ALTER DATABASE {database} SET log_statement = '{which}'")
    await connection.close()
