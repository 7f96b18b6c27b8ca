"""Whether a config asks for money, and what says how much it is."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config import spec as sp
from gateway.config.buckets import buckets_of, listed
from gateway.pipeline.pricing import Pricing
from gateway.providers.prices import PriceBook
from gateway.runtime import Runtime


def pricing_for(spec: sp.Spec, runtime: Runtime, prices: PriceBook, *, recorded: bool) -> Pricing | None:
    """What prices exchanges; None where nobody wants to know. recorded: there are records that say what each has
    cost."""
    if recorded or _wants_money(spec):
        return Pricing(prices, runtime.estimator, runtime.metrics)
    return None


def _wants_money(spec: sp.Spec) -> bool:
    routes: list[sp.Policies] = [spec.global_, spec.unified_api, *spec.routers.values()]
    return (
        any(bucket.unit == "usd" for bucket in _buckets(spec, routes))
        # What a cache has saved is told of it.
        or any(policies.cache is not None for policies in routes)
    )


def _buckets(spec: sp.Spec, routes: list[sp.Policies]) -> Iterator[sp.Bucket]:
    for policies in routes:
        if policies.rate_limit is not None:
            for _, _, bucket in buckets_of(policies.rate_limit):
                yield bucket
    for key in spec.auth.keys:
        for _, bucket in listed(key.rate_limit):
            yield bucket
