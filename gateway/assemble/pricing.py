"""Whether a config asks for money, and what says how much it is."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway.assemble.budgets import wants_money
from gateway.assemble.endpoints import is_free
from gateway.config import spec as sp
from gateway.config.buckets import buckets_of, listed
from gateway.core.exchange import Layer
from gateway.pipeline.preference import prefer
from gateway.pipeline.pricing import Pricing
from gateway.providers.prices import PriceBook
from gateway.runtime import Runtime


def pricing_for(spec: sp.Spec, runtime: Runtime, prices: PriceBook, *, recorded: bool) -> Pricing | None:
    """What prices exchanges; None where nobody wants to know. recorded: there are records that say what each has
    cost."""
    if recorded or wants_money(spec) or _shows_money(spec):
        return Pricing(prices, runtime.estimator, runtime.metrics, runtime.log)
    return None


def preferences(router: sp.Router) -> list[Layer]:
    """What reads a client's wish, where the router lets it have one."""
    wanted = router.optimize_for
    return [] if wanted is None else [prefer(wanted.allow)]


def _shows_money(spec: sp.Spec) -> bool:
    """Whether something else than a quota or a budget is told in money."""
    routes: list[sp.Policies] = [spec.global_, spec.unified_api, *spec.routers.values()]
    return (
        spec.prices is not None
        or any(is_free(key) for key in _keys(spec))
        or any(bucket.unit == "usd" for bucket in _buckets(spec, routes))
        # What a cache has saved is told of it.
        or any(policies.cache is not None for policies in routes)
    )


def _keys(spec: sp.Spec) -> Iterator[sp.ProviderKey | str]:
    for tuned in spec.providers.values():
        yield from tuned.keys if tuned is not None else ()
    for router in (spec.unified_api, *spec.routers.values()):
        for balance in () if router.load_balance is None else msgspec.structs.astuple(router.load_balance):
            for target in () if balance is None else (*(balance.providers or ()), *(balance.models or ())):
                yield from target.keys if isinstance(target, sp.Target) else ()


def _buckets(spec: sp.Spec, routes: list[sp.Policies]) -> Iterator[sp.Bucket]:
    for policies in routes:
        if policies.rate_limit is not None:
            for _, _, bucket in buckets_of(policies.rate_limit):
                yield bucket
    for key in spec.auth.keys:
        for _, bucket in listed(key.rate_limit):
            yield bucket
