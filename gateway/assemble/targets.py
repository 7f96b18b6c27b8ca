"""From the lists of a config to targets, and to the handlers that choose among them and try them in turn.

A part of assembly. No layer is made here, and no path is known: routes.py puts these handlers together.
Law: equal lists share their targets, and what a target is known to do outlives the config.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from gateway.assemble.budgets import entries_for
from gateway.assemble.endpoints import Endpoints
from gateway.assemble.policies import carriage_of, limits_of, retries_of
from gateway.config import spec as sp
from gateway.core.exchange import Handler
from gateway.pipeline.candidates import Candidates, Entry, Reach
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.failover import Failover
from gateway.pipeline.key_limits import KeyLimits
from gateway.pipeline.preference import Preference
from gateway.pipeline.weighing import Weighing
from gateway.policy.balance import balancer_for, integer_weights, is_by_cost
from gateway.policy.load import TargetLoad
from gateway.policy.retry import RetryBudget
from gateway.providers.catalog import detect
from gateway.providers.prices import PriceBook
from gateway.runtime import Runtime


class RouteTargets:
    """Makes the targets of routes, and what stands before them. routed: the endpoints that routers list, each as often
    as it is listed."""

    def __init__(
        self, spec: sp.Spec, runtime: Runtime, endpoints: Endpoints, prices: PriceBook, key_limits: KeyLimits
    ) -> None:
        self._spec = spec
        self._runtime = runtime
        self._endpoints = endpoints
        self._prices = prices
        self._key_limits = key_limits
        self._policies = {name: endpoints.breaker_policy(name) for name in endpoints.by_name}
        self._made: dict[object, Candidates] = {}
        self._named: set[tuple[str, str]] = set()
        self.routed: list[Endpoint] = []

    def listed(self, balance: sp.Balance, route: sp.Router) -> Candidates:
        """The targets of a list in the config."""
        return self.among(self._entries(balance), route, "listed")

    def among(self, entries: Sequence[Entry], route: sp.Router, reach: Reach) -> Candidates:
        """The targets of a list. Routers with equal lists share them: they hold nothing of a router's own, and with a
        thousand routers asked in turn, what each has for itself is what the processor's caches have lost."""
        given = {**(self._spec.global_.model_mappings or {}), **(route.model_mappings or {})}
        mappings = {model: (to,) if isinstance(to, str) else to for model, to in given.items()}
        key = (tuple(entries), tuple(mappings.items()), reach)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Candidates(entries, mappings, self._owners, self._load_of, reach)
        return found

    def everybody(self, route: sp.Router) -> Candidates:
        """Every provider of the config, as far as it is known to have what is asked for."""
        entries = [
            Entry(endpoint, index, 1, 0, "", "") for index, endpoint in enumerate(self._endpoints.by_name.values())
        ]
        return self.among(entries, route, "known")

    def alone(self, endpoint: Endpoint, route: sp.Router) -> Candidates:
        """One provider, whatever it is asked for."""
        return self.among([Entry(endpoint, 0, 1, 0, "", "")], route, "direct")

    def having(self, model: str, usual: Candidates | None, route: sp.Router) -> Candidates | None:
        """Who answers with a model when a budget is exceeded; None where nobody can. usual: who does otherwise."""
        listed = usual.entries if usual is not None else ()
        entries = entries_for(model, listed, self._endpoints.by_name, self._owners)
        return self.among(entries, route, "listed") if entries else None

    def budget(self, route: sp.Router) -> RetryBudget:
        """The retries that a route may do, to be shared by its handlers."""
        return RetryBudget(retries_of(self._spec, route).budget)

    def handler(self, candidates: Candidates, strategy: sp.Strategy, route: sp.Router, budget: RetryBudget) -> Handler:
        """Chooses by the strategy, or by what the client wishes where the route optimizes for something."""
        wanted = route.optimize_for
        usual = self.by_strategy(candidates, strategy, route, budget)
        if wanted is None:
            return usual
        by_wish = {
            "cost": self.by_strategy(candidates, "cost", route, budget),
            "speed": self.by_strategy(candidates, "latency", route, budget),
        }
        return Preference(by_wish[wanted.default] if wanted.default else usual, by_wish)

    def by_strategy(
        self, candidates: Candidates, strategy: sp.Strategy, route: sp.Router, budget: RetryBudget
    ) -> Failover:
        """Chooses by the strategy, whatever anybody wishes."""
        size = max((entry.index for entry in candidates.entries), default=0) + 1
        return Failover(
            clock=self._runtime.clock,
            timers=self._runtime.timers,
            candidates=candidates,
            balancer=balancer_for(strategy, size),
            limits=limits_of(self._spec, route),
            retry=retries_of(self._spec, route),
            budget=budget,
            carriage=carriage_of(self._spec, route),
            key_limits=self._key_limits,
            strategy=strategy,
            prices=self._prices,
            weigh=Weighing(self._prices, self._runtime) if is_by_cost(strategy) else None,
        )

    def _owners(self, model: str) -> tuple[str, ...]:
        """The providers whose own a model name is: by the catalog, or because it names one itself. What is asked of a
        provider that a route does not list is not another vendor's to answer."""
        provider, slash, _ = model.partition("/")
        return detect(model) or ((provider,) if slash and provider in self._endpoints.by_name else ())

    def _load_of(self, endpoint: Endpoint, model: str) -> tuple[TargetLoad, str]:
        """The state of a target and its label. Names that nobody knows and no list has share one, because clients make
        them up."""
        label = ""
        if model:
            known = endpoint.find_model(model)
            named = model in endpoint.models or (endpoint.name, model) in self._named
            label = known.name if known is not None else model if named else "other"
        return self._runtime.load((endpoint.name, endpoint.origin, label), self._policies[endpoint.name]), label

    def _entries(self, balance: sp.Balance) -> list[Entry]:
        listed = [
            sp.Target(provider=item) if isinstance(item, str) else item
            for item in (balance.providers or ()) + (balance.models or ())
        ]
        weights = integer_weights([Decimal(str(t.weight)) if t.weight is not None else Decimal(1) for t in listed])
        entries: list[Entry] = []
        for index, (target, weight) in enumerate(zip(listed, weights, strict=True)):
            endpoint = self._endpoints.of(target)
            if endpoint is not None:
                self.routed.append(endpoint)
                model = target.model or target.provider.partition("/")[2]
                self._named.add((endpoint.name, model))
                entries.append(Entry(endpoint, index, weight, target.priority, model, target.region or ""))
        return entries
