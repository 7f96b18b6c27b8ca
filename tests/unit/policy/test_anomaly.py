"""What is unusual for the hour of the day."""

from __future__ import annotations

import math
import random

import pytest

from gateway.policy.anomaly import HOUR, SUBJECTS, Anomalies, Anomaly, AnomalyPolicy

POLICY = AnomalyPolicy(days=14, deviations=6.0, factor=2.0, least=1.0)
DAY = 24 * HOUR
START = 1_800_000_000 // DAY * DAY


def usual(hour: int) -> float:
    """USD in an hour of a day: little by night, 50 at noon."""
    return 2.0 + 48.0 * max(0.0, math.sin(math.pi * (hour - 6) / 12))


def fed(anomalies: Anomalies, days: int, *, noise: float = 0.0, seed: int = 1) -> list[tuple[int, Anomaly]]:
    """So many usual days in amounts of a sixth of an hour; what was unusual, with its hour since the start."""
    chance = random.Random(seed)
    found = []
    for hour in range(days * 24):
        amount = usual(hour % 24) * (1 + noise * (chance.random() * 2 - 1))
        for part in range(6):
            anomaly = anomalies.note("router:a", amount / 6, START + hour * HOUR + part * 600)
            if anomaly is not None:
                found.append((hour, anomaly))
    return found


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_the_pattern_of_a_day_is_not_unusual(noise: float, seed: int) -> None:
    assert fed(Anomalies(POLICY), 40, noise=noise, seed=seed) == []


def test_a_night_like_a_noon_is_unusual_as_soon_as_it_is_too_much_and_told_once() -> None:
    anomalies = Anomalies(POLICY)
    fed(anomalies, 10, noise=0.1)
    at = START + 10 * DAY + 3 * HOUR
    told = [(minute, anomalies.note("router:a", 1.0, at + minute * 60)) for minute in range(50)]
    (found,) = [(minute, anomaly) for minute, anomaly in told if anomaly is not None]
    minute, anomaly = found
    assert 3 <= minute < 10
    assert anomaly.days == 10
    assert anomaly.usual == pytest.approx(2.0, rel=0.1)
    assert anomaly.total > anomaly.limit >= 2 * anomaly.usual


def test_the_same_sum_at_noon_is_not() -> None:
    anomalies = Anomalies(POLICY)
    fed(anomalies, 10, noise=0.1)
    at = START + 10 * DAY + 12 * HOUR
    assert [anomalies.note("router:a", 1.0, at + minute * 60) for minute in range(50)] == [None] * 50


def test_the_next_hour_is_told_of_again() -> None:
    anomalies = Anomalies(POLICY)
    fed(anomalies, 5)
    told = [
        anomalies.note("router:a", 200.0, START + 5 * DAY + hour * HOUR + part * 60)
        for hour in (0, 1)
        for part in (0, 1)
    ]
    assert [anomaly is not None for anomaly in told] == [True, False, True, False]


def test_one_bad_day_does_not_hide_the_next() -> None:
    anomalies = Anomalies(POLICY)
    fed(anomalies, 7)
    assert anomalies.note("router:a", 500.0, START + 7 * DAY + HOUR) is not None
    assert anomalies.note("router:a", 500.0, START + 8 * DAY + HOUR) is not None


def test_a_higher_level_is_usual_after_half_of_the_days() -> None:
    anomalies = Anomalies(AnomalyPolicy(days=6, deviations=6.0, factor=2.0, least=1.0))
    told = [anomalies.note("r", 10.0 if day < 10 else 50.0, START + day * DAY) is not None for day in range(20)]
    assert [day for day, anomaly in enumerate(told) if anomaly] == [10, 11, 12]


@pytest.mark.parametrize("days", [0, 1, 2])
def test_nothing_is_unusual_before_three_days_are_known(days: int) -> None:
    anomalies = Anomalies(POLICY)
    fed(anomalies, days)
    assert anomalies.note("router:a", 10_000.0, START + days * DAY + 23 * HOUR) is None


def test_less_than_the_least_is_never_unusual() -> None:
    anomalies = Anomalies(AnomalyPolicy(days=7, deviations=6.0, factor=2.0, least=20.0))
    for day in range(5):
        anomalies.note("provider:x", 0.0, START + day * DAY)
    at = START + 5 * DAY
    told = [anomalies.note("provider:x", 1.0, at + second) for second in range(30)]
    assert [second for second, anomaly in enumerate(told) if anomaly is not None] == [20]


def test_what_is_new_among_things_known_for_days_had_nothing_before() -> None:
    anomalies = Anomalies(POLICY)
    fed(anomalies, 5)
    anomaly = anomalies.note("router:new", 30.0, START + 5 * DAY)
    assert anomaly is not None
    assert (anomaly.usual, anomaly.days) == (0.0, 5)


def test_days_without_anything_count_as_nothing() -> None:
    anomalies = Anomalies(POLICY)
    anomalies.note("r", 100.0, START)
    anomaly = anomalies.note("r", 100.0, START + 5 * DAY)
    assert anomaly is not None
    assert anomaly.usual == 0.0
    # Longer away than is remembered: all that is known is nothing.
    later = anomalies.note("r", 100.0, START + 400 * DAY)
    assert later is not None
    assert (later.usual, later.days) == (0.0, 14)


def test_time_that_goes_back_is_counted_in_the_latest_hour() -> None:
    anomalies = Anomalies(POLICY)
    for day in range(5):
        anomalies.note("r", 1.0, START + day * DAY)
    at = START + 5 * DAY
    anomalies.note("r", 1.5, at)
    anomaly = anomalies.note("r", 3.0, at - 3 * DAY)
    assert anomaly is not None
    assert anomaly.total == 4.5


def test_there_are_so_many_things_at_most() -> None:
    anomalies = Anomalies(POLICY)
    for number in range(SUBJECTS + 10):
        anomalies.note(str(number), 1.0, START)
    assert len(anomalies) == SUBJECTS
