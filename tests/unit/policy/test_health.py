"""The circuit breaker: when it opens, how it is probed, and the ways in which others get stuck."""

from __future__ import annotations

from gateway.policy.health import Breaker, BreakerPolicy

POLICY = BreakerPolicy()


def opened(now: float, policy: BreakerPolicy = POLICY) -> Breaker:
    breaker = Breaker(policy)
    for _ in range(policy.consecutive_failures):
        breaker.failure(now)
    return breaker


def test_new_it_is_closed() -> None:
    breaker = Breaker(POLICY)
    assert breaker.allows(0.0)
    assert breaker.state(0.0) == "closed"
    assert breaker.retry_at == 0.0
    assert not breaker.begin(0.0)


def test_five_failures_in_a_row_open_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(4):
        breaker.failure(100.0)
    assert breaker.allows(100.0)
    breaker.failure(100.0)
    assert not breaker.allows(100.0)
    assert breaker.state(100.0) == "open"
    assert breaker.retry_at == 110.0


def test_a_success_between_starts_the_row_again() -> None:
    breaker = Breaker(POLICY)
    for _ in range(4):
        breaker.failure(100.0)
    breaker.success(100.0)
    for _ in range(4):
        breaker.failure(100.0)
    assert breaker.allows(100.0)


def test_a_ratio_over_the_limit_opens_it_once_there_are_enough_requests() -> None:
    breaker = Breaker(POLICY)
    for _ in range(9):
        breaker.success(100.0)
        breaker.failure(100.0)
    breaker.failure(100.0)
    assert breaker.allows(100.0), "19 requests are too few"
    breaker.failure(100.0)
    assert not breaker.allows(100.0), "11 of 20"


def test_a_ratio_at_the_limit_does_not_open_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(50):
        breaker.success(100.0)
        breaker.failure(100.0)
    assert breaker.allows(100.0)


def test_failures_older_than_the_window_do_not_count_for_the_ratio() -> None:
    breaker = Breaker(BreakerPolicy(consecutive_failures=1000))
    for _ in range(19):
        breaker.failure(100.0)
    breaker.failure(131.0)
    assert breaker.allows(131.0)


def test_after_the_open_time_one_attempt_is_the_probe() -> None:
    breaker = opened(100.0)
    assert not breaker.allows(109.999)
    assert breaker.allows(110.0)
    assert breaker.state(110.0) == "half-open"
    assert breaker.begin(110.0)
    assert not breaker.allows(110.0)
    assert not breaker.begin(110.0), "one probe at a time"
    assert breaker.state(110.0) == "half-open"


def test_asking_takes_no_probe() -> None:
    breaker = opened(100.0)
    assert breaker.allows(110.0)
    assert breaker.allows(110.0)


def test_a_good_probe_closes_it() -> None:
    breaker = opened(100.0)
    breaker.begin(110.0)
    breaker.success(111.0, probe=True)
    assert breaker.state(111.0) == "closed"
    assert breaker.retry_at == 0.0


def test_closed_again_it_needs_the_full_number_of_failures() -> None:
    breaker = opened(100.0)
    breaker.begin(110.0)
    breaker.success(111.0, probe=True)
    for _ in range(4):
        breaker.failure(112.0)
    assert breaker.allows(112.0)
    breaker.failure(112.0)
    assert breaker.retry_at == 122.0, "the open time starts anew"


def test_closed_again_the_ratio_is_of_new_requests_alone() -> None:
    breaker = Breaker(BreakerPolicy(consecutive_failures=1000, open_for=1.0))
    for _ in range(20):
        breaker.failure(100.0)
    assert breaker.begin(101.0)
    breaker.success(101.0, probe=True)
    for _ in range(9):
        breaker.success(102.0)
    for _ in range(10):
        breaker.failure(102.0)
    assert breaker.allows(102.0), "19 new requests are too few"
    breaker.failure(102.0)
    assert not breaker.allows(102.0), "11 of 20"


def test_failed_probes_double_the_open_time_up_to_the_longest() -> None:
    breaker = opened(0.0)
    lengths = []
    for _ in range(6):
        now = breaker.retry_at
        assert breaker.begin(now)
        breaker.failure(now, probe=True)
        lengths.append(breaker.retry_at - now)
    assert lengths == [20.0, 40.0, 80.0, 120.0, 120.0, 120.0]


def test_a_late_failure_does_not_lengthen_the_open_time() -> None:
    breaker = opened(100.0)
    breaker.failure(109.0)
    assert breaker.retry_at == 110.0
    assert breaker.allows(110.0)


def test_a_late_failure_while_half_open_neither_reopens_nor_takes_the_probe() -> None:
    breaker = opened(100.0)
    breaker.failure(112.0)
    assert breaker.allows(112.0)
    breaker.begin(112.0)
    breaker.failure(113.0)
    assert not breaker.allows(113.0), "the probe is still under way"
    breaker.success(114.0, probe=True)
    assert breaker.state(114.0) == "closed"


def test_a_late_success_within_the_open_time_changes_nothing() -> None:
    breaker = opened(100.0)
    breaker.success(105.0)
    assert breaker.state(105.0) == "open"
    assert breaker.retry_at == 110.0


def test_a_late_success_after_the_open_time_closes_it() -> None:
    breaker = opened(100.0)
    breaker.success(110.0)
    assert breaker.state(110.0) == "closed"


def test_an_abandoned_probe_frees_the_place_and_counts_for_nothing() -> None:
    breaker = opened(100.0)
    breaker.begin(110.0)
    breaker.abandon(111.0, probe=True)
    assert breaker.state(111.0) == "half-open"
    assert breaker.begin(111.0)


def test_an_abandoned_attempt_that_is_not_the_probe_leaves_the_probe_alone() -> None:
    breaker = opened(100.0)
    breaker.begin(110.0)
    breaker.abandon(111.0, probe=False)
    assert not breaker.allows(111.0)


def test_abandoned_attempts_neither_open_it_nor_break_a_row() -> None:
    breaker = Breaker(POLICY)
    for _ in range(4):
        breaker.failure(100.0)
        breaker.abandon(100.0, probe=False)
    assert breaker.allows(100.0)
    breaker.failure(100.0)
    assert not breaker.allows(100.0)


def test_a_probe_that_is_never_settled_is_given_up_after_the_longest_open_time() -> None:
    breaker = opened(100.0)
    breaker.begin(110.0)
    assert not breaker.allows(229.999)
    assert breaker.allows(230.0)
    assert breaker.begin(230.0)
    breaker.success(231.0, probe=True)
    assert breaker.state(231.0) == "closed"


def test_a_new_policy_applies_to_the_next_failure_and_keeps_the_open_time() -> None:
    breaker = opened(100.0)
    breaker.policy = BreakerPolicy(consecutive_failures=1, open_for=1.0)
    assert breaker.retry_at == 110.0
    breaker.success(110.0)
    breaker.failure(120.0)
    assert breaker.retry_at == 121.0


def test_an_equal_policy_keeps_what_was_counted() -> None:
    breaker = Breaker(POLICY)
    for _ in range(4):
        breaker.failure(100.0)
    breaker.policy = BreakerPolicy()
    breaker.failure(100.0)
    assert not breaker.allows(100.0)


def test_a_new_window_starts_counting_anew() -> None:
    breaker = Breaker(BreakerPolicy(consecutive_failures=1000))
    for _ in range(19):
        breaker.failure(100.0)
    breaker.policy = BreakerPolicy(consecutive_failures=1000, window=60.0)
    breaker.failure(100.0)
    assert breaker.allows(100.0)


def test_an_open_time_longer_than_the_longest_is_cut() -> None:
    assert opened(100.0, BreakerPolicy(open_for=300.0, max_open=60.0)).retry_at == 160.0


def test_somebody_may_close_it() -> None:
    breaker = opened(100.0)
    assert breaker.reset()
    assert breaker.state(100.0) == "closed"
    assert breaker.allows(100.0)
    assert not breaker.reset(), "it was closed already"
