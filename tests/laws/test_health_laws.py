"""Laws of the circuit breaker: never stuck, one probe at a time, one thing said about its state."""

from __future__ import annotations

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.health import Breaker, BreakerPolicy

Event = Literal["begin", "success", "failure", "probe-success", "probe-failure", "abandon", "probe-abandon"]

EVENTS: tuple[Event, ...] = (
    "begin", "success", "failure", "probe-success", "probe-failure", "abandon", "probe-abandon",
)  # fmt: skip

policies = st.builds(
    BreakerPolicy,
    consecutive_failures=st.integers(1, 6),
    error_ratio=st.floats(0, 1),
    min_requests=st.integers(1, 30),
    window=st.floats(0, 100),
    open_for=st.floats(0, 100),
    max_open=st.floats(0, 200),
)
steps = st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 60)), max_size=60)


def tell(breaker: Breaker, event: Event, now: float) -> None:
    match event:
        case "begin":
            breaker.begin(now)
        case "success" | "probe-success":
            breaker.success(now, probe=event == "probe-success")
        case "failure" | "probe-failure":
            breaker.failure(now, probe=event == "probe-failure")
        case "abandon" | "probe-abandon":
            breaker.abandon(now, probe=event == "probe-abandon")


@given(policies, steps)
def test_whatever_happened_the_longest_open_time_later_it_may_be_tried(
    policy: BreakerPolicy, happened: list[tuple[Event, float]]
) -> None:
    breaker = Breaker(policy)
    now = 0.0
    for event, elapsed in happened:
        now += elapsed
        tell(breaker, event, now)
        assert breaker.retry_at <= now + policy.max_open
        assert breaker.allows(now + policy.max_open)


@given(policies, steps)
def test_state_retry_time_and_permission_agree(policy: BreakerPolicy, happened: list[tuple[Event, float]]) -> None:
    breaker = Breaker(policy)
    now = 0.0
    for event, elapsed in happened:
        now += elapsed
        tell(breaker, event, now)
        state = breaker.state(now)
        if state == "closed":
            assert breaker.allows(now)
            assert breaker.retry_at == 0.0
        elif state == "open":
            assert not breaker.allows(now)
            assert breaker.retry_at > now
        else:
            assert breaker.retry_at <= now


@given(policies, steps, st.integers(2, 10))
def test_of_attempts_at_one_moment_at_most_one_is_the_probe(
    policy: BreakerPolicy, happened: list[tuple[Event, float]], attempts: int
) -> None:
    breaker = Breaker(BreakerPolicy(max_open=policy.max_open + 1, open_for=policy.open_for, consecutive_failures=2))
    now = 0.0
    for event, elapsed in happened:
        now += elapsed
        tell(breaker, event, now)
        probes = [breaker.begin(now) for _ in range(attempts)]
        assert sum(probes) <= 1


@given(policies, st.floats(0, 1e6), st.lists(st.floats(0, 500), max_size=20))
def test_failures_from_before_it_opened_never_lengthen_the_open_time(
    policy: BreakerPolicy, now: float, later: list[float]
) -> None:
    breaker = Breaker(policy)
    for _ in range(policy.consecutive_failures):
        breaker.failure(now)
    retry_at = breaker.retry_at
    for elapsed in later:
        breaker.failure(now + elapsed)
        assert breaker.retry_at == retry_at


@given(policies, steps)
def test_a_success_at_a_time_when_it_may_be_tried_closes_it(
    policy: BreakerPolicy, happened: list[tuple[Event, float]]
) -> None:
    breaker = Breaker(policy)
    now = 0.0
    for event, elapsed in happened:
        now += elapsed
        tell(breaker, event, now)
    if breaker.allows(now):
        breaker.success(now)
        assert breaker.state(now) == "closed"
