"""The latency estimate: peaks, decay, and what a failure may do to it."""

from __future__ import annotations

import math

from gateway.policy.ewma import UNKNOWN_INTERVAL, PeakEwma


def test_without_a_sample_it_is_untried_and_zero() -> None:
    latency = PeakEwma()
    assert not latency.tried
    assert latency.value(1000.0) == 0.0


def test_the_first_sample_is_taken_as_it_is() -> None:
    latency = PeakEwma()
    latency.observe(0.4, 1000.0)
    assert latency.tried
    assert latency.value(1000.0) == 0.4


def test_a_worse_sample_counts_at_once() -> None:
    latency = PeakEwma()
    latency.observe(0.1, 0.0)
    latency.observe(3.0, 0.001)
    assert latency.value(0.001) == 3.0


def test_a_better_sample_counts_by_the_time_since_the_last() -> None:
    latency = PeakEwma(decay=30.0)
    latency.observe(2.0, 0.0)
    latency.observe(1.0, 30.0)
    assert latency.value(30.0) == 1.0 + (2.0 - 1.0) * math.exp(-1)


def test_better_samples_at_one_moment_change_nothing() -> None:
    latency = PeakEwma()
    latency.observe(2.0, 5.0)
    for _ in range(100):
        latency.observe(0.001, 5.0)
    assert latency.value(5.0) == 2.0


def test_rounding_does_not_lift_the_estimate_over_its_samples() -> None:
    latency = PeakEwma()
    latency.observe(524289.6214657057, 0.0)
    latency.observe(1.5465002513374202, 0.0)
    assert latency.value(0.0) == 524289.6214657057


def test_in_silence_it_falls_by_e_in_each_decay_time() -> None:
    latency = PeakEwma(decay=10.0)
    latency.observe(8.0, 100.0)
    assert latency.value(110.0) == 8.0 * math.exp(-1)
    assert latency.value(120.0) == 8.0 * math.exp(-2)


def test_reading_changes_nothing() -> None:
    latency = PeakEwma()
    latency.observe(1.0, 0.0)
    latency.value(500.0)
    assert latency.value(0.0) == 1.0


def test_a_time_before_the_last_sample_is_that_sample_s_time() -> None:
    latency = PeakEwma()
    latency.observe(1.0, 100.0)
    latency.observe(0.5, 90.0)
    assert latency.value(80.0) == 1.0


def test_a_quick_failure_makes_nothing_faster() -> None:
    latency = PeakEwma()
    latency.observe(2.0, 0.0)
    latency.penalise(0.001, 60.0)
    assert latency.value(60.0) == 2.0


def test_a_slow_failure_is_a_peak() -> None:
    latency = PeakEwma()
    latency.observe(2.0, 0.0)
    latency.penalise(30.0, 30.0)
    assert latency.value(30.0) == 30.0


def test_a_failure_leaves_an_untried_target_untried_and_postpones_its_next_offer() -> None:
    latency = PeakEwma(decay=30.0)
    latency.penalise(0.001, 100.0)
    assert not latency.tried
    assert latency.next_offer == 130.0


def test_an_offer_postpones_the_next_one() -> None:
    latency = PeakEwma()
    latency.offer(100.0)
    assert latency.next_offer == 100.0 + UNKNOWN_INTERVAL
