"""The state of one target."""

from __future__ import annotations

from gateway.policy.health import BreakerPolicy
from gateway.policy.load import TargetLoad


def test_new_it_is_idle_untried_and_closed() -> None:
    load = TargetLoad()
    assert load.in_flight == 0
    assert not load.whole.tried
    assert not load.streamed.tried
    assert load.breaker.policy == BreakerPolicy()
    assert load.breaker.allows(0.0)


def test_the_breaker_has_the_policy_that_is_given() -> None:
    policy = BreakerPolicy(consecutive_failures=1)
    assert TargetLoad(policy).breaker.policy is policy


def test_whole_and_streamed_replies_are_estimated_apart() -> None:
    load = TargetLoad()
    load.whole.observe(9.0, 0.0)
    assert not load.streamed.tried
