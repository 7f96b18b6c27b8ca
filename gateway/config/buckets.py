"""The buckets of a config: where each stands, and the whole numbers that it is counted in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Final

from gateway.config.problem import Path
from gateway.config.spec import Bucket, KeyLimit, LimitCeilings, RateLimit
from gateway.core.units import seconds
from gateway.policy.key_room import request_rate, token_rate
from gateway.policy.limits import Scope
from gateway.policy.token_bucket import Rate

MICRO: Final = 1_000_000


def buckets_of(limit: RateLimit | LimitCeilings) -> Iterator[tuple[Path, Scope, Bucket]]:
    """Each bucket, with its path below `rate-limit`."""
    given: tuple[tuple[Scope, Bucket | tuple[Bucket, ...] | None], ...] = (
        ("per-api-key", limit.per_api_key),
        ("per-team", limit.per_team),
        ("per-end-user", limit.per_end_user),
        ("total", limit.total),
    )
    for scope, one_or_more in given:
        for path, bucket in listed(one_or_more):
            yield (scope, *path), scope, bucket


def listed(one_or_more: Bucket | tuple[Bucket, ...] | None) -> Iterator[tuple[Path, Bucket]]:
    """A bucket by itself, or those of a list by their places."""
    if isinstance(one_or_more, Bucket):
        yield (), one_or_more
    elif one_or_more is not None:
        for index, bucket in enumerate(one_or_more):
            yield (index,), bucket


def capacity_of(bucket: Bucket) -> int | None:
    """In requests, tokens, or millionths of a dollar; None where that is no whole number."""
    if not math.isfinite(bucket.capacity):
        return None
    counted = Decimal(str(bucket.capacity)) * (MICRO if bucket.unit == "usd" else 1)
    return int(counted) if counted == int(counted) else None


def period_of(bucket: Bucket) -> int:
    """In microseconds."""
    return round(seconds(bucket.refill_frequency) * MICRO)


def rate_of(bucket: Bucket) -> Rate:
    """Of a bucket that was checked."""
    capacity = capacity_of(bucket)
    assert capacity is not None
    return Rate(capacity, period_of(bucket))


def key_rates(limit: KeyLimit) -> Iterator[tuple[str, Callable[[], Rate]]]:
    """What a provider's key may do: the setting, and what makes its rate or raises ValueError."""
    if limit.requests_per_minute is not None:
        yield "requests-per-minute", partial(request_rate, limit.requests_per_minute)
    if limit.tokens_per_minute is not None:
        yield "tokens-per-minute", partial(token_rate, limit.tokens_per_minute)
