"""A token bucket by its numbers."""

from __future__ import annotations

import pytest

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

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND

THIRDS = Rate(3, SECOND)
"""A token each third of a second: no whole number of microseconds."""


def test_a_rate_is_reduced() -> None:
    rate = Rate(1000, MINUTE)
    assert (rate.step, rate.unit, rate.full) == (1, 60_000, 60_000_000)


def test_what_follows_from_a_rate_cannot_be_given() -> None:
    assert Rate(3, SECOND, step=7, full=9, name="mine") == THIRDS


def test_thirds_of_a_second_add_up_to_whole_seconds() -> None:
    level = 0
    for now in range(1, SECOND + 1, 1):
        level = refilled(THIRDS, level, now - 1, now)
    assert level == THIRDS.full
    assert remaining(THIRDS, level) == 3


def test_a_token_fits_at_its_microsecond_and_not_one_before() -> None:
    assert until_fits(THIRDS, 0, 1) == 333_334
    assert not fits(THIRDS, refilled(THIRDS, 0, 0, 333_333), 1)
    assert fits(THIRDS, refilled(THIRDS, 0, 0, 333_334), 1)


def test_more_than_the_capacity_never_fits() -> None:
    assert not fits(THIRDS, THIRDS.full, 4)
    assert until_fits(THIRDS, THIRDS.full, 4) is None


def test_a_bucket_in_debt_lets_nothing_through_until_it_is_paid() -> None:
    level = settled(THIRDS, 0, -1)
    assert remaining(THIRDS, level) == 0
    assert not fits(THIRDS, level, 0)
    assert until_fits(THIRDS, level, 0) == 333_334
    assert fits(THIRDS, refilled(THIRDS, level, 0, 333_334), 0)


def test_debt_ends_at_one_capacity() -> None:
    level = settled(THIRDS, THIRDS.full, -1_000)
    assert level == -THIRDS.full
    assert until_full(THIRDS, level) == 2 * SECOND
    assert refilled(THIRDS, level, 0, 2 * SECOND) == THIRDS.full


def test_more_can_come_back_than_there_is_room_for() -> None:
    assert settled(THIRDS, 0, 1_000) == THIRDS.full


def test_a_clock_that_goes_back_refills_nothing() -> None:
    assert refilled(THIRDS, 5, 1_000, 999) == 5
    assert refilled(THIRDS, 5, 1_000, -(10**15)) == 5


def test_a_clock_that_jumps_ahead_fills_it_and_no_more() -> None:
    assert refilled(THIRDS, -THIRDS.full, 0, 10**18) == THIRDS.full


@pytest.mark.parametrize(
    ("capacity", "period", "told"),
    [
        (0, SECOND, "the capacity must be at least 1"),
        (-5, SECOND, "the capacity must be at least 1"),
        (5, 0, "the time to refill must be at least a microsecond"),
        (5, -1, "the time to refill must be at least a microsecond"),
        (1_000_003, DAY, "1000003 in 86400 s cannot be counted exactly; 1000000 can"),
        (10**17, DAY, "100000000000000000 in 86400 s cannot be counted exactly: it is too much, or too long"),
        (2, LARGEST + 1, "2 in 2.2518e+09 s cannot be counted exactly: it is too much, or too long"),
    ],
)
def test_an_impossible_rate_is_refused_with_a_reason(capacity: int, period: int, told: str) -> None:
    assert problem_of(capacity, period) == told
    with pytest.raises(ValueError, match=r"cannot be counted|must be at least"):
        Rate(capacity, period)


@pytest.mark.parametrize(
    ("capacity", "period"),
    [
        (1, 1),
        (1, LARGEST),
        (LARGEST, 1),
        (5000, SECOND),
        (2_251_799_813, SECOND),
        (10_000_000_000, DAY),
        (100_000_000, 30 * DAY),
        (12_340_000, DAY),
    ],
)
def test_a_rate_that_people_want_is_possible(capacity: int, period: int) -> None:
    assert problem_of(capacity, period) is None
