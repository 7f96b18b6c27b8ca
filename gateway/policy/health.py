"""The circuit breaker of one target.

Lives here: when a target is left alone, and when it is tried again. Must not: know why an attempt failed; the failure
table in retry.py says what counts. Law: whatever happens, `max_open` seconds without a new failure are enough for the
target to be allowed again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.policy.window import Window

State = Literal["closed", "open", "half-open"]


class BreakerPolicy(msgspec.Struct, frozen=True):
    """Times in seconds. error_ratio: opens above this share, of at least min_requests in `window`."""

    consecutive_failures: int = 5
    error_ratio: float = 0.5
    min_requests: int = 20
    window: float = 30.0
    open_for: float = 10.0
    max_open: float = 120.0


class Breaker:
    """Closed, open until `retry_at`, then half-open: one probe at a time decides.

    retry_at: clock time at which a probe may be made, 0 when closed. It stays in the past while a probe is under way.
    """

    __slots__ = (
        "_answers", "_closed", "_failures", "_in_a_row", "_open_for", "_policy", "_probe_lost_at", "_probing",
        "retry_at",
    )  # fmt: skip

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._closed = True
        self._in_a_row = 0
        self._answers = Window(policy.window)
        self._failures = Window(policy.window)
        self._open_for = 0.0
        self._probing = False
        self._probe_lost_at = 0.0
        self.retry_at = 0.0

    @property
    def policy(self) -> BreakerPolicy:
        """May be replaced at any time; an open circuit keeps the time it was given."""
        return self._policy

    @policy.setter
    def policy(self, policy: BreakerPolicy) -> None:
        if policy.window != self._policy.window:
            self._answers = Window(policy.window)
            self._failures = Window(policy.window)
        self._policy = policy

    def allows(self, now: float) -> bool:
        """Whether an attempt may start."""
        return self._closed or (now >= self.retry_at and not (self._probing and now < self._probe_lost_at))

    def begin(self, now: float) -> bool:
        """Note that an attempt starts. True when it is the probe: say so when it is settled."""
        if self._closed or not self.allows(now):
            return False
        self._probing = True
        # A probe that nobody settles must not hold the only slot for ever.
        self._probe_lost_at = now + self._policy.max_open
        return True

    def success(self, now: float, probe: bool = False) -> None:
        """A good reply. Closes the circuit if it is the probe's, or if the open time is over."""
        if self._closed:
            self._in_a_row = 0
            self._answers.add(now)
        elif probe or now >= self.retry_at:
            self._close()

    def failure(self, now: float, probe: bool = False) -> None:
        """A failed attempt. Opens a closed circuit that has had enough, and reopens it if it is the probe's.

        Any other failure while the circuit is not closed is of an attempt from before: it tells nothing new.
        """
        if self._closed:
            self._in_a_row += 1
            self._answers.add(now)
            self._failures.add(now)
            if self._has_had_enough(now):
                self._open(now, self._policy.open_for)
        elif probe and self._probing:
            self._open(now, self._open_for * 2)

    def abandon(self, now: float, probe: bool) -> None:
        """An attempt that ended without telling anything of the target: the client left, or a limit of ours cut it."""
        if probe:
            self._probing = False

    def reset(self) -> bool:
        """Close the circuit, because somebody says so; whether it was not closed."""
        if self._closed:
            return False
        self._close()
        return True

    def state(self, now: float) -> State:
        if self._closed:
            return "closed"
        return "open" if now < self.retry_at else "half-open"

    def _has_had_enough(self, now: float) -> bool:
        policy = self._policy
        if self._in_a_row >= policy.consecutive_failures:
            return True
        answers = self._answers.total(now)
        return answers >= policy.min_requests and self._failures.total(now) > policy.error_ratio * answers

    def _open(self, now: float, seconds: float) -> None:
        self._closed = False
        self._probing = False
        self._open_for = min(seconds, self._policy.max_open)
        self.retry_at = now + self._open_for

    def _close(self) -> None:
        self._closed = True
        self._probing = False
        self._in_a_row = 0
        self._answers.clear()
        self._failures.clear()
        self.retry_at = 0.0
