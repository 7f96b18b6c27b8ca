"""All shared state of a process, opened and closed together."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.config.spec import StoreSettings
from gateway.core.secret import Secret
from gateway.store.cache_memory import MemoryCache, Shelf
from gateway.store.link import Link
from gateway.store.protocol import AccountStore, CacheStore, LimitStore, NonceStore


class Stores:
    """limits: token buckets. accounts: of money. cache: kept answers. nonces: of signed requests. link: the way to
    Redis, None for `memory://`. settings: what it was made from. secrets: what no log may show."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        limits: LimitStore,
        accounts: AccountStore,
        cache: CacheStore,
        nonces: NonceStore,
        link: Link | None = None,
        secrets: tuple[Secret, ...] = (),
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.accounts = accounts
        self.cache = cache
        self.nonces = nonces
        self.link = link
        self.secrets = secrets

    async def open(self) -> None:
        """Connect. A store that is away keeps nobody from serving: see `trouble`."""
        if self.link is not None:
            await self.link.open()

    async def close(self) -> None:
        if self.link is not None:
            await self.link.close()

    def bound_caches(self, sizes: Mapping[str, int]) -> None:
        """How many bytes each route's cache may hold in memory, from now on."""
        if isinstance(self.cache, MemoryCache):
            self.cache.bound(sizes)

    def shelves(self) -> Mapping[str, Shelf]:
        """What each route's cache holds in memory."""
        return self.cache.shelves if isinstance(self.cache, MemoryCache) else {}

    def trouble(self) -> str | None:
        """Why the shared store is away, None when it is not."""
        return self.link.trouble() if self.link is not None else None

    def keeps_from_serving(self) -> bool:
        """Whether requests are refused because of it."""
        return self.settings.on_outage == "closed" and self.trouble() is not None
