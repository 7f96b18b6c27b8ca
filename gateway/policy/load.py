"""What is known of one target while the process lives.

Lives here: the state that outlives a config and is shared by every router that uses the target. Must not: belong to
one router, or hold anything that a config says except the breaker's policy.
"""

from __future__ import annotations

from gateway.policy.ewma import PeakEwma
from gateway.policy.health import Breaker, BreakerPolicy


class TargetLoad:
    """in_flight: attempts under way, of both kinds. whole: seconds to a complete reply. streamed: seconds to the
    first event of a stream."""

    __slots__ = ("breaker", "in_flight", "streamed", "whole")

    def __init__(self, policy: BreakerPolicy | None = None, decay: float = 30.0) -> None:
        self.in_flight = 0
        self.whole = PeakEwma(decay)
        self.streamed = PeakEwma(decay)
        self.breaker = Breaker(policy or BreakerPolicy())
