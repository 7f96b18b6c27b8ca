"""Counting over a sliding window."""

from __future__ import annotations

from gateway.policy.window import Window


def test_events_count_until_the_window_has_passed() -> None:
    window = Window(10.0)
    window.add(100.0)
    window.add(105.0)
    assert window.total(109.9) == 2
    assert window.total(110.0) == 1
    assert window.total(115.0) == 0


def test_a_bucket_is_used_again_without_what_it_held() -> None:
    window = Window(10.0)
    window.add(100.0)
    window.add(110.0)
    assert window.total(110.0) == 1


def test_a_clock_that_starts_at_zero_counts() -> None:
    window = Window(10.0)
    assert window.total(0.0) == 0
    window.add(0.0)
    assert window.total(0.0) == 1


def test_cleared_it_is_empty() -> None:
    window = Window(10.0)
    window.add(100.0)
    window.clear()
    assert window.total(100.0) == 0


def test_no_length_of_window_divides_by_zero() -> None:
    window = Window(0.0)
    window.add(100.0)
    assert window.total(101.0) == 0
