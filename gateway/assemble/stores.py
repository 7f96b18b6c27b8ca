"""From `store:` to the stores of a process. Nothing is connected here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config import spec as sp
from gateway.config.store_url import StoreUrl, read_store_url
from gateway.core.units import seconds
from gateway.runtime import Runtime
from gateway.store.cache_memory import MemoryCache
from gateway.store.cache_redis import Purge, RedisCache
from gateway.store.link import Link
from gateway.store.memory_accounts import MemoryAccounts
from gateway.store.memory_limits import MemoryLimits
from gateway.store.nonces import MemoryNonces, RedisNonces
from gateway.store.redis_accounts import RedisAccounts
from gateway.store.redis_limits import RedisLimits
from gateway.store.stores import Stores

if TYPE_CHECKING:
    from gateway.store.cluster_link import ClusterLink
    from gateway.store.library_link import LibraryLink
    from gateway.store.redis_link import RedisLink


def stores_for(settings: sp.StoreSettings, runtime: Runtime) -> Stores:
    """The stores in use when they are what these settings ask for, else new ones."""
    in_use = runtime.stores
    url = read_store_url(settings.url)
    if in_use is not None and (in_use.settings == settings or (url.kind == "memory" and in_use.link is None)):
        return in_use
    monotonic = runtime.clock.monotonic
    if url.kind == "memory":
        return Stores(
            settings,
            limits=MemoryLimits(monotonic),
            accounts=MemoryAccounts(monotonic),
            cache=MemoryCache(monotonic),
            nonces=MemoryNonces(monotonic),
        )
    link, purge = _link(url, settings, runtime)
    local = MemoryLimits(monotonic, "local")
    limits = RedisLimits(link, settings.key_prefix, settings.on_outage, local)
    alone = MemoryAccounts(monotonic, "local")
    accounts = RedisAccounts(link, settings.key_prefix, settings.on_outage, alone)
    cache = RedisCache(link, settings.key_prefix, one_slot=url.kind == "cluster", purge=purge)
    nonces = RedisNonces(link, prefix=settings.key_prefix, on_outage=settings.on_outage, local=MemoryNonces(monotonic))
    secrets = () if url.password is None else (url.password,)
    return Stores(settings, limits=limits, accounts=accounts, cache=cache, nonces=nonces, link=link, secrets=secrets)


def _link(url: StoreUrl, settings: sp.StoreSettings, runtime: Runtime) -> tuple[Link, Purge | None]:
    """The way to the servers, and where there are several, how to delete on all of them."""
    # ssl and what is behind it are for those who have a Redis.
    from gateway.store.cluster_link import ClusterLink
    from gateway.store.redis_link import RedisLink

    kind: type[RedisLink | ClusterLink | LibraryLink]
    if settings.client == "redis-py":
        from gateway.store.library_link import LibraryLink

        kind = LibraryLink
    else:
        kind = ClusterLink if url.kind == "cluster" else RedisLink
    link = kind(
        url,
        timeout=seconds(settings.timeout),
        prefix=settings.key_prefix,
        chance=runtime.clock.chance,
        tell=runtime.log.write,
        count=runtime.metrics.count_store_error,
    )
    return link, link.delete_matching if url.kind == "cluster" and not isinstance(link, RedisLink) else None
