"""What is PostgreSQL's own: partitions, connections that are cut, and a server that goes away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Final, get_args

import asyncpg
import pytest

from gateway.core.secret import Secret
from gateway.store.ledger import postgres as postgres_module
from gateway.store.ledger.migrations import Migration, migrations
from gateway.store.ledger.postgres import PostgresLedger
from gateway.store.ledger.protocol import Consumer, Dimension, LedgerDown, RecordsRefused, UsageQuery
from gateway.store.ledger.queries import POSTGRESQL, records_statement, usage_statement
from tests.support.postgres_server import PostgresServer, run_postgres
from tests.support.records import DAY, MIDNIGHT, a_record, records

pytestmark = pytest.mark.real_time

BOUND = 20.0


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


def ledger(url: str, timeout: float = 5.0) -> PostgresLedger:
    return PostgresLedger(Secret("ledger", url), "here", timeout=timeout)


@pytest.fixture(scope="module")
def three_months(postgres: PostgresServer) -> str:
    """A database with rows of each."""

    async def make() -> str:
        connection = await asyncpg.connect(postgres.url())
        await connection.execute("CREATE DATABASE three_months")
        await connection.close()
        database = ledger(postgres.url("three_months"))
        await database.insert([a_record(n, time=MIDNIGHT + (n - 1) * 31 * DAY) for n in range(3)])
        await database.close()
        return postgres.url("three_months")

    return asyncio.run(make())


async def partitions(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ledger_rows'::regclass ORDER BY 1"
        )
        return [name for (name,) in found]
    finally:
        await connection.close()


async def test_partitions_are_made_ahead(postgres_url: str) -> None:
    database = ledger(postgres_url)
    await database.open()
    await asyncio.gather(database.tend(MIDNIGHT), database.tend(MIDNIGHT))
    ahead = [f"ledger_rows_2027_{month:02d}" for month in (1, 2, 3, 4)]
    assert await partitions(postgres_url) == ahead
    await database.insert([a_record(1, time=MIDNIGHT - 40 * DAY)])
    assert await partitions(postgres_url) == ["ledger_rows_2026_12", *ahead]
    await database.close()


async def test_two_that_need_the_same_partition_share_it(postgres_url: str) -> None:
    one, other = ledger(postgres_url), ledger(postgres_url)
    given = records(40)
    assert sorted(await asyncio.gather(one.insert(given[:20]), other.insert(given[20:]))) == [20, 20]
    assert await partitions(postgres_url) == ["ledger_rows_2027_01"]
    await one.close()
    await other.close()


async def test_retention_drops_whole_months(postgres_url: str) -> None:
    database = ledger(postgres_url)
    months = [a_record(number, time=MIDNIGHT - number * 31 * DAY) for number in range(4)]
    await database.insert(months)
    assert await database.retain(MIDNIGHT - 30 * DAY) == 3
    assert await partitions(postgres_url) == ["ledger_rows_2026_12", "ledger_rows_2027_01"]
    (total,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert total.requests == 4
    await database.close()


async def test_usage_by_day_reads_no_row(postgres_url: str) -> None:
    database = ledger(postgres_url)
    await database.insert(records(50))
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP TABLE ledger_rows_2027_01")
    page = await database.usage(UsageQuery(MIDNIGHT, MIDNIGHT + 10 * DAY, by=("team", "day")))
    assert len(page.rows) == 3
    await connection.close()
    await database.close()


@pytest.mark.parametrize("dimension", get_args(Dimension))
async def test_no_month_is_read_but_those_that_are_asked_for(three_months: str, dimension: Dimension) -> None:
    query = UsageQuery(MIDNIGHT + 0.5, MIDNIGHT + DAY / 2, by=(dimension,), where=((dimension, "x"),))
    connection = await asyncpg.connect(three_months)
    for sql, arguments in (
        usage_statement(query, POSTGRESQL),
        records_statement(query, POSTGRESQL, None, 100),
        records_statement(query, POSTGRESQL, (MIDNIGHT + 1, "x"), 100),
    ):
        plan = "\n".join([line for (line,) in await connection.fetch(f"EXPLAIN {sql}", *arguments)])
        assert set(re.findall(r"ledger_rows_\d{4}_\d\d", plan)) == {"ledger_rows_2027_01"}
    await connection.close()


async def test_text_that_postgresql_cannot_hold_is_refused(postgres_url: str) -> None:
    database = ledger(postgres_url)
    with pytest.raises(RecordsRefused):
        await database.insert([a_record(1), a_record(2, error_code="nul \0")])
    assert await database.insert([a_record(1)]) == 1
    await database.close()


async def test_a_connection_that_is_killed_in_the_middle_of_a_batch(postgres_url: str) -> None:
    database, given = ledger(postgres_url), records(100)
    await database.insert(given[:1])
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("LOCK TABLE ledger_days IN ACCESS EXCLUSIVE MODE")
        writing = asyncio.ensure_future(database.insert(given))
        async with asyncio.timeout(BOUND):
            waits = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            while (pid := await other.fetchval(waits)) is None:
                await asyncio.sleep(0)
        await other.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(LedgerDown):
            await writing
    assert await database.insert(given) == 99
    (total,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert total.requests == 100
    await other.close()
    await database.close()


async def test_a_server_that_does_not_answer_is_away(postgres_url: str) -> None:
    database = ledger(postgres_url, timeout=0.2)
    await database.insert(records(10))
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("LOCK TABLE ledger_days IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LedgerDown, match="here"):
            await database.insert(records(20))
    # What became of the batch was not known: it may have been written when the lock was gone.
    await database.insert(records(20))
    (total,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert total.requests == 20
    await other.close()
    await database.close()


async def test_a_server_that_is_stopped_is_away_and_found_again(own_server: PostgresServer) -> None:
    database = ledger(own_server.url())
    given = records(30)
    await database.insert(given[:10])
    await asyncio.to_thread(own_server.stop)
    for _ in range(2):
        with pytest.raises(LedgerDown) as down:
            await database.insert(given)
        assert own_server.password not in str(down.value)
        with pytest.raises(LedgerDown):
            await database.usage(UsageQuery(0, 5e9))
    await asyncio.to_thread(own_server.start)
    assert await database.insert(given) == 20
    (total,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert total.requests == 30
    await database.close()


RAISED: Final = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'as it comes' USING ERRCODE = '{}';
END $$;
CREATE TRIGGER refusing BEFORE INSERT ON ledger_rows FOR EACH ROW EXECUTE FUNCTION refuse();
"""
AWAY: Final = (
    "08006", "25006", "40001", "40P01", "42501", "53000", "53100", "53200", "53300", "53400", "55P03", "57014", "57P01",
    "57P03", "58000", "58030", "58P01", "XX000", "XX001",
)  # fmt: skip
OF_A_ROW: Final = ("22003", "22021", "22P05", "23502", "23514", "54000")


@pytest.mark.parametrize("codes", [AWAY, OF_A_ROW], ids=["of the server", "of a row"])
async def test_what_the_server_raises_is_of_a_row_or_of_itself(postgres_url: str, codes: tuple[str, ...]) -> None:
    """A row that is refused is set aside: that must befall none because of the server."""
    database = ledger(postgres_url)
    await database.insert(records(2))
    other = await asyncpg.connect(postgres_url)
    for code in codes:
        await other.execute(RAISED.format(code))
        with pytest.raises(LedgerDown if codes is AWAY else RecordsRefused) as raised:
            await database.insert(records(5))
        cause = raised.value.__cause__
        assert isinstance(cause, asyncpg.PostgresError)
        assert cause.sqlstate == code
        await other.execute("DROP FUNCTION refuse CASCADE")
    assert await database.insert(records(5)) == 3
    await other.close()
    await database.close()


async def test_a_server_that_has_used_up_its_transactions_refuses_no_row(own_server: PostgresServer) -> None:
    """It says so with the code of a row that is too long."""
    database = ledger(own_server.url())
    await database.insert(records(2))
    await asyncio.to_thread(own_server.use_up_transactions)
    # The connection that was cut is found out first.
    with pytest.raises(LedgerDown):
        await database.insert(records(5))
    with pytest.raises(LedgerDown) as down:
        await database.insert(records(5))
    assert isinstance(down.value.__cause__, asyncpg.ProgramLimitExceededError)
    (total,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert total.requests == 2
    await database.close()


async def test_what_fails_beside_rows_refuses_none(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that does not fit what is there, a partition that overlaps one, a name that no text can hold."""
    broken = Migration(2, "0002_broken", "SELECT 1 / 0")
    database = ledger(postgres_url)
    with monkeypatch.context() as patch:
        patch.setattr(postgres_module, "migrations", lambda kind: (*migrations(kind), broken))
        with pytest.raises(LedgerDown, match="division by zero"):
            await database.insert(records(2))
    await database.insert(records(2))
    other = await asyncpg.connect(postgres_url)
    await other.execute("CREATE TABLE theirs (LIKE ledger_rows INCLUDING ALL)")
    times = "FROM ('2026-12-20 00:00+00') TO ('2027-01-01 00:00+00')"
    await other.execute(f"ALTER TABLE ledger_rows ATTACH PARTITION theirs FOR VALUES {times}")
    with pytest.raises(LedgerDown, match="overlap"):
        await database.insert([a_record(9, time=MIDNIGHT - 40 * DAY)])
    with pytest.raises(LedgerDown):
        await database.balance(Consumer("key", "nul \0"))
    await other.close()
    await database.close()


async def test_a_server_that_takes_no_writes_is_looked_for_anew(postgres_url: str) -> None:
    """After a failover the address may be that of another."""
    database, given = ledger(postgres_url), records(20)
    await database.insert(given[:10])
    other = await asyncpg.connect(postgres_url)
    name = await other.fetchval("SELECT current_database()")
    await other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    # It goes for connections that come after it; the server waits for the end of those that there are.
    mine = "application_name = 'router-gateway' AND datname = current_database()"
    await other.execute(f"SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE {mine}")
    for _ in range(3):
        with pytest.raises(LedgerDown):
            await database.insert(given)
    (total,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert total.requests == 10
    await other.execute("SET default_transaction_read_only = off")
    await other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert await database.insert(given) == 10
    await other.close()
    await database.close()


async def test_a_full_server_is_away_until_there_is_room(own_server: PostgresServer) -> None:
    database, given = ledger(own_server.url()), records(6000, time=MIDNIGHT)
    await database.insert(given[:100])
    await asyncio.to_thread(own_server.fill)

    async def go_on() -> None:
        for start in range(100, 6000, 100):
            await database.insert(given[start : start + 100])

    for _ in range(2):
        with pytest.raises(LedgerDown, match=r"could not extend file (?s:.*)free disk space"):
            await go_on()
    (before,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert 100 < before.requests < 6000
    await asyncio.to_thread(own_server.make_room)
    assert sum([await database.insert(given[start : start + 1000]) for start in range(0, 6000, 1000)]) == (
        6000 - before.requests
    )
    (after,) = (await database.usage(UsageQuery(0, 5e9))).rows
    assert after.requests == 6000
    await database.close()


async def test_a_wrong_password_is_told_without_it() -> None:
    with run_postgres() as server:
        database = ledger(server.url().replace(server.password, "another-word-00000"))
        with pytest.raises(LedgerDown, match="password authentication failed") as down:
            await database.open()
        assert "another-word" not in str(down.value)
        await database.close()
