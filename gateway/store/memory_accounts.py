"""Accounts of money in the memory of this process.

Law: what is kept is bounded. The account that rested longest goes first; whoever has it again is told by the ledger.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from gateway.policy.budget import (
    Account,
    Ask,
    Charge,
    State,
    Statement,
    fits,
    granule_of,
    merged,
    settle,
    state_of,
    take,
)
from gateway.store.protocol import Decider, Reservation

MOST_ACCOUNTS: Final = 100_000
"""About a kilobyte each."""


class MemoryAccounts:
    """AccountStore for one process. monotonic: seconds. by: what its reservations say of who decided."""

    def __init__(self, monotonic: Callable[[], float], by: Decider = "store", most: int = MOST_ACCOUNTS) -> None:
        self._monotonic = monotonic
        self._by: Decider = by
        self._most = most
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def __len__(self) -> int:
        """How many accounts are kept."""
        return len(self._accounts)

    async def reserve(self, asks: Sequence[Ask], lease: int) -> Reservation:
        return self.reserve_at(asks, lease, int(self._monotonic()))

    def settle(self, charges: Sequence[Charge], by: Decider = "store") -> None:
        if by == self._by:
            for charge in charges:
                account = self._accounts.get(charge.key)
                if account is not None:
                    settle(account, charge)

    async def merge(self, key: str, said: Statement, by: Decider = "store") -> None:
        if by == self._by:
            self.merge_now(key, said)

    def reserve_at(self, asks: Sequence[Ask], lease: int, now: int) -> Reservation:
        """now: seconds."""
        accounts = [self._accounts.get(ask.key) for ask in asks]
        states: list[State | None] = []
        granted = True
        for ask, account in zip(asks, accounts, strict=True):
            state = state_of(account, ask, now)
            states.append(state)
            if account is not None:
                self._accounts.move_to_end(ask.key)
            if state is None or not (ask.soft or fits(ask, state)):
                granted = False
        granule = granule_of(now, lease)
        if granted:
            for ask, account in zip(asks, accounts, strict=True):
                assert account is not None
                take(account, ask, granule)
        return Reservation(granted, tuple(states), granule, self._by)

    def merge_now(self, key: str, said: Statement) -> None:
        self._accounts[key] = merged(self._accounts.get(key), said)
        self._accounts.move_to_end(key)
        while len(self._accounts) > self._most:
            self._accounts.popitem(last=False)
