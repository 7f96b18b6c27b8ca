"""What every database of the ledger does, on the real ones. Each answer is compared with what Python reckons."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

import pytest
from msgspec.structs import replace

from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage
from gateway.store.ledger import postgres, sqlite
from gateway.store.ledger.migrations import Migration, migrations
from gateway.store.ledger.protocol import (
    Consumer,
    ConsumerKind,
    Dimension,
    LedgerDatabase,
    LedgerDown,
    QuotaEntry,
    RecordsRefused,
    UsageQuery,
    UsageRow,
    cursor_of,
)
from tests.support.records import DAY, MIDNIGHT, a_record, alike, by_id, cost_of, records

pytestmark = pytest.mark.real_time

Connect = Callable[[], LedgerDatabase]
EVER: Final = UsageQuery(0.0, 5e9)
GIVEN: Final = records(400)
"""Four days and a half."""
NOON: Final = MIDNIGHT + DAY / 2
ATTEMPT: Final = AttemptRecord("azure", "gpt-4o", "a", 503, "unavailable", 1e-7)


@contextlib.asynccontextmanager
async def opened(connect: Connect, given: list[Record] | None = None) -> AsyncIterator[LedgerDatabase]:
    database = connect()
    try:
        await database.open()
        if given is not None:
            assert await database.insert(given) == len(given)
        yield database
    finally:
        await database.close()


async def everything(database: LedgerDatabase, **limits: int) -> list[Record]:
    return [record async for record in database.records(UsageQuery(0.0, 5e9, limit=limits.get("limit", 100_000)))]


async def test_records_come_back_as_they_were(connect: Connect) -> None:
    async with opened(connect, GIVEN) as database:
        assert await everything(database) == GIVEN


async def test_rows_that_share_all_or_nothing_and_rows_with_parts_are_written_together(connect: Connect) -> None:
    many = [replace(record, caller=f"caller-{n // 2}") for n, record in enumerate(alike(270))]
    parts = [replace(record, id=f"part-{n}", usage=Usage(9, 9, 0, n + 1)) for n, record in enumerate(alike(40))]
    tries = [a_record(n, id=f"try-{n}", attempts=(ATTEMPT,) * (n % 4)) for n in range(40)]
    async with opened(connect, [*many, *parts, *tries]) as database:
        assert by_id(await everything(database)) == by_id([*many, *parts, *tries])


@pytest.mark.parametrize(
    "text", ["", "NULL", 'a"b', "a\\b\\", "{a,b}", "a','b", "line\nline\ttab", "zoë-用户", "\\x00", "$1 %s ?"]
)
async def test_texts_are_written_as_they_are(connect: Connect, text: str) -> None:
    own = [replace(record, user=text, request_id=text) for record in alike(3)]
    shared = alike(3, id=f"id{text}", asked=text, error_code=text, losses=(text,))
    tried = replace(ATTEMPT, model=text, fault=text)
    tries = [a_record(n, id=f"try-{n}", attempts=(tried,) * (n + 1)) for n in range(2)]
    async with opened(connect, [*own, *shared, *tries]) as database:
        assert by_id(await everything(database)) == by_id([*own, *shared, *tries])


async def test_records_are_read_page_by_page(connect: Connect) -> None:
    async with opened(connect, GIVEN) as database:
        read: list[Record] = []
        while True:
            after = cursor_of(read[-1]) if read else ""
            page = [record async for record in database.records(UsageQuery(0.0, 5e9, limit=64, after=after))]
            read += page
            if len(page) < 64:
                break
        assert read == GIVEN


async def test_records_are_chosen_by_what_they_are(connect: Connect) -> None:
    query = UsageQuery(NOON, NOON + DAY, where=(("team", "team-1"), ("day", "2027-01-17")), limit=1000)
    async with opened(connect, GIVEN) as database:
        found = [record async for record in database.records(query)]
        assert found == [r for r in GIVEN if r.team == "team-1" and MIDNIGHT + DAY <= r.time < NOON + DAY]


async def test_a_record_counts_once_however_often_it_is_brought(connect: Connect) -> None:
    async with opened(connect, GIVEN) as database:
        before = await database.usage(EVER)
        assert await database.insert(GIVEN) == 0
        assert await database.insert([*GIVEN[:3], a_record(1000), a_record(1000)]) == 1
        after = await database.usage(EVER)
        assert (before.rows[0].requests, after.rows[0].requests) == (400, 401)
        assert len(await everything(database)) == 401


async def test_nothing_is_written_of_nothing(connect: Connect) -> None:
    async with opened(connect) as database:
        assert await database.insert(()) == 0
        assert (await database.usage(EVER)).rows == ()


async def test_writers_that_bring_the_same_rows_at_once_count_them_once(connect: Connect) -> None:
    async with opened(connect) as one, opened(connect) as other:
        new = await asyncio.gather(
            *(one.insert(GIVEN[start : start + 100]) for start in (0, 100, 200, 300)),
            *(other.insert(GIVEN[start : start + 100][::-1]) for start in (300, 200, 100, 0)),
        )
        assert sum(new) == 400
        (total,) = (await one.usage(EVER)).rows
        assert (total.requests, total.cost) == (400, cost_of(GIVEN))


def group_of(record: Record, by: tuple[Dimension, ...]) -> tuple[str, ...]:
    moment = datetime.fromtimestamp(record.time, UTC)
    said = {
        "month": moment.strftime("%Y-%m"),
        "day": moment.strftime("%Y-%m-%d"),
        "hour": moment.strftime("%Y-%m-%dT%H"),
        "status": str(record.status),
        "stream": str(record.stream).lower(),
    }
    return tuple(said.get(dimension) or getattr(record, dimension) for dimension in by)


GROUPS: Final[tuple[tuple[Dimension, ...], ...]] = (
    (), ("day",), ("hour",), ("team", "day"), ("caller",), ("project", "router"), ("provider", "model"),
    ("operation", "status"), ("hour", "team"), ("month",), ("month", "team"), ("month", "caller"), ("user", "stream"),
    ("key", "asked", "dialect"), ("outcome", "error_code", "price_source"), ("rule", "cache", "saved_by", "config"),
)  # fmt: skip


@pytest.mark.parametrize("since", [MIDNIGHT, NOON, MIDNIGHT + 100.5])
async def test_usage_is_the_sum_of_the_records(connect: Connect, since: float) -> None:
    until = since + 2.75 * DAY
    within = [record for record in GIVEN if since <= record.time < until]
    async with opened(connect, GIVEN) as database:
        for by in GROUPS:
            page = await database.usage(UsageQuery(since, until, by=by))
            assert page.cursor == ""
            assert page.rows == reckoned(within, by)


def reckoned(records: list[Record], by: tuple[Dimension, ...]) -> tuple[UsageRow, ...]:
    rows = []
    for group in sorted({group_of(record, by) for record in records}):
        of = [record for record in records if group_of(record, by) == group]
        rows.append(
            UsageRow(
                group=group,
                requests=len(of),
                failed=sum(record.outcome == "error" for record in of),
                input=sum(record.usage.input for record in of),
                output=sum(record.usage.output for record in of),
                cached=sum(record.usage.cached for record in of),
                cache_write=sum(record.usage.cache_write_5m + record.usage.cache_write_1h for record in of),
                reasoning=sum(record.usage.reasoning for record in of),
                cost=cost_of(of),
                unpriced=sum(record.cost is None for record in of),
                saved=0,
                # Halves add up exactly.
                seconds=0.5 * len(of),
            )
        )
    return tuple(rows)


async def test_usage_is_read_page_by_page(connect: Connect) -> None:
    query = UsageQuery(NOON, NOON + 3 * DAY, by=("team", "caller", "day"))
    async with opened(connect, GIVEN) as database:
        whole = (await database.usage(query)).rows
        found, after = list(whole[:0]), ""
        while True:
            page = await database.usage(UsageQuery(NOON, NOON + 3 * DAY, by=query.by, limit=7, after=after))
            found += page.rows
            after = page.cursor
            if not after:
                break
    assert tuple(found) == whole
    assert len(whole) > 14


@pytest.mark.parametrize("after", ["nonsense", '["one"]', "["])
async def test_a_page_that_was_never_given_out_is_refused(connect: Connect, after: str) -> None:
    async with opened(connect) as database:
        with pytest.raises(LedgerDown):
            await database.usage(UsageQuery(0, 5e9, by=("team", "day"), after=after))


async def test_usage_of_some_only(connect: Connect) -> None:
    where: tuple[tuple[Dimension, str], ...] = (("team", "team-2"), ("status", "200"))
    async with opened(connect, GIVEN) as database:
        (row,) = (await database.usage(UsageQuery(NOON, NOON + 3 * DAY, where=where))).rows
        hours = (await database.usage(UsageQuery(NOON, NOON + 3 * DAY, by=("hour",), where=where))).rows
    of = [r for r in GIVEN if NOON <= r.time < NOON + 3 * DAY and (r.team, r.status) == ("team-2", 200)]
    assert (row.requests, row.cost) == (len(of), cost_of(of))
    assert sum(hour.cost for hour in hours) == row.cost


@pytest.mark.parametrize(
    ("kind", "name"), [("key", "caller-2"), ("team", "team-1"), ("project", "project-0"), ("router", "prod")]
)
async def test_what_a_consumer_spent(connect: Connect, kind: ConsumerKind, name: str) -> None:
    column = {"key": "caller"}.get(kind, kind)
    async with opened(connect, GIVEN) as database:
        for since, until in ((NOON, NOON + 3 * DAY), (NOON, NOON + 100), (MIDNIGHT, MIDNIGHT + DAY), (NOON, 5e9)):
            of = [r for r in GIVEN if since <= r.time < until and getattr(r, column) == name]
            assert await database.spent(Consumer(kind, name), since, until) == cost_of(of)
        assert await database.spent(Consumer(kind, "nobody"), 0.0, 5e9) == 0


TEAM: Final = Consumer("team", "team-1")


async def test_a_balance_is_what_was_given_less_what_was_spent(connect: Connect) -> None:
    async with opened(connect, GIVEN) as database:
        assert await database.balance(TEAM) is None
        await database.enter(QuotaEntry("1", TEAM, "add", 500, NOON, "ops", "first"))
        await database.enter(QuotaEntry("1", TEAM, "add", 500, NOON))
        await database.enter(QuotaEntry("2", TEAM, "add", -200, NOON + 10))
        balance = await database.balance(TEAM)
        assert balance is not None
        assert (balance.granted, balance.since) == (300, NOON)
        assert balance.spent == cost_of(r for r in GIVEN if r.team == "team-1" and r.time >= NOON)


async def test_setting_a_balance_forgets_what_was_spent_before(connect: Connect) -> None:
    async with opened(connect, GIVEN) as database:
        await database.enter(QuotaEntry("1", TEAM, "add", 500, MIDNIGHT))
        await database.enter(QuotaEntry("2", TEAM, "set", 1000, NOON))
        await database.enter(QuotaEntry("3", TEAM, "add", 5, NOON + DAY))
        await database.enter(QuotaEntry("4", Consumer("key", "caller-1"), "add", 7, NOON))
        balance = await database.balance(TEAM)
        assert balance is not None
        assert (balance.granted, balance.since) == (1005, NOON)
        every = await database.balances()
        assert [found.consumer for found in every] == [Consumer("key", "caller-1"), TEAM]
        assert await database.balances("team") == (balance,)


async def test_retention_deletes_rows_and_keeps_totals_and_balances(connect: Connect) -> None:
    async with opened(connect, GIVEN) as database:
        await database.enter(QuotaEntry("1", TEAM, "set", 10**12, NOON))
        balances, days = await database.balances(), await database.usage(UsageQuery(0.0, 5e9, by=("day", "team")))
        gone = await database.retain(NOON + 2 * DAY)
        assert gone == sum(record.time < MIDNIGHT + 2 * DAY for record in GIVEN)
        assert await everything(database) == [record for record in GIVEN if record.time >= MIDNIGHT + 2 * DAY]
        assert await database.balances() == balances
        assert await database.usage(UsageQuery(0.0, 5e9, by=("day", "team"))) == days
        assert await database.retain(NOON + 2 * DAY) == 0


async def test_times_that_no_clock_should_tell_are_kept(connect: Connect) -> None:
    odd = [a_record(1, time=1.5), a_record(2, time=4_102_444_799.0), a_record(3), a_record(4, time=MIDNIGHT - DAY)]
    async with opened(connect, GIVEN[5:]) as database:
        assert await database.insert(odd) == 4
        assert Counter(r.id for r in await everything(database)) == Counter(r.id for r in [*GIVEN[5:], *odd])
        assert await database.retain(MIDNIGHT) == 2


async def test_of_a_batch_that_is_refused_nothing_is_written(connect: Connect) -> None:
    async with opened(connect) as database:
        with pytest.raises(RecordsRefused):
            await database.insert([a_record(1), a_record(2, status=2**70), a_record(3)])
        assert await everything(database) == []
        assert await database.insert([a_record(1), a_record(3)]) == 2


async def test_migrations_are_applied_once_by_many_at_once(connect: Connect) -> None:
    clients = [connect() for _ in range(4)]
    try:
        applied = await asyncio.gather(*(client.migrate() for client in clients))
        assert sorted(applied, key=len) == [(), (), (), ("0001_ledger",)]
        status = await clients[0].status()
        assert (status.applied, status.missing, status.requests, status.oldest) == (("0001_ledger",), (), 0, None)
    finally:
        for client in clients:
            await client.close()


async def test_a_migration_that_ends_midway_leaves_nothing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kind: object) -> tuple[Migration, ...]:
        (first, *_) = migrations("sqlite" if kind == "sqlite" else "postgresql")
        return (Migration(1, first.name, f"{first.sql}\nCREATE TABLE broken (this is no SQL at all);"),)

    with monkeypatch.context() as patch:
        for module in (sqlite, postgres):
            patch.setattr(module, "migrations", broken)
        database = connect()
        try:
            with pytest.raises(LedgerDown):
                await database.open()
        finally:
            await database.close()
    async with opened(connect, GIVEN) as database:
        assert (await database.status()).applied == ("0001_ledger",)


async def test_a_newer_database_is_used_as_it_is(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(connect, GIVEN):
        pass
    for module in (sqlite, postgres):
        monkeypatch.setattr(module, "migrations", lambda kind: migrations(kind)[:1])
    async with opened(connect) as database:
        assert await database.insert(GIVEN[:10]) == 0
