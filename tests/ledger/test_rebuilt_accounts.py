"""Balances and budgets that no store knows any more, told again by a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.pipeline.accounts import Accounts, Holding, budget_of, prepaid_by
from gateway.policy.budget import Ask, State, Window, rolling
from gateway.store.ledger.protocol import Consumer, LedgerDatabase, QuotaEntry
from gateway.store.ledger.writer import LedgerWriter
from gateway.store.memory_accounts import MemoryAccounts
from tests.support.house import ALPHA, KEYS, PROVIDERS, Served, chat
from tests.support.postgres_server import PostgresServer
from tests.support.records import DAY, MIDNIGHT, a_record
from tests.support.scripted import chat_reply, ok

pytestmark = pytest.mark.real_time

Connect = Callable[[], LedgerDatabase]
HOUR = 3600.0
NOON = MIDNIGHT + 12 * HOUR
ANN = Consumer("key", "ann")
LIMIT = 10**9


@asynccontextmanager
async def opened(connect: Connect) -> AsyncIterator[LedgerDatabase]:
    database = connect()
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def spends(database: LedgerDatabase, *rows: tuple[float, int]) -> None:
    """Rows of ann's, by when they began and what they cost."""
    await database.insert(
        [
            a_record(number, id=f"{at}-{cost}-{number}", caller="ann", team="red", time=at, cost=cost)
            for number, (at, cost) in enumerate(rows, 1)
        ]
    )


def behind(work: Coroutine[None, None, None]) -> bool:
    raise AssertionError("what was just looked at is not looked at again")


async def state(database: LedgerDatabase, holding: Holding, wall: float = NOON) -> State | None:
    """How an account stands for a process that has just begun."""
    accounts = Accounts(MemoryAccounts(lambda: 0.0), database, lambda: 0.0, behind)
    ask = Ask(holding.key, holding.limit, holding.at(wall), 0)
    return (await accounts.reserve([(holding, ask)], wall, 60)).states[0]


async def test_a_balance_is_what_was_paid_in_less_what_rows_have_cost(connect: Connect) -> None:
    async with opened(connect) as database:
        await database.enter(QuotaEntry("a", ANN, "set", 500, NOON - 2 * DAY))
        await database.enter(QuotaEntry("b", ANN, "add", 100, NOON - HOUR))
        await spends(database, (NOON - 3 * DAY, 7000), (NOON - DAY, 30), (NOON - 1, 5))
        found = await state(database, prepaid_by(ANN))
        assert found is not None
        assert (found.limit, found.spent, found.left) == (600, 35, 565)
        await database.enter(QuotaEntry("c", ANN, "set", 50, NOON))
        found = await state(database, prepaid_by(ANN), NOON + 1)
        assert found is not None
        assert (found.limit, found.spent) == (50, 0)


@pytest.mark.parametrize(
    ("window", "spent"),
    [
        (Window("day", "day"), 0b0000_0011),
        (Window("day", "day", ZoneInfo("Pacific/Auckland")), 0b0000_0001),
        (Window("month", "month"), 0b0000_1111),
        (rolling(6 * HOUR, "6h"), 0b0000_0001),
        (rolling(72 * HOUR, "72h"), 0b0000_0111),
        (rolling(30 * DAY, "30d"), 0b0011_1111),
    ],
    ids=lambda value: f"{value.name} {value.zone}" if isinstance(value, Window) else "",
)
async def test_a_budget_begins_with_the_rows_of_its_window(connect: Connect, window: Window, spent: int) -> None:
    """Noon of 16 January 2027 in UTC is one in the morning of the 17th in Auckland."""
    rows = [
        NOON - 1, NOON - 8 * HOUR, NOON - 2 * DAY, NOON - 12 * DAY, NOON - 20 * DAY, NOON - 29 * DAY, NOON - 40 * DAY,
        NOON - 400 * DAY,
    ]  # fmt: skip
    async with opened(connect) as database:
        await spends(database, *((at, 1 << bit) for bit, at in enumerate(rows)))
        await database.insert([a_record(99, caller="bob", time=NOON, cost=10**6)])
        found = await state(database, budget_of(ANN, window, LIMIT, ("ann",)))
        assert found is not None
        assert found.spent == spent


async def test_a_team_s_and_a_router_s_budget_have_rows_of_their_own(connect: Connect) -> None:
    async with opened(connect) as database:
        await database.insert(
            [
                a_record(1, team="red", router="/ai", time=NOON, cost=3),
                a_record(2, team="red", router="/v1", time=NOON, cost=5),
                a_record(3, team="blue", router="/v1", time=NOON, cost=None, price_source=""),
            ]
        )
        for consumer, recorded, spent in (
            (Consumer("team", "red"), ("red",), 8),
            (Consumer("team", "blue"), ("blue",), 0),
            (Consumer("router", "/ai"), ("/ai", "/v1"), 8),
        ):
            for window in (Window("day", "day"), rolling(3 * HOUR, "3h")):
                found = await state(database, budget_of(consumer, window, LIMIT, recorded))
                assert found is not None
                assert found.spent == spent, (consumer, window.name)


CONFIG = """
quotas: {{}}
ledger: {{url: '{url}', spool: '{folder}/spool', batch: 10ms}}
prices: {{alpha/*: {{input: 0, output: 1000}}}}
auth: {{mode: keys, keys: [{{name: ann, hash: 'sha256:{digest}', budget: {{amount: '0.05', window: rolling 24h}}}}]}}
routers:
  one: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}}}
{providers}"""


async def test_a_gateway_that_begins_again_goes_on_with_what_postgresql_knows(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    text = CONFIG.format(url=postgres_url, folder=tmp_path, digest=sha256(b"gk-ann").hexdigest(), providers=PROVIDERS)
    statuses: list[int] = []
    for begun in range(3):
        served = Served(tmp_path, text, {**KEYS, "LEDGER_KEY": postgres.password})
        served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10))))
        writer = served.gateway.house.sinks.get("ledger")
        assert isinstance(writer, LedgerWriter)
        await writer.open()
        if not begun:
            wall = served.runtime.clock.wall()
            await writer.database.enter(QuotaEntry("first", ANN, "add", 40_000_000, wall))
        for _ in range(2):
            reply = await served.client.post(
                "/router/one/v1/chat/completions",
                chat("m", max_tokens=10),
                headers={"authorization": "Bearer gk-ann"},
            )
            statuses.append(reply.status)
        await served.runtime.close()
        served.check()
    assert statuses == [200, 200, 200, 200, 402, 402], "a cent each, of four"
