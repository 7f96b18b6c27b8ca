"""From a spec to a house: what every route shares, and every mount with its routes.

Everything that a request needs is built here, once for each config, so that the path of a request has look-ups and no
interpretation. What a route is made of is said in routes.py, and what it may choose in targets.py.
Law: what is not configured is not built, and nothing is shared with another house but the runtime.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.assemble.access import explains, gate_of
from gateway.assemble.budgets import RouteBudgets, ledger_of
from gateway.assemble.caches import RouteCaches
from gateway.assemble.endpoints import Endpoints
from gateway.assemble.ledger import ledger_layers
from gateway.assemble.limits import RouteLimits
from gateway.assemble.policies import finishes
from gateway.assemble.pricing import pricing_for
from gateway.assemble.routes import Routes
from gateway.assemble.sinks import sinks_for
from gateway.assemble.stores import stores_for
from gateway.assemble.targets import RouteTargets
from gateway.assemble.traces import trace_layers
from gateway.config import spec as sp
from gateway.config.price_book import price_book
from gateway.core.exchange import Handler, Layer
from gateway.core.units import seconds, size_in_bytes
from gateway.ingress.edge import Edge
from gateway.ingress.mounts import RouteApp, Table
from gateway.pipeline.accounts import Accounts, Ledger
from gateway.pipeline.authenticate import Gate, authenticate
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.key_limits import KeyLimits
from gateway.pipeline.recorder import Recorder
from gateway.pipeline.settlement import Settlement
from gateway.policy.key_pool import KeyPool
from gateway.policy.networks import Networks
from gateway.runtime import Runtime
from gateway.store.stores import Stores
from gateway.telemetry.sinks import Sinks


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
        self._limits = RouteLimits(spec, runtime, self._stores.limits, self._prices)
        self._sinks = sinks_for(spec, runtime)
        record = Recorder(list(self._sinks), config_hash, runtime.estimator, runtime.log) if len(self._sinks) else None
        price = pricing_for(spec, runtime, self._prices, recorded=record is not None)
        self._settle = Settlement(runtime.clock.monotonic, runtime.metrics, record, price)
        self._caches = RouteCaches(spec, runtime, self._stores, self._settle)
        self._budgets = RouteBudgets(spec, runtime, self._stores, ledger or ledger_of(self._sinks))
        key_limits = KeyLimits(self._stores.limits, runtime.estimator, runtime.clock.monotonic)
        self._targets = RouteTargets(spec, runtime, self._endpoints, self._prices, key_limits)

    def house(self) -> House:
        table = self._table()
        return House(
            table,
            self._endpoints.pools,
            self._endpoints.by_name,
            tuple(self._targets.routed),
            self._stores,
            self._sinks,
            self._budgets.accounts,
            self._caches.sizes,
            self._spec,
            self._hash,
        )

    def _table(self) -> Table:
        spec = self._spec
        gate = None
        if spec.auth.mode == "keys":
            gate = gate_of(spec.auth, self._endpoints.by_name, self._runtime, self._stores.nonces)
        routes = Routes(
            spec,
            self._runtime,
            self._prices,
            self._everywhere(gate),
            self._targets,
            self._limits,
            self._caches,
            self._budgets,
        )
        edge = self._edge(gate, splits=routes.splits)
        named: dict[str, tuple[Handler, bool]] = {
            name: (routes.named(name, router), finishes(spec, router)) for name, router in spec.routers.items()
        }
        unified = routes.unified(), finishes(spec, spec.unified_api)
        default = spec.default_router
        at_root, root_finish = named[default] if default else unified
        direct_finish = finishes(spec, sp.Router())
        return Table(
            edge,
            {
                name.encode(): RouteApp(edge, name, handler, len("/router/") + len(name), finish=finish)
                for name, (handler, finish) in named.items()
            },
            {
                name.encode(): RouteApp(edge, f"/{name}", routes.direct(endpoint), 1 + len(name), finish=direct_finish)
                for name, endpoint in self._endpoints.by_name.items()
            },
            RouteApp(edge, "/ai", unified[0], len("/ai"), finish=unified[1]),
            RouteApp(edge, default or "/v1", at_root, 0, finish=root_finish),
        )

    def _everywhere(self, gate: Gate | None) -> list[Layer]:
        """The layers in front of every route."""
        return [
            *trace_layers(self._sinks),
            *([] if gate is None else [authenticate(gate)]),
            *ledger_layers(self._spec, self._sinks),
            *self._limits.everywhere(),
        ]

    def _edge(self, gate: Gate | None, *, splits: bool) -> Edge:
        """splits: some rule tells callers apart."""
        server = self._spec.server
        keyed = gate is not None
        return Edge(
            self._runtime,
            max_body=size_in_bytes(server.max_body_size),
            max_header=size_in_bytes(server.max_header_size),
            body_timeout=seconds(server.body_timeout),
            log_requests=server.logging.requests,
            authenticated=keyed or self._limits.by_credential or self._caches.by_credential or splits,
            config=self._hash,
            proxies=Networks(server.trusted_proxies) if server.trusted_proxies else None,
            stranger=None if gate is None else gate.stranger,
            explains=explains(self._spec),
            keyed=keyed,
            settle=self._settle,
        )
