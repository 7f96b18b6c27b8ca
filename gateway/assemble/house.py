"""From a spec to a house: every route with its layers, every mount with its routes.

Everything that a request needs is built here, once for each config, so that the path of a request
has look-ups and no interpretation. What is not configured is not built.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec

from gateway.assemble.access import explains, gate_of
from gateway.assemble.audit import captures
from gateway.assemble.budgets import RouteBudgets, entries_for, ledger_of
from gateway.assemble.caches import RouteCaches
from gateway.assemble.endpoints import Endpoints
from gateway.assemble.ledger import ledger_layers
from gateway.assemble.limits import UNIFIED_TAG, RouteLimits
from gateway.assemble.pricing import preferences, pricing_for
from gateway.assemble.sinks import sinks_for
from gateway.assemble.stores import stores_for
from gateway.assemble.traces import trace_layers
from gateway.assemble.virtual import VirtualRoute
from gateway.config import spec as sp
from gateway.config.price_book import price_book
from gateway.config.virtual import policies_of
from gateway.core.access import Access
from gateway.core.errors import GatewayError
from gateway.core.exchange import GROUP_OF, Exchange, Group, Handler, Layer, stack
from gateway.core.trace import ConfigPath
from gateway.core.units import seconds, size_in_bytes
from gateway.ingress.edge import Edge
from gateway.ingress.mounts import RouteApp, Table
from gateway.pipeline.accounts import Accounts, Ledger
from gateway.pipeline.authenticate import authenticate
from gateway.pipeline.budgeted import CHEAPEST, downgrade_to
from gateway.pipeline.candidates import Candidates, Entry, Reach
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.failover import Failover
from gateway.pipeline.key_limits import KeyLimits
from gateway.pipeline.preference import Preference
from gateway.pipeline.quote import Quotes
from gateway.pipeline.recorder import Recorder
from gateway.pipeline.route import Route
from gateway.pipeline.settings import Carriage, Limits
from gateway.pipeline.settlement import Settlement
from gateway.pipeline.virtual import choose, going_there
from gateway.pipeline.weighing import Weighing
from gateway.policy.balance import balancer_for, integer_weights, is_by_cost
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.policy.networks import Networks
from gateway.policy.retry import RetryBudget, RetryPolicy
from gateway.providers.catalog import detect
from gateway.runtime import Runtime
from gateway.store.stores import Stores
from gateway.telemetry.sinks import Sinks

_UNIFIED_GROUPS: Sequence[Group] = ("chat", "embeddings", "images", "audio", "moderations", "rerank")


class House(msgspec.Struct, frozen=True, eq=False):
    """One config, built: what is served and what it is made of. pools: the key pools, by the name under which the
    next config finds them. endpoints: by provider. routed: those that the routers list.
    stores: shared state, and sinks: where records go; opened by whoever takes the house in use. cache_sizes: bytes that
    each route's cache may hold in memory. accounts: of quotas and budgets, None where there are none."""

    table: Table
    pools: dict[str, KeyPool]
    endpoints: Mapping[str, Endpoint]
    routed: tuple[Endpoint, ...]
    stores: Stores
    sinks: Sinks
    accounts: Accounts | None
    cache_sizes: Mapping[str, int]
    spec: sp.Spec
    hash: str


def assemble(
    spec: sp.Spec, config_hash: str, runtime: Runtime, env: Mapping[str, str], ledger: Ledger | None = None
) -> House:
    """Build everything that a checked spec describes. Shares nothing with an earlier house but the runtime. ledger:
    asked for balances in place of the config's own."""
    return _Assembly(spec, config_hash, runtime, env, ledger).house()


class _Assembly:
    def __init__(
        self, spec: sp.Spec, config_hash: str, runtime: Runtime, env: Mapping[str, str], ledger: Ledger | None
    ) -> None:
        self._spec = spec
        self._hash = config_hash
        self._runtime = runtime
        self._stores = stores_for(spec.store, runtime)
        self._endpoints = Endpoints(spec, runtime, env)
        self._prices = price_book(spec)
        self._rate_limits = RouteLimits(spec, runtime, self._stores.limits, self._prices)
        self._key_limits = KeyLimits(self._stores.limits, runtime.estimator, runtime.clock.monotonic)
        self._sinks = sinks_for(spec, runtime)
        record = Recorder(list(self._sinks), config_hash, runtime.estimator, runtime.log) if len(self._sinks) else None
        price = pricing_for(spec, runtime, self._prices, recorded=record is not None)
        self._settle = Settlement(runtime.clock.monotonic, runtime.metrics, record, price)
        self._caches = RouteCaches(spec, runtime, self._stores, self._settle)
        self._budgets = RouteBudgets(spec, runtime, self._stores, ledger or ledger_of(self._sinks))
        self._targets: dict[ConfigPath, tuple[dict[Group, Candidates], dict[str, Candidates]]] = {}
        self._policies = {name: self._endpoints.breaker_policy(name) for name in self._endpoints.by_name}
        self._routed: list[Endpoint] = []
        self._made: dict[object, Candidates] = {}
        self._named: set[tuple[str, str]] = set()
        self._virtual = {path: VirtualRoute(spec, path, policies) for path, policies in policies_of(spec)}

    def house(self) -> House:
        server = self._spec.server
        layers: list[Layer] = []
        stranger: Callable[[Exchange], GatewayError | None] | None = None
        if self._spec.auth.mode == "keys":
            gate = gate_of(self._spec.auth, self._endpoints.by_name, self._runtime, self._stores.nonces)
            stranger = gate.stranger
            layers.append(authenticate(gate))
        authenticated = bool(layers)
        layers[:0] = trace_layers(self._sinks)
        layers += ledger_layers(self._spec, self._sinks)
        layers += self._rate_limits.everywhere()
        edge = Edge(
            self._runtime,
            max_body=size_in_bytes(server.max_body_size),
            max_header=size_in_bytes(server.max_header_size),
            body_timeout=seconds(server.body_timeout),
            log_requests=server.logging.requests,
            authenticated=authenticated
            or self._rate_limits.by_credential
            or self._caches.by_credential
            or any(route.splits for route in self._virtual.values()),
            config=self._hash,
            proxies=Networks(server.trusted_proxies) if server.trusted_proxies else None,
            stranger=stranger,
            explains=explains(self._spec),
            keyed=authenticated,
            settle=self._settle,
        )
        routers: dict[bytes, RouteApp] = {}
        handlers: dict[str, tuple[Handler, bool]] = {}
        for name, router in self._spec.routers.items():
            own = self._rate_limits.of_route(name, f"router {name!r}", router.rate_limit, ("routers", name))
            kept = self._caches.of_route(name, router.cache)
            path: ConfigPath = ("routers", name)
            inner = self._router(name, router)
            money = self._budgets.of_route(name, self._quoted((name,), *self._targets[path]))
            choices = self._choices(path, name)
            handler = stack(
                [*layers, *captures(self._spec, router), *preferences(router), *choices, *kept, *own, *money], inner
            )
            finish = self._finishes(router)
            handlers[name] = handler, finish
            routers[name.encode()] = RouteApp(edge, name, handler, len("/router/") + len(name), finish=finish)
        limit = self._spec.unified_api.rate_limit
        own = self._rate_limits.of_route(UNIFIED_TAG, "/ai and /v1", limit, ("unified-api",))
        kept = self._caches.of_route(UNIFIED_TAG, self._spec.unified_api.cache)
        inner = self._unified()
        unified = stack(
            [
                *layers,
                *captures(self._spec, self._spec.unified_api),
                *preferences(self._spec.unified_api),
                *self._choices(("unified-api",), UNIFIED_TAG),
                *kept,
                *own,
                *self._budgets.of_route(
                    UNIFIED_TAG, self._quoted((UNIFIED_TAG, "/v1"), *self._targets[("unified-api",)])
                ),
            ],
            inner,
        )
        finish = self._finishes(self._spec.unified_api)
        named = self._spec.default_router
        at_root, root_finish = handlers[named] if named else (unified, finish)
        direct_finish = self._finishes(sp.Router())
        direct_captures = captures(self._spec, None)
        table = Table(
            edge,
            routers,
            {
                name.encode(): RouteApp(
                    edge,
                    f"/{name}",
                    self._direct(endpoint, [*layers, *direct_captures]),
                    1 + len(name),
                    finish=direct_finish,
                )
                for name, endpoint in self._endpoints.by_name.items()
            },
            RouteApp(edge, "/ai", unified, len("/ai"), finish=finish),
            RouteApp(edge, named or "/v1", at_root, 0, finish=root_finish),
        )
        return House(
            table,
            self._endpoints.pools,
            self._endpoints.by_name,
            tuple(self._routed),
            self._stores,
            self._sinks,
            self._budgets.accounts,
            self._caches.sizes,
            self._spec,
            self._hash,
        )

    def _router(self, name: str, router: sp.Router) -> Handler:
        budget = self._budget(router)
        handlers: dict[Group, Handler] = {}
        listed: list[Candidates] = []
        for group, balance in _balances(router.load_balance):
            candidates = self._candidates(self._entries(balance), router, "listed")
            listed.append(candidates)
            handlers[group] = self._failover(candidates, balance.strategy, router, budget)
        path: ConfigPath = ("routers", name)
        self._targets[path] = dict(zip(handlers, listed, strict=True)), {}
        route = Route(f"Router {name!r}", handlers, self._lister(listed, router, self._virtual[path].models))
        return self._with_chosen(path, name, route, router, budget)

    def _unified(self) -> Handler:
        router = self._spec.unified_api
        budget = self._budget(router)
        if router.load_balance is not None:
            balances = _balances(router.load_balance)
            made = [
                (group, self._candidates(self._entries(balance), router, "listed"), balance.strategy)
                for group, balance in balances
            ]
        else:
            entries = [
                Entry(endpoint, index, 1, 0, "", "") for index, endpoint in enumerate(self._endpoints.by_name.values())
            ]
            known = self._candidates(entries, router, "known")
            made = [(group, known, "latency") for group in _UNIFIED_GROUPS]
        handlers: dict[Group, Handler] = {
            group: self._failover(candidates, strategy, router, budget) for group, candidates, strategy in made
        }
        path: ConfigPath = ("unified-api",)
        self._targets[path] = {group: candidates for group, candidates, _ in made}, {}
        listed = [made[0][1]] if made else []
        route = Route("/ai", handlers, self._lister(listed, router, self._virtual[path].models))
        return self._with_chosen(path, UNIFIED_TAG, route, router, budget)

    def _choices(self, path: ConfigPath, name: str) -> list[Layer]:
        """The layer of a route with virtual models."""
        virtual = self._virtual[path]
        if not virtual.models:
            return []
        count = self._runtime.metrics.count_rule
        budget_left = self._budgets.left(name)
        return [choose(virtual.models, self._prices.cost, count, images=virtual.images, budget_left=budget_left)]

    def _with_chosen(
        self, path: ConfigPath, name: str, route: Handler, router: sp.Router, budget: RetryBudget
    ) -> Handler:
        """The route, and beside it the lists that its rules choose from, and those that answer when a budget is
        exceeded."""
        groups, chosen = self._targets[path]
        handlers: dict[str, Handler] = {}
        for key, balance in self._virtual[path].balances.items():
            chosen[key] = self._candidates(self._entries(balance), router, "listed")
            handlers[key] = self._failover(chosen[key], balance.strategy, router, budget)
        listed = groups.get("chat") or groups.get("default")
        for model in self._budgets.downgrades(name):
            if model == CHEAPEST:
                if listed is not None:
                    chosen[downgrade_to(model)] = listed
                    handlers[downgrade_to(model)] = self._by_strategy(listed, "cost", router, budget)
                continue
            entries = entries_for(
                model, listed.entries if listed is not None else (), self._endpoints.by_name, self._owners
            )
            if entries:
                key = downgrade_to(model)
                chosen[key] = self._candidates(entries, router, "listed")
                handlers[key] = self._failover(chosen[key], "priority", router, budget)
        return going_there(handlers, route) if handlers else route

    def _direct(self, endpoint: Endpoint, layers: Sequence[Layer]) -> Handler:
        policies = sp.Router()
        candidates = self._candidates([Entry(endpoint, 0, 1, 0, "", "")], policies, "direct")
        handler = self._failover(candidates, "priority", policies, self._budget(policies))
        place = f"/{endpoint.name}"
        route = Route(
            place,
            dict.fromkeys(GROUP_OF.values(), handler),
            self._lister([candidates], policies),
            own_list=True,
        )
        money = self._budgets.of_route(place, self._quoted((place,), dict.fromkeys(GROUP_OF.values(), candidates), {}))
        return stack([*layers, *self._caches.of_route(place, None), *money], route)

    def _quoted(
        self, names: Sequence[str], groups: Mapping[Group, Candidates], chosen: Mapping[str, Candidates]
    ) -> Quotes:
        """What requests may cost at a route's targets: for its budgets, and for limits in dollars. names: of the route,
        as exchanges have them. groups: its targets, and chosen: the lists beside them."""
        quotes = Quotes(groups, chosen, self._runtime.estimator, self._prices)
        for name in names:
            self._rate_limits.priced_by(name, quotes)
        return quotes

    def _candidates(self, entries: Sequence[Entry], router: sp.Router, reach: Reach) -> Candidates:
        """The targets of a list. Routers with equal lists share them: they hold nothing of a router's own, and with a
        thousand routers asked in turn, what each has for itself is what the processor's caches have lost."""
        given = {**(self._spec.global_.model_mappings or {}), **(router.model_mappings or {})}
        mappings = {model: (to,) if isinstance(to, str) else to for model, to in given.items()}
        key = (tuple(entries), tuple(mappings.items()), reach)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Candidates(entries, mappings, self._owners, self._load_of, reach)
        return found

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
                self._routed.append(endpoint)
                model = target.model or target.provider.partition("/")[2]
                self._named.add((endpoint.name, model))
                entries.append(Entry(endpoint, index, weight, target.priority, model, target.region or ""))
        return entries

    def _failover(
        self, candidates: Candidates, strategy: sp.Strategy, router: sp.Router, budget: RetryBudget
    ) -> Handler:
        wanted = router.optimize_for
        usual = self._by_strategy(candidates, strategy, router, budget)
        if wanted is None:
            return usual
        by_wish = {
            "cost": self._by_strategy(candidates, "cost", router, budget),
            "speed": self._by_strategy(candidates, "latency", router, budget),
        }
        return Preference(by_wish[wanted.default] if wanted.default else usual, by_wish)

    def _by_strategy(
        self, candidates: Candidates, strategy: sp.Strategy, router: sp.Router, budget: RetryBudget
    ) -> Failover:
        size = max((entry.index for entry in candidates.entries), default=0) + 1
        return Failover(
            clock=self._runtime.clock,
            candidates=candidates,
            balancer=balancer_for(strategy, size),
            limits=self._limits(router),
            retry=self._retry(router),
            budget=budget,
            carriage=self._carriage(router),
            key_limits=self._key_limits,
            strategy=strategy,
            prices=self._prices,
            weigh=Weighing(self._prices, self._runtime) if is_by_cost(strategy) else None,
        )

    def _limits(self, router: sp.Router) -> Limits:
        return _limits_of(router.timeouts or self._spec.global_.timeouts or sp.Timeouts())

    def _retry(self, router: sp.Router) -> RetryPolicy:
        return _retry_of(router.retries or self._spec.global_.retries or sp.Retries())

    def _budget(self, router: sp.Router) -> RetryBudget:
        return RetryBudget(self._retry(router).budget)

    def _carriage(self, router: sp.Router) -> Carriage:
        given = self._spec.global_
        return _carriage_of(router.on_loss or given.on_loss, router.prompt_cache or given.prompt_cache)

    def _finishes(self, router: sp.Router) -> bool:
        return (router.on_disconnect or self._spec.global_.on_disconnect) == "finish"

    def _lister(
        self, listed: Sequence[Candidates], router: sp.Router, virtual: Collection[str] = ()
    ) -> Callable[[Access | None], Mapping[str, str]]:
        """The models of a route: what its providers with keys are known to have, the names it maps and its virtual
        models, less what the caller may not use."""

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


def _balances(load_balance: sp.LoadBalance | None) -> list[tuple[Group, sp.Balance]]:
    if load_balance is None:
        return []
    groups: Sequence[Group] = (*_UNIFIED_GROUPS, "default")
    return [(group, balance) for group in groups if (balance := getattr(load_balance, group)) is not None]


# Routers with equal policies share the objects made of them: see Target.
@lru_cache(1024)
def _limits_of(timeouts: sp.Timeouts) -> Limits:
    return Limits(
        connect=seconds(timeouts.connect),
        first_token=seconds(timeouts.first_token),
        idle=seconds(timeouts.idle),
        total=seconds(timeouts.total),
    )


@lru_cache(16)
def _carriage_of(on_loss: str | None, prompt_cache: str | None) -> Carriage:
    return Carriage(reject_losses=on_loss == "reject", cache_marks=prompt_cache == "auto")


@lru_cache(1024)
def _retry_of(retries: sp.Retries) -> RetryPolicy:
    return RetryPolicy(
        max_retries=retries.max_retries,
        min_delay=seconds(retries.min_delay),
        max_delay=seconds(retries.max_delay),
        factor=retries.factor if retries.strategy == "exponential" else 1.0,
        budget=retries.budget,
        content_policy_failover=retries.on_content_policy == "failover",
    )
