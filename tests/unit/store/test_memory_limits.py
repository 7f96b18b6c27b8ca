"""Limits in memory: all or none, in shadow, settled, and bounded in memory."""

from __future__ import annotations

import math

from gateway.policy.token_bucket import Rate
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import Grant, Standing, Take
from tests.support.virtual_time import virtual_clock

SECOND = 1_000_000
TEN = Rate(10, SECOND)
HUNDRED = Rate(100, 60 * SECOND)


def limits(most: int = 100) -> MemoryLimits:
    return MemoryLimits(lambda: 0.0, most=most)


def take(key: str, amount: int = 1, rate: Rate = TEN, *, shadow: bool = False) -> Take:
    return Take(key, rate, amount, shadow)


def test_a_grant_tells_what_is_left_and_when_it_is_full() -> None:
    assert limits().take_at([take("a", 3)], 0) == Grant(True, (Standing(7, 0.3, 0.0),))


def test_a_denial_tells_the_exact_wait_and_takes_nothing() -> None:
    store = limits()
    store.take_at([take("a", 8)], 0)
    denied = Grant(False, (Standing(2, 0.8, 0.1),))
    assert store.take_at([take("a", 3)], 0) == denied
    assert store.take_at([take("a", 3)], 0) == denied
    assert not store.take_at([take("a", 3)], SECOND // 10 - 1).granted
    assert store.take_at([take("a", 3)], SECOND // 10).granted


def test_all_are_taken_or_none() -> None:
    store = limits()
    store.take_at([take("b", 10)], 0)
    both = [take("a", 4), take("b", 1)]
    assert store.take_at(both, 0) == Grant(False, (Standing(10, 0.0, 0.0), Standing(0, 1.0, 0.1)))
    assert store.take_at([take("a", 10)], 0).granted


def test_more_than_the_capacity_has_no_time_at_which_it_fits() -> None:
    assert limits().take_at([take("a", 11)], 0) == Grant(False, (Standing(10, 0.0, math.inf),))


def test_a_shadow_bucket_is_taken_of_and_stands_in_nobodys_way() -> None:
    store = limits()
    both = [take("a", 1), take("b", 6, shadow=True)]
    assert store.take_at(both, 0) == Grant(True, (Standing(9, 0.1, 0.0), Standing(4, 0.6, 0.0)))
    assert store.take_at(both, 0) == Grant(True, (Standing(8, 0.2, 0.0), Standing(4, 0.6, 0.2)))


def test_a_denial_takes_nothing_of_a_shadow_bucket_either() -> None:
    store = limits()
    store.take_at([take("a", 11), take("b", 6, shadow=True)], 0)
    assert store.take_at([take("b", 10, shadow=True)], 0).standings[0].retry_after == 0.0


def test_what_was_not_used_comes_back_and_what_was_used_beside_it_is_charged() -> None:
    store = limits()
    store.take_at([take("a", 8), take("b", 8)], 0)
    store.settle_at([(take("a"), 5), (take("b"), -12)], 0)
    standings = store.take_at([take("a", 0), take("b", 0, shadow=True)], 0).standings
    assert standings == (Standing(7, 0.3, 0.0), Standing(0, 2.0, 1.0))


def test_a_settlement_of_what_another_granted_is_not_for_this_store() -> None:
    store = limits()
    store.take_at([take("a", 8)], 0)
    store.settle([(take("a"), 5)], "local")
    assert store.take_at([take("a", 0)], 0).standings[0].remaining == 2


def test_another_rate_is_another_bucket() -> None:
    store = limits()
    store.take_at([take("a", 10)], 0)
    assert store.take_at([take("a", 10, HUNDRED)], 0).granted


def test_full_buckets_are_forgotten_as_others_come() -> None:
    store = limits()
    for number in range(50):
        store.take_at([take(f"early-{number}")], 0)
    assert len(store) == 50
    for number in range(50):
        store.take_at([take(f"late-{number}")], SECOND)
    assert len(store) == 50
    store.take_at([take("last")], 2 * SECOND)
    assert len(store) == 49


def test_a_bucket_with_a_long_period_does_not_keep_others_from_being_forgotten() -> None:
    store = limits()
    store.take_at([take("long", 1, HUNDRED)], 0)
    for number in range(1_000):
        store.take_at([take(f"k-{number}")], number * SECOND)
    assert len(store) == 2


def test_at_the_bound_the_one_that_rested_longest_goes() -> None:
    store = limits(most=3)
    for now, key in enumerate(("a", "b", "c", "a", "d")):
        store.take_at([take(key, 4, HUNDRED)], now)
    assert len(store) == 3
    assert store.take_at([take("a", 0, HUNDRED)], 5).standings[0].remaining == 92
    assert store.take_at([take("b", 0, HUNDRED)], 6).standings[0].remaining == 100


def test_any_number_of_keys_is_bounded_and_does_not_crowd_out_the_bucket_that_all_share() -> None:
    store = limits(most=1_000)
    granted = 0
    for number in range(20_000):
        granted += store.take_at([take("all", 1, TEN), take(f"k-{number}", 1, HUNDRED)], number).granted
    assert granted == 10
    assert len(store) <= 1_000


async def test_time_is_the_clocks() -> None:
    clock = virtual_clock()
    store = MemoryLimits(clock.monotonic)
    assert (await store.take([take("a", 10)])).granted
    denied = await store.take([take("a", 1)])
    assert denied.standings[0].retry_after == 0.1
