"""Accounts of money in real servers, held step by step to the arithmetic in Python."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import fakeredis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.policy.budget import (
    CAP,
    MOST,
    PREPAID,
    Account,
    Ask,
    Charge,
    Span,
    Statement,
    fits,
    granule_of,
    merged,
    settle,
    state_of,
    take,
)
from gateway.store.account_scripts import MERGE, RESERVE, SETTLE
from gateway.store.link import Part, Script
from gateway.store.memory_accounts import MemoryAccounts
from gateway.store.protocol import StoreDown
from gateway.store.redis_accounts import LIFE, RedisAccounts
from tests.support.redis_server import RedisServer
from tests.support.spenders import Spender, spend_together, spenders, standing
from tests.support.store_link import linked

START = 1_800_000_000
DAY = 86400

amounts = st.integers(0, 50) | st.integers(0, 2**40) | st.just(MOST)
spans = st.builds(
    lambda day, length: Span(START + day * DAY, START + (day - length) * DAY, START + (day - 2 * length) * DAY, 0),
    st.integers(-3, 6),
    st.integers(0, 3),
)
budgets = st.builds(Ask, st.sampled_from("ab"), st.integers(0, 100) | st.just(MOST), spans, amounts, st.booleans())
quotas = st.builds(Ask, st.sampled_from("xy"), st.none(), st.just(PREPAID), amounts, st.booleans())
asks = st.lists(budgets | quotas, min_size=1, max_size=3, unique_by=lambda ask: ask.key)
charges = st.lists(
    st.one_of(
        st.builds(
            Charge,
            st.sampled_from("ab"),
            st.integers(0, 9).map(lambda late: granule_of(START, 60 * late)),
            amounts,
            st.integers(-3, 6).map(lambda day: START + day * DAY),
            st.just(0),
            amounts,
        ),
        st.builds(
            Charge,
            st.sampled_from("xy"),
            st.integers(0, 9).map(lambda late: granule_of(START, 60 * late)),
            amounts,
            st.just(0),
            st.sampled_from((0, 5, 7)),
            amounts,
        ),
    ),
    max_size=2,
    unique_by=lambda charge: charge.key,
)
merges = st.one_of(
    st.tuples(
        st.sampled_from("ab"),
        st.builds(
            Statement,
            st.integers(-4, 4).map(lambda day: START + day * DAY),
            slices=st.dictionaries(st.integers(-3, 6).map(lambda day: START + day * DAY), amounts, max_size=3),
        ),
    ),
    st.tuples(
        st.sampled_from("xy"),
        st.builds(
            Statement,
            st.just(0),
            granted=st.integers(-MOST, MOST),
            since=st.sampled_from((5, 7)),
            slices=st.dictionaries(st.just(0), amounts, max_size=1),
        ),
    ),
)
Step = tuple[int, tuple[str, Statement], list[Ask], list[Charge]]
steps = st.lists(st.tuples(st.integers(0, 200), merges, asks, charges), max_size=12)
LEASE = 100


class Twin:
    """The arithmetic of budget.py over a dictionary."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def reserve(self, wanted: Sequence[Ask], now: int) -> list[int]:
        states = [state_of(self._accounts.get(ask.key), ask, now) for ask in wanted]
        ends = granule_of(now, LEASE)
        granted = 1
        flat: list[int] = []
        for ask, state in zip(wanted, states, strict=True):
            if state is None:
                granted = -1
                flat += (-1, 0, 0, 0)
            else:
                if granted == 1 and not ask.soft and not fits(ask, state):
                    granted = 0
                flat += (state.spent, state.reserved, state.limit, state.since)
        if granted == 1:
            for ask in wanted:
                take(self._accounts[ask.key], ask, ends)
        return [granted, ends, *flat]

    def settle(self, ended: Sequence[Charge]) -> None:
        for charge in ended:
            if charge.key in self._accounts:
                settle(self._accounts[charge.key], charge)

    def merge(self, key: str, said: Statement) -> None:
        self._accounts[key] = merged(self._accounts.get(key), said)


def reserve_call(wanted: Sequence[Ask], now: int) -> tuple[list[str], list[Part]]:
    args: list[Part] = []
    for ask in wanted:
        span = ask.span
        limit = "" if ask.limit is None else ask.limit
        args += (limit, span.current, span.oldest, span.forget, ask.amount, int(ask.soft), LIFE)
    return [ask.key for ask in wanted], [*args, LEASE, now]


def settle_call(ended: Sequence[Charge]) -> tuple[list[str], list[Part]]:
    args: list[Part] = []
    for charge in ended:
        args += (charge.granule, charge.amount, charge.start, charge.since, charge.cost)
    return [charge.key for charge in ended], args


def merge_call(key: str, said: Statement) -> tuple[list[str], list[Part]]:
    args: list[Part] = [said.origin, "" if said.granted is None else said.granted, said.since, LIFE]
    for start, spent in said.slices.items():
        args += (start, spent)
    return [key], args


@pytest.mark.real_time
@given(happened=steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_scripts_and_the_arithmetic_agree_step_by_step(server: RedisServer, happened: list[Step]) -> None:
    server.cli("FLUSHALL")
    async with linked(server.url) as link:
        twin, now = Twin(), START
        for elapsed, (key, said), wanted, ended in happened:
            now += elapsed
            await link.script(MERGE, *merge_call(key, said))
            twin.merge(key, said)
            assert await link.script(RESERVE, *reserve_call(wanted, now)) == twin.reserve(wanted, now)
            if ended:
                await link.script(SETTLE, *settle_call(ended))
                twin.settle(ended)


@given(happened=steps)
@settings(max_examples=40, deadline=None)
def test_the_scripts_and_the_arithmetic_agree_in_a_server_of_python(happened: list[Step]) -> None:
    fake = fakeredis.FakeRedis()

    def run(script: Script, keys: list[str], args: list[Part]) -> Any:
        return fake.eval(script.source.decode(), len(keys), *keys, *args)

    twin, now = Twin(), START
    for elapsed, (key, said), wanted, ended in happened:
        now += elapsed
        run(MERGE, *merge_call(key, said))
        twin.merge(key, said)
        assert run(RESERVE, *reserve_call(wanted, now)) == twin.reserve(wanted, now)
        if ended:
            run(SETTLE, *settle_call(ended))
            twin.settle(ended)


@contextlib.asynccontextmanager
async def accounts(server: RedisServer) -> AsyncIterator[RedisAccounts]:
    async with linked(server.url) as link:
        yield RedisAccounts(link, "t:", "closed", MemoryAccounts(time.monotonic, "local"))


@pytest.mark.real_time
@given(limit=st.integers(0, 400), asking=spenders)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_replicas_together_overspend_by_no_more_than_they_estimated_too_low(
    server: RedisServer, limit: int, asking: list[Spender]
) -> None:
    server.cli("FLUSHALL")
    async with accounts(server) as one, accounts(server) as other:
        granted = await spend_together([one, other], limit, asking)
        spent = sum(request.cost for request in granted)
        assert spent - limit <= sum(request.error for request in granted)
        assert await standing([one, other], limit) == (spent, 0)


def prepaid(key: str, amount: int) -> Ask:
    return Ask(key, None, PREPAID, amount)


@pytest.mark.real_time
async def test_an_account_that_nobody_has_told_of_is_not_known_and_nothing_is_reserved(server: RedisServer) -> None:
    async with accounts(server) as store:
        await store.merge("a", Statement(0, 100, 5))
        asked = await store.reserve([prepaid("a", 10), prepaid("b", 10)], 60)
        assert (asked.granted, asked.known) == (False, False)
        assert asked.states[1] is None
        await store.merge("b", Statement(0, 100, 5))
        again = await store.reserve([prepaid("a", 10), prepaid("b", 10)], 60)
        assert (again.granted, again.known) == (True, True)
        assert [state.left for state in again.states if state] == [100, 100]


@pytest.mark.real_time
async def test_accounts_are_reserved_all_or_none(server: RedisServer) -> None:
    async with accounts(server) as store:
        await store.merge("a", Statement(0, 100, 5))
        await store.merge("b", Statement(0, 5, 5))
        assert not (await store.reserve([prepaid("a", 10), prepaid("b", 10)], 60)).granted
        asked = await store.reserve([prepaid("a", 100), prepaid("b", 5)], 60)
        assert asked.granted
        assert [state.reserved for state in asked.states if state] == [0, 0]


@pytest.mark.real_time
async def test_what_was_reserved_is_settled_before_the_next_request_of_the_connection(server: RedisServer) -> None:
    async with accounts(server) as store:
        await store.merge("a", Statement(0, 100, 5))
        store.settle([Charge("a", 1, 0, 0, 5, 0)])
        await store.reserve([prepaid("a", 0)], 60)
        asked = await store.reserve([prepaid("a", 60)], 60)
        store.settle([Charge("a", asked.granule, 60, 0, 5, 25)])
        state = (await store.reserve([prepaid("a", 0)], 60)).states[0]
        assert state is not None
        assert (state.spent, state.reserved, state.left) == (25, 0, 75)


@pytest.mark.real_time
async def test_what_is_no_account_under_an_accounts_name_is_none(server: RedisServer) -> None:
    server.cli("SET", "t:{money}a", "nonsense")
    server.cli("LPUSH", "t:{money}b", "nonsense")
    async with accounts(server) as store:
        assert not (await store.reserve([prepaid("a", 1)], 60)).known
        store.settle([Charge("b", 1, 0, 0, 5, 3)])
        await store.merge("a", Statement(0, 10, 5))
        await store.merge("b", Statement(0, 10, 5))
        assert (await store.reserve([prepaid("a", 1), prepaid("b", 1)], 60)).granted


@pytest.mark.real_time
async def test_an_absurd_sum_stops_where_it_is_exact(server: RedisServer) -> None:
    async with accounts(server) as store:
        await store.merge("a", Statement(0, MOST, 5))
        for _ in range(3):
            store.settle([Charge("a", 1, 0, 0, 5, MOST)])
        while True:
            state = (await store.reserve([prepaid("a", 0)], 60)).states[0]
            assert state is not None
            if state.spent == CAP:
                break


@pytest.mark.real_time
async def test_a_request_is_one_round_trip_and_an_account_expires_when_nobody_asks(server: RedisServer) -> None:
    async with accounts(server) as store:
        await store.merge("a", Statement(0, 100, 5))
        await store.reserve([prepaid("a", 1)], 60)
        life = server.cli("PTTL", "t:{money}a")
        assert isinstance(life, int)
        assert LIFE - 60_000 < life <= LIFE


@pytest.mark.real_time
async def test_while_the_server_is_away_each_process_goes_by_the_ledger_alone(server: RedisServer) -> None:
    async with linked(server.url) as link:
        store = RedisAccounts(link, "t:", "local", MemoryAccounts(time.monotonic, "local"))
        closed = RedisAccounts(link, "t:", "closed", MemoryAccounts(time.monotonic, "local"))
        opened = RedisAccounts(link, "t:", "open", MemoryAccounts(time.monotonic, "local"))
        await store.merge("a", Statement(0, 100, 5))
        server.kill()
        asked = await store.reserve([prepaid("a", 10)], 60)
        assert (asked.by, asked.known) == ("local", False)
        await store.merge("a", Statement(0, 15, 5), asked.by)
        asked = await store.reserve([prepaid("a", 10)], 60)
        assert asked.granted
        assert not (await store.reserve([prepaid("a", 10)], 60)).granted
        store.settle([Charge("a", asked.granule, 10, 0, 5, 2)], "local")
        assert (await store.reserve([prepaid("a", 10)], 60)).granted
        with pytest.raises(StoreDown):
            await closed.reserve([prepaid("a", 10)], 60)
        assert (await opened.reserve([prepaid("a", 10)], 60)).by == "open"
