"""What is done after a failed attempt.

Lives here: the failure table as data, the delay before a retry, and the budget that bounds how many there are. Must
not: look at an upstream's reply; adapters turn that into a FaultKind. Law: retries never exceed their share of the
requests, or the floor where the share is smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from gateway.core.errors import FaultKind
from gateway.policy.window import Window


class RetryPolicy(msgspec.Struct, frozen=True):
    """Delays in seconds. budget: retries as a share of requests. factor 1 makes the delay constant."""

    max_retries: int = 2
    min_delay: float = 0.1
    max_delay: float = 5.0
    factor: float = 2.0
    budget: float = 0.2
    content_policy_failover: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the failure table.

    another_target: another may be tried. same_target_if_alone: this one may, after a delay, when there is no other;
    once_if_alone: but only once. next_key: the target is tried first with another key of its pool. blame_breaker:
    counts as a failure of the target; after a 429, the caller also blames a target whose keys are all cooling.
    key: what happens to the key. larger_context: only targets with a larger context will do. exclude_target: this
    target is not tried again for the exchange, alone or not.
    """

    another_target: bool = False
    same_target_if_alone: bool = False
    once_if_alone: bool = False
    next_key: bool = False
    blame_breaker: bool = False
    key: Literal["none", "cool", "quarantine"] = "none"
    larger_context: bool = False
    exclude_target: bool = False

    @property
    def retries(self) -> bool:
        """Whether anything at all may be tried."""
        return self.another_target or self.same_target_if_alone or self.next_key


VERDICTS: Final[dict[FaultKind, Verdict]] = {
    "connect": Verdict(another_target=True, same_target_if_alone=True, blame_breaker=True),
    "silent": Verdict(another_target=True, exclude_target=True, blame_breaker=True),
    "rate-limited": Verdict(next_key=True, another_target=True, same_target_if_alone=True, key="cool"),
    # The provider refuses our key, not the request: when no other key is left, another target may well serve it.
    "unauthorized": Verdict(next_key=True, another_target=True, key="quarantine"),
    "unavailable": Verdict(another_target=True, same_target_if_alone=True, once_if_alone=True, blame_breaker=True),
    "context-length": Verdict(another_target=True, larger_context=True, exclude_target=True),
    "content-policy": Verdict(),
    "rejected": Verdict(),
    "cut": Verdict(blame_breaker=True),
    "stalled": Verdict(blame_breaker=True),
    "malformed": Verdict(blame_breaker=True),
    "deadline": Verdict(blame_breaker=True),
}
"""The failure table of the design, a row each. An error event at the head of a stream is the kind that its status
means, and a client that left is no fault: neither has a row."""

_CONTENT_POLICY_FAILOVER: Final = Verdict(another_target=True, exclude_target=True)


def verdict(kind: FaultKind, policy: RetryPolicy) -> Verdict:
    """What follows from a fault under a router's policy."""
    if kind == "content-policy" and policy.content_policy_failover:
        return _CONTENT_POLICY_FAILOVER
    return VERDICTS[kind]


def backoff(retry: int, policy: RetryPolicy, chance: Callable[[], float]) -> float:
    """Seconds to wait before a retry. retry: how many there were before it, 0 for the first.

    Uniform between 0 and a bound that grows from min_delay by `factor` up to max_delay (full jitter); exactly
    min_delay when factor is 1.
    """
    if policy.factor == 1:
        return min(policy.min_delay, policy.max_delay)
    try:
        bound = min(policy.min_delay * policy.factor**retry, policy.max_delay)
    except OverflowError:
        bound = policy.max_delay
    return bound * chance()


class RetryBudget:
    """Retries as a share of the requests of the last `window` seconds; `floor` of them are always allowed."""

    __slots__ = ("_floor", "_requests", "_retries", "ratio")

    def __init__(self, ratio: float, floor: int = 10, window: float = 10.0) -> None:
        self.ratio = ratio
        self._floor = floor
        self._requests = Window(window)
        self._retries = Window(window)

    def note_request(self, now: float) -> None:
        """Count an exchange, not its attempts."""
        self._requests.add(now)

    def spend(self, now: float) -> bool:
        """Whether a retry is allowed; if so, it is counted."""
        if self._retries.total(now) >= max(self._floor, self.ratio * self._requests.total(now)):
            return False
        self._retries.add(now)
        return True
