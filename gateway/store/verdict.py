"""What the levels of buckets mean for a check: the same words, whoever keeps the levels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gateway.policy.token_bucket import until_fits
from gateway.store.protocol import Decider, Grant, Standing, Take

_SECOND = 1_000_000


def verdict(takes: Sequence[Take], levels: Sequence[int], granted: bool, by: Decider) -> Grant:
    """levels: of each bucket at the time of the check, before anything was taken of it."""
    standings = []
    for take, level in zip(takes, levels, strict=True):
        rate = take.rate
        asked = take.amount * rate.unit
        if level >= asked:
            retry_after = 0.0
            if granted:
                level -= asked
        else:
            wait = until_fits(rate, level, take.amount)
            retry_after = math.inf if wait is None else wait / _SECOND
        whole = level // rate.unit if level > 0 else 0
        # As `until_full` has it.
        standings.append(Standing(whole, -((level - rate.full) // rate.step) / _SECOND, retry_after))
    return Grant(granted, tuple(standings), by)
