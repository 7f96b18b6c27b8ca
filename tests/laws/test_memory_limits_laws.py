"""The memory store is the arithmetic of token_bucket.py and nothing more, however it forgets."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.usage import Room
from gateway.policy.token_bucket import LARGEST, Rate, fits, refilled, settled
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import Take

RATES = (
    Rate(3, 10),
    Rate(10, 1_000_000),
    Rate(7, 60_000_000),
    Rate(37_000_003, 60_000_000),
    Rate(1, LARGEST),
    Rate(LARGEST, 1),
)
"""Small ones, and those at the edge of what a double holds."""
KEYS = "abcd"

takes = st.builds(Take, st.sampled_from(KEYS), st.sampled_from(RATES), st.integers(0, 12), st.booleans())
checks = st.lists(takes, min_size=1, max_size=4, unique_by=lambda take: take.key)
settlements = st.lists(st.tuples(takes, st.integers(-30, 30)), max_size=3)
steps = st.lists(st.tuples(st.one_of(st.integers(0, 20), st.integers(0, 10**8)), checks, settlements), max_size=40)


class Plain:
    """Every bucket ever seen, each by its own arithmetic."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, Rate], tuple[int, int]] = {}

    def level(self, take: Take, now: int) -> int:
        level, since = self._levels.get((take.key, take.rate), (take.rate.full, now))
        return refilled(take.rate, level, since, now)

    def put(self, take: Take, level: int, now: int) -> None:
        self._levels[take.key, take.rate] = level, now

    def take(self, check: list[Take], now: int) -> bool:
        found = [(take, self.level(take, now)) for take in check]
        granted = all(take.shadow or fits(take.rate, level, take.amount) for take, level in found)
        for take, level in found:
            taken = granted and fits(take.rate, level, take.amount)
            self.put(take, level - take.amount * take.rate.unit if taken else level, now)
        return granted


@given(steps)
def test_it_grants_what_the_arithmetic_grants(
    happened: list[tuple[int, list[Take], list[tuple[Take, int]]]],
) -> None:
    store, plain = MemoryLimits(lambda: 0.0), Plain()
    now = 0
    for elapsed, check, changes in happened:
        now += elapsed
        grant = store.take_at(check, now)
        assert grant.granted == plain.take(check, now)
        for take, standing in zip(check, grant.standings, strict=True):
            left = plain.level(take, now)
            assert standing.remaining == max(0, left // take.rate.unit)
            assert standing.reset == -((left - take.rate.full) // take.rate.step) / 1e6
        store.settle_at(changes, now)
        for take, returned in changes:
            plain.put(take, settled(take.rate, plain.level(take, now), returned), now)


@given(steps, st.permutations(KEYS))
def test_buckets_of_a_check_may_stand_in_any_order(
    happened: list[tuple[int, list[Take], list[tuple[Take, int]]]], order: list[str]
) -> None:
    one, other = MemoryLimits(lambda: 0.0), MemoryLimits(lambda: 0.0)
    now = 0
    for elapsed, check, _ in happened:
        now += elapsed
        turned = sorted(check, key=lambda take: order.index(take.key))
        first, second = one.take_at(check, now), other.take_at(turned, now)
        assert first.granted == second.granted
        assert dict(zip(check, first.standings, strict=True)) == dict(zip(turned, second.standings, strict=True))


single = st.lists(
    st.builds(Take, st.sampled_from(KEYS), st.sampled_from(RATES), st.just(1), st.just(False)),
    min_size=1,
    max_size=4,
    unique_by=lambda take: take.key,
)


@given(st.lists(st.tuples(st.one_of(st.integers(-20, 20), st.integers(0, 10**8)), single, settlements), max_size=40))
def test_the_quick_way_is_the_other_way(
    happened: list[tuple[int, list[Take], list[tuple[Take, int]]]],
) -> None:
    now = 0
    quick, other = MemoryLimits(lambda: now / 1e6), MemoryLimits(lambda: 0.0)
    for elapsed, check, changes in happened:
        now = max(now + elapsed, 0)
        # As `take` reads its clock.
        at = int(now / 1e6 * 1_000_000)
        held = quick.hold(check)
        room = held() if held is not None else None
        told = other.take_at(check, at)
        if room is None:
            assert quick.take_at(check, at) == told
        else:
            assert told.granted
            for undo in held.undoing if held is not None and at % 3 == 0 else ():
                undo()
                other.settle_at([(take, 1) for take in check], at)
            least = min(range(len(check)), key=lambda place: told.standings[place].remaining)
            standing = told.standings[least]
            assert room == Room(check[least].rate.capacity, standing.remaining, standing.reset)
        quick.settle_at(changes, at)
        other.settle_at(changes, at)


@given(st.lists(st.tuples(st.integers(0, 500_000), st.integers(1, 4)), max_size=80), st.integers(1, 50))
def test_a_limit_holds_over_any_time(happened: list[tuple[int, int]], capacity: int) -> None:
    store = MemoryLimits(lambda: 0.0)
    rate = Rate(capacity, 1_000_000)
    now = granted = 0
    for elapsed, amount in happened:
        now += elapsed
        granted += amount * store.take_at([Take("a", rate, amount)], now).granted
        assert granted <= capacity + Fraction(now * capacity, 1_000_000)
