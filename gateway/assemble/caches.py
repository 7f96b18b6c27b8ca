"""From the caches of routers.yaml to the layers that keep them. A part of assembly."""

from __future__ import annotations

from typing import Final

from gateway.config import spec as sp
from gateway.core.exchange import Layer
from gateway.core.units import size_in_bytes
from gateway.pipeline.cache_question import Memory
from gateway.pipeline.cached import cached
from gateway.pipeline.settings import CachePolicy
from gateway.pipeline.settlement import Settlement
from gateway.policy.cache_control import read_directive
from gateway.runtime import Runtime
from gateway.store.stores import Stores


class RouteCaches:
    """Makes the layers.

    sizes: how many bytes each route may hold in memory. by_credential: callers are told apart by what they send in
    place of a gateway key.
    """

    def __init__(self, spec: sp.Spec, runtime: Runtime, stores: Stores, settle: Settlement) -> None:
        self._everywhere = spec.global_.cache
        self._runtime = runtime
        self._stores = stores
        self._settle = settle
        self._memory: Memory = {}
        self.sizes: Final[dict[str, int]] = {}
        caches = [self._everywhere, spec.unified_api.cache, *(router.cache for router in spec.routers.values())]
        self.by_credential: Final = spec.auth.mode != "keys" and any(
            cache is not None and cache.scope != "router" for cache in caches
        )

    def of_route(self, name: str, cache: sp.Cache | None) -> list[Layer]:
        """A route's own cache, else the one of `global`; none when that keeps nothing."""
        cache = cache or self._everywhere
        if cache is None or (directive := read_directive(cache.directive)).kept_for <= 0:
            return []
        self.sizes[name] = size_in_bytes(cache.max_size)
        policy = CachePolicy(
            router=name,
            directive=directive,
            scope=cache.scope,
            seed=cache.seed or "",
            buckets=cache.buckets,
            largest=size_in_bytes(cache.max_entry_size),
            tool_calls=cache.tool_calls,
            leases=self._stores.link is not None,
        )
        return [cached(policy, self._stores.cache, self._runtime, self._memory, self._settle)]
