"""Accounts of money in Redis, and what happens to a request while Redis is away.

Law: all accounts have one hash tag, so that those of one request are in one slot of a cluster and one script decides
over them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final, TypeGuard

from gateway.policy.budget import MOST, Ask, Charge, State, Statement
from gateway.store.account_scripts import MERGE, RESERVE, SETTLE
from gateway.store.link import Link, Part
from gateway.store.memory_accounts import MemoryAccounts
from gateway.store.protocol import Decider, Reservation, StoreDown
from gateway.store.redis_limits import OnOutage

LIFE: Final = 45 * 86400 * 1000
"""Milliseconds that an account outlives its last request. The ledger knows it when it is asked for again."""
TAG: Final = "{money}"


class RedisAccounts:
    """AccountStore for all processes that share a Redis. prefix: what every key begins with. local: accounts of this
    process, for the time that Redis is away, filled from the ledger as the others are."""

    def __init__(self, link: Link, prefix: str, on_outage: OnOutage, local: MemoryAccounts) -> None:
        self._link = link
        self._prefix = prefix + TAG
        self._on_outage: OnOutage = on_outage
        self._local = local

    async def reserve(self, asks: Sequence[Ask], lease: int) -> Reservation:
        keys = [self._prefix + ask.key for ask in asks]
        args: list[Part] = []
        for ask in asks:
            limit = "" if ask.limit is None else ask.limit
            span = ask.span
            args += (limit, span.current, span.oldest, span.forget, min(ask.amount, MOST + 1), int(ask.soft), LIFE)
        args.append(lease)
        try:
            reply = await self._link.script(RESERVE, keys, args)
            if not _is_verdict(reply, 4 * len(asks) + 2):
                raise self._link.misread(RESERVE, keys[0])
        except StoreDown:
            if self._on_outage == "closed":
                raise
            if self._on_outage == "local":
                return await self._local.reserve(asks, lease)
            return Reservation(True, (None,) * len(asks), 0, "open")
        states = tuple(
            None if reply[at] < 0 else State(reply[at], reply[at + 1], reply[at + 2], reply[at + 3])
            for at in range(2, len(reply), 4)
        )
        return Reservation(reply[0] == 1, states, reply[1], "store")

    def settle(self, charges: Sequence[Charge], by: Decider = "store") -> None:
        if by == "local":
            self._local.settle(charges, by)
        elif by == "store":
            args: list[Part] = []
            for charge in charges:
                args += (charge.granule, min(charge.amount, MOST + 1), charge.start, charge.since, charge.cost)
            self._link.cast(SETTLE, [self._prefix + charge.key for charge in charges], args)

    async def merge(self, key: str, said: Statement, by: Decider = "store") -> None:
        if by == "local":
            await self._local.merge(key, said, by)
        elif by == "store":
            granted = "" if said.granted is None else said.granted
            args: list[Part] = [said.origin, granted, said.since, LIFE]
            for start, spent in said.slices.items():
                args += (start, spent)
            with contextlib.suppress(StoreDown):
                await self._link.script(MERGE, [self._prefix + key], args)


def _is_verdict(reply: object, length: int) -> TypeGuard[list[int]]:
    return isinstance(reply, list) and len(reply) == length and all(type(part) is int for part in reply)
