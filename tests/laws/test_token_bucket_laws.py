"""Laws of a token bucket, whatever its rate and whatever is asked of it."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.policy.token_bucket import (
    LARGEST,
    Rate,
    fits,
    problem_of,
    refilled,
    remaining,
    settled,
    until_fits,
    until_full,
)

DOUBLES_ARE_EXACT = 2**53


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    capacity = draw(st.one_of(st.integers(1, 50), st.integers(1, 10**7)))
    period = draw(
        st.one_of(st.integers(1, 100), st.sampled_from((10**6, 6 * 10**7, 864 * 10**8)), st.integers(1, 10**9))
    )
    assume(problem_of(capacity, period) is None)
    return Rate(capacity, period)


@st.composite
def levels(draw: st.DrawFn) -> tuple[Rate, int]:
    rate = draw(rates())
    return rate, draw(st.integers(-rate.full, rate.full))


elapsed_times = st.one_of(st.integers(0, 10), st.integers(0, 10**7), st.integers(0, 10**16))
asked = st.lists(st.tuples(elapsed_times, st.integers(0, 60)), max_size=60)


@given(rates(), asked)
def test_what_is_granted_is_at_most_the_capacity_and_what_was_refilled(
    rate: Rate, steps: list[tuple[int, int]]
) -> None:
    level, now, granted = rate.full, 0, 0
    for elapsed, amount in steps:
        level, now = refilled(rate, level, now, now + elapsed), now + elapsed
        if fits(rate, level, amount):
            level -= amount * rate.unit
            granted += amount
        assert granted <= rate.capacity + Fraction(now * rate.capacity, rate.period)


@given(rates(), st.lists(st.integers(0, 10**6), max_size=40))
def test_a_bucket_that_is_never_full_loses_not_a_fraction(rate: Rate, steps: list[int]) -> None:
    level, now = 0, 0
    for elapsed in steps:
        level, now = refilled(rate, level, now, now + elapsed), now + elapsed
        exact = Fraction(now * rate.capacity, rate.period)
        assert Fraction(level, rate.unit) == min(exact, Fraction(rate.capacity))


@given(levels(), st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_time_in_two_steps_is_time_in_one(bucket: tuple[Rate, int], first: int, second: int) -> None:
    rate, level = bucket
    begin, middle, end = sorted((0, first, second))
    assert refilled(rate, refilled(rate, level, begin, middle), middle, end) == refilled(rate, level, begin, end)


@given(levels(), st.integers(0, 10**8))
def test_the_wait_is_exact(bucket: tuple[Rate, int], amount: int) -> None:
    rate, level = bucket
    wait = until_fits(rate, level, amount)
    assert (wait is None) == (amount > rate.capacity)
    if wait is not None:
        assert (wait == 0) == fits(rate, level, amount)
        assert fits(rate, refilled(rate, level, 0, wait), amount)
        assert wait == 0 or not fits(rate, refilled(rate, level, 0, wait - 1), amount)


@given(levels())
def test_it_is_full_when_it_says(bucket: tuple[Rate, int]) -> None:
    rate, level = bucket
    wait = until_full(rate, level)
    assert 0 <= wait <= 2 * rate.period
    assert refilled(rate, level, 0, wait) == rate.full
    assert wait == 0 or refilled(rate, level, 0, wait - 1) < rate.full


@given(levels(), st.integers(-(10**9), 10**9), elapsed_times)
def test_a_level_stays_between_a_capacity_of_debt_and_full(
    bucket: tuple[Rate, int], returned: int, elapsed: int
) -> None:
    rate, level = bucket
    for after in (settled(rate, level, returned), refilled(rate, level, 0, elapsed)):
        assert -rate.full <= after <= rate.full
        assert 0 <= remaining(rate, after) <= rate.capacity


@given(levels(), st.integers(-100, 100), st.integers(-100, 100))
def test_settlements_in_any_order_come_to_the_same_unless_a_bound_is_met(
    bucket: tuple[Rate, int], one: int, other: int
) -> None:
    rate, level = bucket
    extremes = [level + change * rate.unit for change in (one, other, one + other)]
    assume(all(-rate.full <= extreme <= rate.full for extreme in extremes))
    assert settled(rate, settled(rate, level, one), other) == settled(rate, settled(rate, level, other), one)


@given(levels())
def test_nothing_between_is_more_than_a_double_holds(bucket: tuple[Rate, int]) -> None:
    rate, level = bucket
    assert rate.full <= LARGEST
    assert abs(level) + (2 * rate.period - 1) * rate.step < DOUBLES_ARE_EXACT
    assert abs(level) + 2 * rate.capacity * rate.unit < DOUBLES_ARE_EXACT
