"""Limits that a provider's key has of its own: room is taken in the store before an attempt, so that replicas together
never ask more than the provider lets them.

Only keys with a limit are asked about. What the store answers is noted at the key, and the pool chooses by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange
from gateway.policy.estimate import Estimator, used_by
from gateway.policy.key_pool import KeyPool, PoolKey
from gateway.policy.key_room import KeyRoom
from gateway.policy.limits import tokens_wanted
from gateway.store.protocol import UNCOUNTED, Decider, LimitStore, StoreDown, Take


class KeyLimits(msgspec.Struct, frozen=True):
    """store: where the buckets are. now: clock seconds."""

    store: LimitStore
    estimator: Estimator
    now: Callable[[], float]

    async def reserve(self, exchange: Exchange, pool: KeyPool, key: PoolKey, room: KeyRoom) -> float:
        """Take room for the next attempt of an exchange. 0.0 when it is taken, else the seconds until it would fit;
        math.inf where it never does. Raises GatewayError `store_unavailable` under `on-outage: closed`."""
        takes = tuple(
            Take(
                bucket.name,
                bucket.rate,
                1 if bucket.unit == "requests" else tokens_wanted(bucket.rate, self.estimator.of(exchange)),
            )
            for bucket in room.buckets
        )
        try:
            grant = await self.store.take(takes)
        except StoreDown:
            raise GatewayError("store_unavailable", UNCOUNTED, retry_after=1.0) from None
        now = self.now()
        for bucket, standing in zip(room.buckets, grant.standings, strict=True):
            bucket.see(standing.remaining, standing.reset, now)
        pool.note_room(key, now)
        if not grant.granted:
            return max(standing.retry_after for standing in grant.standings)
        if grant.by != "open":
            exchange.on_settle.append(partial(self._settle, pool, key, room, takes, grant.by, len(exchange.attempts)))
        return 0.0

    def _settle(
        self,
        pool: KeyPool,
        key: PoolKey,
        room: KeyRoom,
        takes: tuple[Take, ...],
        by: Decider,
        place: int,
        exchange: Exchange,
    ) -> None:
        """place: of the attempt that the room was taken for. What never reached the provider is given back; a request
        that failed there was one, without tokens."""
        attempt = exchange.attempts[place] if place < len(exchange.attempts) else None
        reached = attempt is not None and attempt.fault != "connect"
        last = place == len(exchange.attempts) - 1
        changes: list[tuple[Take, int]] = []
        for bucket, take in zip(room.buckets, takes, strict=True):
            used = take.amount if reached else 0
            if bucket.unit == "tokens" and reached:
                used = used_by(exchange).total if last else 0
            if used != take.amount:
                changes.append((take, take.amount - used))
                bucket.give_back(take.amount - used)
        if changes:
            self.store.settle(changes, by)
            pool.note_room(key, self.now())
