"""Kept answers in this process's memory: a shelf for each router, bounded in bytes, least recently used first out.

Bytes are those really held: the value, its name, and what Python needs around both.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

OVERHEAD: Final = 400
"""Bytes around an entry, measured: the node and slot of an ordered dictionary, the tuple, the number, the headers of
two objects. Held against tracemalloc in a test."""
DEFAULT_BYTES: Final = 256 * 1024 * 1024


class Shelf:
    """The entries of one router. size: bytes held. evicted: how many had to go for want of room."""

    __slots__ = ("entries", "evicted", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self.size = 0
        self.evicted = 0

    def drop(self, key: str) -> None:
        found = self.entries.pop(key, None)
        if found is not None:
            self.size -= _cost(key, found[0])

    def shrink(self) -> None:
        """Let the least recently used go until what is left fits."""
        while self.size > self.limit:
            key, (value, _) = self.entries.popitem(last=False)
            self.size -= _cost(key, value)
            self.evicted += 1


class MemoryCache:
    """A CacheStore. now: clock seconds that never go back.

    Routers are told apart by what stands before the first `:` of a key.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limits: Mapping[str, int] | None = None
        self.shelves: dict[str, Shelf] = {}
        self._leases: dict[str, tuple[str, float]] = {}

    def bound(self, limits: Mapping[str, int]) -> None:
        """How many bytes each router may hold, from now on. What belongs to a router that is not named is dropped."""
        self._limits = limits
        for router in [name for name in self.shelves if name not in limits]:
            del self.shelves[router]
        for router, shelf in self.shelves.items():
            shelf.limit = limits[router]
            shelf.shrink()

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self._get(key) for key in keys]

    def _get(self, key: str) -> bytes | None:
        shelf = self.shelves.get(key.partition(":")[0])
        if shelf is None:
            return None
        found = shelf.entries.get(key)
        if found is None:
            return None
        if found[1] <= self._now():
            shelf.drop(key)
            return None
        shelf.entries.move_to_end(key)
        return found[0]

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        router = key.partition(":")[0]
        shelf = self.shelves.get(router)
        if shelf is None:
            limit = DEFAULT_BYTES if self._limits is None else self._limits.get(router, 0)
            if not limit:
                # An answer that was under way when its router went.
                return
            shelf = self.shelves[router] = Shelf(limit)
        shelf.drop(key)
        cost = _cost(key, value)
        if ttl <= 0 or cost > shelf.limit:
            return
        shelf.entries[key] = value, self._now() + ttl
        shelf.size += cost
        shelf.shrink()

    async def purge(self, prefix: str) -> int:
        gone = 0
        for router, shelf in self.shelves.items():
            if prefix.startswith(f"{router}:") or f"{router}:".startswith(prefix):
                for key in [key for key in shelf.entries if key.startswith(prefix)]:
                    shelf.drop(key)
                    gone += 1
        return gone

    async def lease(self, key: str, holder: str, ttl: float) -> bool:
        now = self._now()
        held = self._leases.get(key)
        if held is not None and held[0] != holder and held[1] > now:
            return False
        self._leases[key] = holder, now + ttl
        return True

    async def release(self, key: str, holder: str) -> None:
        held = self._leases.get(key)
        if held is not None and held[0] == holder:
            del self._leases[key]


def _cost(key: str, value: bytes) -> int:
    return sys.getsizeof(key) + sys.getsizeof(value) + OVERHEAD
