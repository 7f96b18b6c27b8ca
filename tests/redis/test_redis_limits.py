"""Limits in real servers, held step by step to the arithmetic in Python; and exact over processes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import fakeredis
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.policy.token_bucket import LARGEST, Rate, refilled
from gateway.store.library_link import LibraryLink
from gateway.store.limit_scripts import SETTLE, TAKE
from gateway.store.link import Part, Script
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import Take
from gateway.store.redis_limits import RedisLimits
from tests.support.redis_server import RedisServer
from tests.support.store_link import linked

SECOND = 1_000_000
RATES = (
    Rate(3, 10),
    Rate(10, SECOND),
    Rate(7, 60 * SECOND),
    Rate(1, LARGEST),
    Rate(LARGEST, 1),
    Rate(2**25 - 39, 60 * SECOND),
)
"""Small ones, and those at the edge of what a double holds."""

takes = st.builds(
    Take, st.sampled_from("abcd"), st.sampled_from(RATES), st.integers(0, 12) | st.integers(0, 2**60), st.booleans()
)
checks = st.lists(takes, min_size=1, max_size=4, unique_by=lambda take: take.key)
settlements = st.lists(
    st.tuples(takes, st.integers(-30, 30) | st.integers(-(2**60), 2**60)),
    max_size=3,
    unique_by=lambda item: item[0].key,
)
elapsed_times = st.one_of(st.integers(0, 20), st.integers(0, 10**8), st.integers(0, 10**13), st.integers(-(10**8), 0))
steps = st.lists(st.tuples(elapsed_times, checks, settlements), max_size=25)
Steps = list[tuple[int, list[Take], list[tuple[Take, int]]]]
START = 1_800_000_000 * SECOND


class Twin:
    """The arithmetic of token_bucket.py over a dictionary that forgets nothing."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], tuple[int, int]] = {}

    def level(self, take: Take, now: int) -> int:
        level, since = self._levels.get((take.key, take.rate.name), (take.rate.full, now))
        return refilled(take.rate, level, since, now)

    def take(self, check: Sequence[Take], now: int) -> list[int]:
        levels = [self.level(take, now) for take in check]
        fit = [level >= take.amount * take.rate.unit for take, level in zip(check, levels, strict=True)]
        granted = all(fits or take.shadow for take, fits in zip(check, fit, strict=True))
        if granted:
            for take, level, fits in zip(check, levels, fit, strict=True):
                if fits:
                    self._put(take, level - take.amount * take.rate.unit, now)
        return [int(granted), now, *levels]

    def settle(self, changes: Sequence[tuple[Take, int]], now: int) -> None:
        for take, returned in changes:
            rate = take.rate
            level = self.level(take, now) + returned * rate.unit
            self._put(take, max(-rate.full, min(rate.full, level)), now)

    def _put(self, take: Take, level: int, now: int) -> None:
        """A full bucket is forgotten, as in the store: what a clock that goes back makes of it would differ."""
        if level >= take.rate.full:
            self._levels.pop((take.key, take.rate.name), None)
        else:
            self._levels[take.key, take.rate.name] = level, now


def take_call(check: Sequence[Take], now: int) -> tuple[list[str], list[Part]]:
    args: list[Part] = []
    for take in check:
        rate = take.rate
        args += (rate.step, rate.unit, rate.capacity, min(take.amount, rate.capacity + 1), int(take.shadow))
    return [f"{take.key}:{take.rate.name}" for take in check], [*args, now]


def settle_call(changes: Sequence[tuple[Take, int]], now: int) -> tuple[list[str], list[Part]]:
    args: list[Part] = []
    for take, returned in changes:
        rate = take.rate
        most = 2 * rate.capacity
        args += (rate.step, rate.unit, rate.capacity, max(-most, min(most, returned)))
    return [f"{take.key}:{take.rate.name}" for take, _ in changes], [*args, now]


def deep_in_debt(elapsed: int) -> Steps:
    """A bucket that owes a whole capacity, looked at after so many microseconds; its period is a second."""
    return [(0, [Take("a", RATES[1], 10)], [(Take("a", RATES[1], 0), -30)]), (elapsed, [Take("a", RATES[1], 1)], [])]


@pytest.mark.real_time
@given(happened=steps)
@example(happened=deep_in_debt(999_999))
@example(happened=deep_in_debt(1_100_000))
@example(happened=deep_in_debt(1_999_999))
@example(happened=deep_in_debt(2_000_000))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_scripts_and_the_arithmetic_agree_step_by_step(server: RedisServer, happened: Steps) -> None:
    await agree_step_by_step(server, happened)


@pytest.mark.real_time
@pytest.mark.parametrize(("server_kind", "client"), [("redis", LibraryLink)], ids=["redis-py"], indirect=["client"])
@given(happened=steps)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_scripts_and_their_replies_are_the_same_by_the_library(
    server: RedisServer, client: type[LibraryLink], happened: Steps
) -> None:
    await agree_step_by_step(server, happened)


async def agree_step_by_step(server: RedisServer, happened: Steps) -> None:
    server.cli("FLUSHALL")
    async with linked(server.url) as link:
        twin, now = Twin(), START
        for elapsed, check, changes in happened:
            now += elapsed
            assert await link.script(TAKE, *take_call(check, now)) == twin.take(check, now)
            if changes:
                await link.script(SETTLE, *settle_call(changes, now))
                twin.settle(changes, now)


@given(happened=steps)
@settings(max_examples=50, deadline=None)
def test_the_scripts_and_the_arithmetic_agree_in_a_server_of_python(happened: Steps) -> None:
    fake = fakeredis.FakeRedis()

    def run(script: Script, keys: list[str], args: list[Part]) -> Any:
        return fake.eval(script.source.decode(), len(keys), *keys, *args)

    twin, now = Twin(), START
    for elapsed, check, changes in happened:
        now += elapsed
        assert run(TAKE, *take_call(check, now)) == twin.take(check, now)
        if changes:
            run(SETTLE, *settle_call(changes, now))
            twin.settle(changes, now)


@contextlib.asynccontextmanager
async def limits(server: RedisServer) -> AsyncIterator[RedisLimits]:
    async with linked(server.url) as link:
        yield RedisLimits(link, "t:", "closed", MemoryLimits(time.monotonic, "local"))


@pytest.mark.real_time
async def test_a_check_is_one_verdict_over_all_its_buckets(server: RedisServer) -> None:
    slow = Rate(10, LARGEST // 10)
    async with limits(server) as store:
        assert (await store.take([Take("a", slow, 4), Take("b", slow, 10)])).granted
        denied = await store.take([Take("a", slow, 1), Take("b", slow, 1)])
        assert (denied.granted, denied.by) == (False, "store")
        assert [standing.remaining for standing in denied.standings] == [6, 0]
        assert [standing.retry_after > 0 for standing in denied.standings] == [False, True]


@pytest.mark.real_time
async def test_a_shadow_bucket_is_taken_of_and_stands_in_nobodys_way(server: RedisServer) -> None:
    slow = Rate(10, LARGEST // 10)
    both = [Take("a", slow, 1), Take("b", slow, 6, shadow=True)]
    async with limits(server) as store:
        assert [(await store.take(both)).granted for _ in range(3)] == [True, True, True]
        left = [
            standing.remaining for standing in (await store.take([Take("a", slow, 0), Take("b", slow, 0)])).standings
        ]
        assert left == [7, 4]


@pytest.mark.real_time
async def test_a_settlement_reaches_the_store_before_the_next_check_of_a_warm_connection(server: RedisServer) -> None:
    slow = Rate(10, LARGEST // 10)
    async with limits(server) as store:
        warm = Take("warm", slow, 1)
        store.settle([(warm, -1)])
        await store.take([warm])
        while (await store.take([Take("warm", slow, 0)])).standings[0].remaining != 8:
            pass
        await store.take([Take("a", slow, 10)])
        store.settle([(Take("a", slow, 10), 7)])
        assert (await store.take([Take("a", slow, 0)])).standings[0].remaining == 7


@pytest.mark.real_time
async def test_what_a_process_granted_by_itself_is_not_settled_in_the_store(server: RedisServer) -> None:
    slow = Rate(10, LARGEST // 10)
    async with limits(server) as store:
        await store.take([Take("a", slow, 10)])
        store.settle([(Take("a", slow, 10), 10)], "local")
        store.settle([(Take("a", slow, 10), 10)], "open")
        assert (await store.take([Take("a", slow, 0)])).standings[0].remaining == 0


@pytest.mark.real_time
async def test_a_bucket_expires_when_it_would_be_full(server: RedisServer) -> None:
    minute = Rate(60, 60 * SECOND)
    async with limits(server) as store:
        await store.take([Take("a", minute, 30)])
        life = server.cli("PTTL", f"t:a:{minute.name}")
        assert isinstance(life, int)
        assert 0 < life <= 30_001
        short = Rate(1000, 1000)
        await store.take([Take("b", short, 1000)])
        while server.cli("EXISTS", f"t:b:{short.name}"):
            pass


@pytest.mark.real_time
@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
async def test_the_clock_of_a_machine_that_is_set_changes_nothing(
    server: RedisServer, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Rate(10, LARGEST // 10)
    async with limits(server) as store:
        await store.take([Take("a", slow, 10)])
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + jump)
        assert (await store.take([Take("a", slow, 0)])).standings[0].remaining == 0
    async with limits(server) as another:
        assert (await another.take([Take("a", slow, 0)])).standings[0].remaining == 0


@pytest.mark.real_time
async def test_another_rate_is_another_bucket(server: RedisServer) -> None:
    async with limits(server) as store:
        assert (await store.take([Take("a", Rate(10, LARGEST // 10), 10)])).granted
        assert (await store.take([Take("a", Rate(20, LARGEST // 20), 20)])).granted


@pytest.mark.real_time
async def test_what_is_no_bucket_under_a_buckets_name_is_a_full_one(server: RedisServer) -> None:
    slow = Rate(10, LARGEST // 10)
    server.cli("SET", f"t:a:{slow.name}", "nonsense")
    server.cli("LPUSH", f"t:b:{slow.name}", "nonsense")
    async with limits(server) as store:
        assert (await store.take([Take("a", slow, 10), Take("b", slow, 10)])).granted
        assert not (await store.take([Take("a", slow, 1)])).granted
        assert not (await store.take([Take("b", slow, 1)])).granted


@pytest.mark.real_time
async def test_a_script_that_the_server_forgot_is_sent_again(server: RedisServer) -> None:
    slow = Rate(10, LARGEST // 10)
    async with limits(server) as store:
        for left in (9, 8, 7):
            assert (await store.take([Take("a", slow, 1)])).standings[0].remaining == left
            server.cli("SCRIPT", "FLUSH")
        store.settle([(Take("a", slow, 1), 3)])
        while (await store.take([Take("a", slow, 0)])).standings[0].remaining != 10:
            pass
