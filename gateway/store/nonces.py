"""Nonces of signed requests: each counts once.

Who has seen one remembers it for as long as its signature could be good, and no longer. In memory that is this
process; in Redis it is every replica. Law: memory is bounded, and when the bound is reached the answer is that it
cannot be said, never that a nonce is new.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from math import ceil
from typing import Final, Literal, Protocol

from gateway.store.protocol import StoreDown

LIMIT: Final = 500_000
"""Nonces in memory, some 100 bytes each: 800 signed requests a second for as long as one is kept."""


class Commands(Protocol):
    """As much of a link to Redis as is needed here."""

    async def command(self, *parts: str | bytes | int) -> object:
        """The reply. Raises StoreDown, and nothing else."""
        ...


class MemoryNonces:
    """A NonceStore in this process. now: seconds that never go back."""

    __slots__ = ("_limit", "_now", "_seen")

    def __init__(self, now: Callable[[], float], limit: int = LIMIT) -> None:
        self._now = now
        self._limit = limit
        # In the order of their ends, as long as they are all kept equally long; else some are kept longer than need be.
        self._seen: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    async def add(self, nonce: str, ttl: float) -> bool:
        return self.note(nonce, ttl)

    def note(self, nonce: str, ttl: float) -> bool:
        """As `add`, at once."""
        now = self._now()
        seen = self._seen
        while seen:
            oldest = next(iter(seen))
            if seen[oldest] > now:
                break
            del seen[oldest]
        name = blake2b(nonce.encode(), digest_size=16).digest()
        if name in seen:
            return False
        if len(seen) >= self._limit:
            raise StoreDown(f"more than {self._limit} signed requests within {ttl:.0f} s: give `store` a Redis")
        seen[name] = now + ttl
        return True


class RedisNonces:
    """A NonceStore in Redis or Valkey. prefix: in front of each name. on_outage: see the config; `local` remembers in
    this process what comes while the store is away."""

    __slots__ = ("_link", "_local", "_on_outage", "_prefix")

    def __init__(
        self, link: Commands, *, prefix: str, on_outage: Literal["local", "open", "closed"], local: MemoryNonces
    ) -> None:
        self._link = link
        self._prefix = prefix
        self._on_outage = on_outage
        self._local = local

    async def add(self, nonce: str, ttl: float) -> bool:
        name = f"{self._prefix}nonce:{blake2b(nonce.encode(), digest_size=16).hexdigest()}"
        try:
            return await self._link.command("SET", name, "1", "NX", "PX", ceil(ttl * 1000)) is not None
        except StoreDown:
            if self._on_outage == "closed":
                raise
            return self._on_outage == "open" or self._local.note(nonce, ttl)
