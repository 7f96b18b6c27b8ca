"""From the limits of routers.yaml to the layers that keep them.

A part of assembly. Two layers at most stand on a route: what holds everywhere, in front of the cache, and what is the
route's own, behind it. What is not configured is not built.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.config import spec as sp
from gateway.config.buckets import buckets_of, listed, rate_of
from gateway.core.exchange import Exchange, Layer
from gateway.core.trace import ConfigPath
from gateway.core.usage import Usage
from gateway.pipeline.admit import Counting, admit
from gateway.pipeline.quote import Quotes
from gateway.policy.limits import Pricer, Rule, rule
from gateway.providers.prices import PriceBook
from gateway.runtime import Runtime
from gateway.store.protocol import LimitStore

GLOBAL_TAG: Final = "/global"
"""Names that no router can have are the hash tags of the other routes."""
UNIFIED_TAG: Final = "/ai"


class RouteLimits:
    """Makes the layers."""

    def __init__(self, spec: sp.Spec, runtime: Runtime, store: LimitStore, prices: PriceBook) -> None:
        self._counting = Counting(store, runtime.estimator, prices.cost, runtime.metrics, self._price_of)
        self._everywhere = _rules(spec.global_.rate_limit, GLOBAL_TAG, "all routes", ("global",))
        self._of_keys = {key.name: found for at, key in enumerate(spec.auth.keys) if (found := _rules_of_key(key, at))}
        routes: list[sp.Policies] = [spec.global_, spec.unified_api, *spec.routers.values()]
        self.by_credential: Final = spec.auth.mode != "keys" and any(
            policies.rate_limit is not None and policies.rate_limit.per_api_key is not None for policies in routes
        )
        """Whether callers are told apart by what they send in place of a gateway key."""
        self._prices = prices
        self._quotes: dict[str, Quotes] = {}

    def priced_by(self, router: str, quotes: Quotes) -> None:
        """Have a route's targets say what a model costs that is no vendor's own. router: as exchanges name it."""
        self._quotes[router] = quotes

    def _price_of(self, exchange: Exchange) -> Pricer:
        quotes = self._quotes.get(exchange.router)
        if quotes is None:
            return self._prices.cost

        def cost(provider: str, model: str, usage: Usage) -> int | None:
            own = self._prices.cost(provider, model, usage)
            return quotes.at(exchange, exchange.chosen, usage) if own is None else own

        return cost

    def everywhere(self) -> list[Layer]:
        """What holds on all routes, and of gateway keys: in front of the cache."""
        if not self._everywhere and not self._of_keys:
            return []
        return [admit(self._everywhere, self._counting, of_keys=self._of_keys)]

    def of_route(self, tag: str, place: str, limit: sp.RateLimit | None, path: ConfigPath = ()) -> list[Layer]:
        """What is a route's own: behind the cache. tag: how its buckets are named. place: the route in words. path: of
        the route in the config."""
        rules = _rules(limit, tag, place, path)
        return [admit(rules, self._counting)] if rules else []


def _rules(limit: sp.RateLimit | None, tag: str, place: str, path: ConfigPath) -> tuple[Rule, ...]:
    if limit is None:
        return ()
    return _distinct(
        rule(
            scope,
            bucket.unit,
            rate_of(bucket),
            shadow=limit.enforce == "shadow",
            tag=tag,
            place=place,
            period=bucket.refill_frequency,
            path=(*path, "rate-limit", *below),
        )
        for below, scope, bucket in buckets_of(limit)
    )


def _rules_of_key(key: sp.GatewayKey, at: int) -> tuple[Rule, ...]:
    return _distinct(
        rule(
            "gateway-key",
            bucket.unit,
            rate_of(bucket),
            shadow=False,
            tag=GLOBAL_TAG,
            place="all routes",
            period=bucket.refill_frequency,
            path=("auth", "keys", at, "rate-limit", *below),
        )
        for below, bucket in listed(key.rate_limit)
    )


def _distinct(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Without those that say the same twice: they would be one bucket."""
    return tuple({rule.prefix: rule for rule in rules}.values())
