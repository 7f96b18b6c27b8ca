"""A token bucket in whole numbers: no drift, whatever the rate.

Lives here: how a bucket refills, what fits into it, how long until it does. Must not: know where buckets are kept, or
read a clock; times are whole microseconds that are handed in. The Lua scripts of the Redis store say the same, number
for number.

Law: capacity / period, reduced, is step / unit. A level is counted in 1/unit of a token, so a microsecond refills
exactly `step` and nothing is ever rounded. A bucket that nobody has touched, or that is full again, is no bucket: it
need not be kept. Lua's numbers are doubles, so whatever is added up here stays within 2**53.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
from msgspec.structs import force_setattr

LARGEST: Final = 2**51
"""The fullest level there may be: a level of minus that much, and three times it in between, are still exact."""


class Rate(msgspec.Struct, frozen=True, gc=False):
    """capacity: in units (requests, tokens, millionths of a dollar). period: microseconds in which an empty bucket
    fills.

    The rest follows, whatever is given for it. step: what a microsecond refills. unit: what one token is. full: the
    level of a full bucket, which is the least common multiple of the two. name: sets buckets of different rates
    apart, because their levels are in different units. ValueError when `problem_of` has a reason.
    """

    capacity: int
    period: int
    step: int = 0
    unit: int = 0
    full: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        problem = problem_of(self.capacity, self.period)
        if problem is not None:
            raise ValueError(problem)
        shared = math.gcd(self.capacity, self.period)
        force_setattr(self, "step", self.capacity // shared)
        force_setattr(self, "unit", self.period // shared)
        force_setattr(self, "full", self.capacity * (self.period // shared))
        force_setattr(self, "name", f"{self.capacity}/{self.period}")


def problem_of(capacity: int, period: int) -> str | None:
    """Why there can be no such rate, or None. Impossible are a capacity or period below 1, and those whose least common
    multiple is over 2**51: never while the product is below that (any capacity to 2.2 thousand million in a second, 37
    million in a minute, 625,000 in an hour, 26,000 in a day), and far above it for all round numbers."""
    if capacity < 1:
        return "the capacity must be at least 1"
    if period < 1:
        return "the time to refill must be at least a microsecond"
    if math.lcm(capacity, period) <= LARGEST:
        return None
    reason = f"{capacity} in {period / 1_000_000:g} s cannot be counted exactly"
    for digits in (6, 5, 4, 3, 2, 1):
        rounder = round(capacity, digits - len(str(capacity)))
        if 0 < rounder != capacity and math.lcm(rounder, period) <= LARGEST:
            return f"{reason}; {rounder} can"
    return f"{reason}: it is too much, or too long"


def refilled(rate: Rate, level: int, since: int, now: int) -> int:
    """The level at `now` of a bucket that had `level` at `since`. A clock that went back refills nothing; one that
    jumped ahead fills it, and no more."""
    if now <= since:
        return level
    elapsed = now - since
    # Twice: it may have been in debt by a whole capacity.
    if elapsed >= 2 * rate.period:
        return rate.full
    return min(rate.full, level + elapsed * rate.step)


def fits(rate: Rate, level: int, amount: int) -> bool:
    """Whether so many tokens (0 or more) can be taken. Of a bucket in debt nothing can, not even none."""
    return level >= amount * rate.unit


def settled(rate: Rate, level: int, returned: int) -> int:
    """The level after so many tokens came back; negative: were used beside what was taken. Never more than full, never
    a debt of more than a capacity."""
    return max(-rate.full, min(rate.full, level + returned * rate.unit))


def remaining(rate: Rate, level: int) -> int:
    """Whole tokens, 0 for a bucket in debt."""
    return level // rate.unit if level > 0 else 0


def until_full(rate: Rate, level: int) -> int:
    """Microseconds."""
    return -((level - rate.full) // rate.step)


def until_fits(rate: Rate, level: int, amount: int) -> int | None:
    """Microseconds, the very first at which it does; None when it never will."""
    if amount > rate.capacity:
        return None
    return max(0, -((level - amount * rate.unit) // rate.step))
