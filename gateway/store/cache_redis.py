"""Kept answers in Redis or Valkey, seen by every replica.

Every entry has an end: nothing is written without a time to live. How much there may be in all is the server's to say
(`maxmemory` with an eviction policy). No method raises: a store that is away has nothing, and nobody waits for it
longer than the link's deadline. A name's braces are its hash tag, so an entry, its variants and its lease are in one
slot of a cluster.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.store.link import Link, Script
from gateway.store.protocol import StoreDown

SCANNED: Final = 500
"""Keys that the server looks at in one step of a purge, so that nobody else waits long."""

RELEASE: Final = Script(
    "release",
    """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
""",
)

_TAG: Final = re.compile(r"\{(.+?)\}")
_GLOB: Final = re.compile(r"([*?\[\]\\^-])")

Purge = Callable[[str, int], Awaitable[int]]


def release(held: dict[str, bytes], key: str, holder: bytes) -> int:
    """What the script does, to a table of leases: the test compares the two step by step."""
    if held.get(key) == holder:
        del held[key]
        return 1
    return 0


class RedisCache:
    """A CacheStore. prefix: what every key begins with. purge: deletes what matches a pattern on every node, where
    there are several; None where there is one."""

    def __init__(self, link: Link, prefix: str, *, one_slot: bool = False, purge: Purge | None = None) -> None:
        self._link = link
        self._cache = f"{prefix}cache:"
        self._lease = f"{prefix}lease:"
        self._one_slot = one_slot
        self._purge = purge

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        names = [self._cache + key for key in keys]
        try:
            if len(names) == 1:
                found: object = [await self._link.command("GET", names[0])]
            elif not self._one_slot or len({_tag(name) for name in names}) == 1:
                found = await self._link.command("MGET", *names)
            else:
                # Of many slots: asked one by one, in one go.
                found = list(await asyncio.gather(*(self._link.command("GET", name) for name in names)))
        except StoreDown:
            return [None] * len(keys)
        if not isinstance(found, list) or len(found) != len(keys):
            return [None] * len(keys)
        return [value if isinstance(value, bytes) else None for value in found]

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0:
            return
        try:
            await self._link.command("SET", self._cache + key, value, "PX", _milliseconds(ttl))
        except StoreDown:
            return

    async def purge(self, prefix: str) -> int:
        """Raises StoreDown, unlike the others: who empties a cache wants to know whether it is empty."""
        pattern = _GLOB.sub(r"\\\1", self._cache + prefix) + "*"
        if self._purge is not None:
            return await self._purge(pattern, SCANNED)
        gone = 0
        cursor: object = b"0"
        while True:
            reply = await self._link.command("SCAN", _cursor(cursor), "MATCH", pattern, "COUNT", SCANNED)
            if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[1], list):
                raise StoreDown("The store's answer to SCAN cannot be read; is there a Redis at store.url?")
            cursor, keys = reply
            if keys:
                removed = await self._link.command("UNLINK", *keys)
                gone += removed if isinstance(removed, int) else 0
            if _cursor(cursor) == b"0":
                return gone

    async def lease(self, key: str, holder: str, ttl: float) -> bool:
        try:
            reply = await self._link.command("SET", self._lease + key, holder, "NX", "PX", _milliseconds(ttl))
        except StoreDown:
            return True
        return reply is not None

    async def release(self, key: str, holder: str) -> None:
        try:
            await self._link.script(RELEASE, [self._lease + key], [holder])
        except StoreDown:
            return


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(round(seconds * 1000, 3)))


def _tag(name: str) -> str:
    match = _TAG.search(name)
    return match[1] if match else name


def _cursor(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
