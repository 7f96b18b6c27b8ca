"""A token bucket in whole numbers: no drift, whatever the rate."""

from __future__ import annotations

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """capacity: in units (requests, tokens, millionths of a dollar). period: microseconds in which an empty bucket
    fills."""

    capacity: int
    period: int
