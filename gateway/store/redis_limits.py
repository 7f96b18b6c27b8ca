"""Token buckets in Redis, and what happens to a check while Redis is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeGuard

from gateway.store.limit_scripts import SETTLE, TAKE
from gateway.store.link import Link, Part
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import Decider, Grant, Standing, StoreDown, Take
from gateway.store.verdict import verdict

OnOutage = Literal["local", "open", "closed"]


class RedisLimits:
    """LimitStore for all processes that share a Redis. prefix: what every key begins with.

    local: buckets of this process, for the time that Redis is away. They are kept from one outage to the next, so that
    a store that comes and goes gives no more away than one that stays away.
    """

    hold = None

    def __init__(self, link: Link, prefix: str, on_outage: OnOutage, local: MemoryLimits) -> None:
        self._link = link
        self._prefix = prefix
        self._on_outage: OnOutage = on_outage
        self._local = local

    async def take(self, takes: Sequence[Take]) -> Grant:
        prefix = self._prefix
        keys = []
        args: list[Part] = []
        for take in takes:
            rate = take.rate
            keys.append(f"{prefix}{take.key}:{rate.name}")
            args += (rate.step, rate.unit, rate.capacity, min(take.amount, rate.capacity + 1), int(take.shadow))
        try:
            reply = await self._link.script(TAKE, keys, args)
            if not _is_verdict(reply, len(takes) + 2):
                raise self._link.misread(TAKE, keys[0])
        except StoreDown:
            if self._on_outage == "closed":
                raise
            if self._on_outage == "local":
                return await self._local.take(takes)
            return Grant(True, tuple(Standing(take.rate.capacity, 0.0, 0.0) for take in takes), "open")
        return verdict(takes, reply[2:], reply[0] == 1, "store")

    def settle(self, changes: Sequence[tuple[Take, int]], by: Decider = "store") -> None:
        if by == "local":
            self._local.settle(changes, by)
        elif by == "store":
            keys = []
            args: list[Part] = []
            for take, returned in changes:
                rate = take.rate
                most = 2 * rate.capacity
                keys.append(f"{self._prefix}{take.key}:{rate.name}")
                args += (rate.step, rate.unit, rate.capacity, max(-most, min(most, returned)))
            self._link.cast(SETTLE, keys, args)


def _is_verdict(reply: object, length: int) -> TypeGuard[list[int]]:
    return isinstance(reply, list) and len(reply) == length and all(type(part) is int for part in reply)
