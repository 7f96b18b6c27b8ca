"""The money of a case: what consumers have paid in, and how their balances and budgets stand at a moment.

Law: nothing is asked of a ledger that lasts. What a case says was paid in is there from the beginning, and the store's
own sums say what was spent of it since.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import get_args

import msgspec

from gateway.config import spec as sp
from gateway.config.budgets import amount_of, budgets_of, window_of
from gateway.core.clock import Clock
from gateway.core.money import NANO
from gateway.pipeline.accounts import Holding, budget_of, prepaid_by
from gateway.policy.budget import Ask
from gateway.rehearsal.cases import AccountAt
from gateway.store.ledger.protocol import Balance, Consumer, ConsumerKind, UsagePage, UsageQuery
from gateway.store.memory_accounts import MemoryAccounts


class Money(msgspec.Struct, frozen=True, gc=False):
    """An account at a moment, in nano-USD. left: less what is reserved for requests under way; negative when it is
    overdrawn."""

    spent: int
    left: int


class PaidIn:
    """A Ledger in which everybody has what a case says, and nobody has spent anything before it began."""

    def __init__(self, dollars: Mapping[str, str | float]) -> None:
        self.granted = {consumer_of(name): int(Decimal(str(amount)) * NANO) for name, amount in dollars.items()}

    async def balance(self, consumer: Consumer) -> Balance | None:
        granted = self.granted.get(consumer)
        return None if granted is None else Balance(consumer, granted, 0, 0.0)

    async def spent(self, consumer: Consumer, since: float, until: float) -> int:
        return 0

    async def usage(self, query: UsageQuery) -> UsagePage:
        return UsagePage(())


def consumer_of(name: str) -> Consumer:
    """`team:ml`. ValueError for another kind than there are."""
    kind, _, rest = name.partition(":")
    for known in get_args(ConsumerKind):
        if kind == known:
            found: ConsumerKind = known
            return Consumer(found, rest)
    raise ValueError(f"there is no {kind[:20]!r} that spends")


def windows_of(spec: sp.Spec, consumer: str) -> dict[str, tuple[Holding, int]]:
    """The budgets of a consumer, by their windows; each with its limit."""
    found: dict[str, tuple[Holding, int]] = {}
    for _, kind, name, budget in budgets_of(spec):
        limit = amount_of(budget)
        if f"{kind}:{name}" == consumer and limit is not None:
            window = window_of(budget)
            found[window.name] = budget_of(Consumer(kind, name), window, limit, ()), limit
    return found


def money_of(asked: AccountAt, spec: sp.Spec, paid_in: PaidIn, store: MemoryAccounts, clock: Clock) -> Money:
    """KeyError where there is no such account."""
    if asked.window is None:
        consumer = consumer_of(asked.of)
        holding, own, limit = prepaid_by(consumer), None, paid_in.granted[consumer]
    else:
        holding, own = windows_of(spec, asked.of)[asked.window]
        limit = own
    # Nothing is asked for, and that is granted whatever is left.
    look = Ask(holding.key, own, holding.at(clock.wall()), 0, soft=True)
    (state,) = store.reserve_at([look], 0, int(clock.monotonic())).states
    # Nobody has spent of an account that the store has never heard of.
    return Money(0, limit) if state is None else Money(state.spent, state.left)
