"""From named routers, the unified API and single providers to handlers: what stands on each route, and in which order.

A part of assembly. Targets are made in targets.py and each layer in a module of its own; on which paths a route is
served is said in house.py.
Law: a layer that a route does not need is not on it, and every kind of route has its layers in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from gateway.assemble.audit import captures
from gateway.assemble.budgets import RouteBudgets
from gateway.assemble.caches import RouteCaches
from gateway.assemble.limits import UNIFIED_TAG, RouteLimits
from gateway.assemble.pricing import preferences
from gateway.assemble.targets import RouteTargets
from gateway.assemble.virtual import VirtualRoute
from gateway.config import spec as sp
from gateway.config.virtual import policies_of
from gateway.core.access import Access
from gateway.core.exchange import GROUP_OF, Group, Handler, Layer, stack
from gateway.core.trace import ConfigPath
from gateway.pipeline.budgeted import CHEAPEST, downgrade_to
from gateway.pipeline.candidates import Candidates
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.quote import Quotes
from gateway.pipeline.route import Route
from gateway.pipeline.virtual import choose, going_there
from gateway.providers.prices import PriceBook
from gateway.runtime import Runtime

_UNIFIED_GROUPS: Final[Sequence[Group]] = ("chat", "embeddings", "images", "audio", "moderations", "rerank")


_Made: TypeAlias = Sequence[tuple[Group, Candidates, sp.Strategy]]


class _Place(msgspec.Struct, frozen=True):
    """Where a route is. path: in the config. name: of its buckets, its cache and its budget. title: in errors. limited:
    what its limits are told to be of. names: as exchanges have it."""

    path: ConfigPath
    name: str
    title: str
    limited: str
    names: tuple[str, ...]


class Routes:
    """Makes the handlers of routes. everywhere: the layers in front of all of them. splits: some rule tells callers
    apart."""

    def __init__(
        self,
        spec: sp.Spec,
        runtime: Runtime,
        prices: PriceBook,
        everywhere: Sequence[Layer],
        targets: RouteTargets,
        limits: RouteLimits,
        caches: RouteCaches,
        budgets: RouteBudgets,
    ) -> None:
        self._spec = spec
        self._runtime = runtime
        self._prices = prices
        self._everywhere = everywhere
        self._targets = targets
        self._limits = limits
        self._caches = caches
        self._budgets = budgets
        self._virtual = {path: VirtualRoute(spec, path, policies) for path, policies in policies_of(spec)}
        self.splits: Final = any(route.splits for route in self._virtual.values())

    def named(self, name: str, router: sp.Router) -> Handler:
        """A router of the config."""
        made = self._listed(router)
        place = _Place(("routers", name), name, f"Router {name!r}", f"router {name!r}", (name,))
        return self._route(place, router, made, made)

    def unified(self) -> Handler:
        """/ai and /v1: the lists of `unified-api`, or every provider where it has none."""
        router = self._spec.unified_api
        if router.load_balance is not None:
            made = self._listed(router)
        else:
            known = self._targets.everybody(router)
            made = [(group, known, "latency") for group in _UNIFIED_GROUPS]
        place = _Place(("unified-api",), UNIFIED_TAG, "/ai", "/ai and /v1", (UNIFIED_TAG, "/v1"))
        return self._route(place, router, made, made[:1])

    def direct(self, endpoint: Endpoint) -> Handler:
        """One provider: only what holds for all routes."""
        policies = sp.Router()
        candidates = self._targets.alone(endpoint, policies)
        handler = self._targets.handler(candidates, "priority", policies, self._targets.budget(policies))
        place = f"/{endpoint.name}"
        groups = dict.fromkeys(GROUP_OF.values(), candidates)
        route = Route(place, dict.fromkeys(GROUP_OF.values(), handler), _lister([candidates], policies), own_list=True)
        layers = [
            *self._everywhere,
            *captures(self._spec, None),
            *self._caches.of_route(place, None),
            *self._budgets.of_route(place, self._quoted((place,), groups, {})),
        ]
        return stack(layers, route)

    def _listed(self, router: sp.Router) -> _Made:
        groups: Sequence[Group] = (*_UNIFIED_GROUPS, "default")
        balances = [(group, getattr(router.load_balance, group, None)) for group in groups]
        return [
            (group, self._targets.listed(balance, router), balance.strategy)
            for group, balance in balances
            if balance is not None
        ]

    def _route(self, place: _Place, router: sp.Router, made: _Made, shown: _Made) -> Handler:
        """The route, and beside it the lists that its rules choose from, and those that answer when a budget is
        exceeded; all of them behind its layers. shown: whose models it lists."""
        targets = self._targets
        budget = targets.budget(router)
        virtual = self._virtual[place.path]
        groups = {group: candidates for group, candidates, _ in made}
        route: Handler = Route(
            place.title,
            {group: targets.handler(candidates, strategy, router, budget) for group, candidates, strategy in made},
            _lister([candidates for _, candidates, _ in shown], router, virtual.models),
        )
        chosen: dict[str, Candidates] = {}
        handlers: dict[str, Handler] = {}
        for key, balance in virtual.balances.items():
            chosen[key] = targets.listed(balance, router)
            handlers[key] = targets.handler(chosen[key], balance.strategy, router, budget)
        usual = groups.get("chat") or groups.get("default")
        for model in self._budgets.downgrades(place.name):
            key = downgrade_to(model)
            if model == CHEAPEST and usual is not None:
                chosen[key], handlers[key] = usual, targets.by_strategy(usual, "cost", router, budget)
            elif model != CHEAPEST and (having := targets.having(model, usual, router)) is not None:
                chosen[key], handlers[key] = having, targets.handler(having, "priority", router, budget)
        layers = [
            *self._everywhere,
            *captures(self._spec, router),
            *preferences(router),
            *self._choices(place.path, place.name),
            *self._caches.of_route(place.name, router.cache),
            *self._limits.of_route(place.name, place.limited, router.rate_limit, place.path),
            *self._budgets.of_route(place.name, self._quoted(place.names, groups, chosen)),
        ]
        return stack(layers, going_there(handlers, route) if handlers else route)

    def _choices(self, path: ConfigPath, name: str) -> list[Layer]:
        """The layer of a route with virtual models."""
        virtual = self._virtual[path]
        if not virtual.models:
            return []
        count = self._runtime.metrics.count_rule
        budget_left = self._budgets.left(name)
        return [choose(virtual.models, self._prices.cost, count, images=virtual.images, budget_left=budget_left)]

    def _quoted(
        self, names: Sequence[str], groups: Mapping[Group, Candidates], chosen: Mapping[str, Candidates]
    ) -> Quotes:
        """What requests may cost at a route's targets: for its budgets, and for limits in dollars."""
        quotes = Quotes(groups, chosen, self._runtime.estimator, self._prices)
        for name in names:
            self._limits.priced_by(name, quotes)
        return quotes


def _lister(
    listed: Sequence[Candidates], router: sp.Router, virtual: Collection[str] = ()
) -> Callable[[Access | None], Mapping[str, str]]:
    """The models of a route: what its providers with keys are known to have, the names it maps and its virtual models,
    less what the caller may not use."""

    def models(access: Access | None) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for candidates in listed:
            for entry in candidates.entries:
                if len(entry.endpoint.pool) and (access is None or access.admits_provider(entry.endpoint.name)):
                    names = (entry.model,) if entry.model else entry.endpoint.models
                    for name in names:
                        found.setdefault(name, entry.endpoint.name)
        for name in (*virtual, *(router.model_mappings or {})):
            found.setdefault(name, "router-gateway")
        return found if access is None else {n: owner for n, owner in found.items() if access.admits_model(n)}

    return models
