from __future__ import annotations

import pytest

from gateway.core.clock import Clock
from gateway.runtime import system_clock


def test_a_clock_is_what_it_is_given() -> None:
    clock = Clock(monotonic=lambda: 1.0, wall=lambda: 2.0, chance=lambda: 0.5)
    assert (clock.monotonic(), clock.wall(), clock.chance()) == (1.0, 2.0, 0.5)


def test_a_clock_is_not_set() -> None:
    with pytest.raises(AttributeError):
        system_clock().wall = lambda: 0.0  # type: ignore[misc]


def test_the_systems_clock_goes_forward_and_its_chance_stays_below_one() -> None:
    clock = system_clock()
    times = [clock.monotonic() for _ in range(100)]
    assert times == sorted(times)
    assert clock.wall() > 1_700_000_000
    assert all(0.0 <= clock.chance() < 1.0 for _ in range(100))
