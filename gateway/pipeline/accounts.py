"""Accounts of money between store and ledger: what the store does not know, the ledger is asked for, once.

Lives here: who has a balance, when the ledger is looked at again, and what holds when it cannot be. Must not: know what
a request costs, or what a client is told. Law: however many requests want to know the same, the ledger is asked once;
an account that is known keeps nobody waiting for the ledger, which is looked at again behind the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from gateway.core.money import NANO
from gateway.policy.budget import MOST, PREPAID, Ask, Charge, Span, Statement, Window, fits
from gateway.policy.limits import name_of_caller
from gateway.store.ledger.protocol import Balance, Consumer, Dimension, LedgerDown, UsagePage, UsageQuery
from gateway.store.protocol import AccountStore, Decider, Reservation

BALANCE_AGE: Final = 10.0
BUDGET_AGE: Final = 60.0
"""Seconds after which an account that is in use is compared with the ledger again."""
REFUSED_AGE: Final = 1.0
"""The same before a request is refused for want of a balance: it may just have been filled up."""
KNOWN: Final = 50_000
"""So many consumers are remembered. All are forgotten when there are more."""

_HOUR: Final = 3600
_STEP: Final = 1_000_000 * NANO
_TRIES: Final = 3
_DIMENSIONS: Final[dict[str, Dimension]] = {
    "key": "caller", "team": "team", "project": "project", "router": "router",
}  # fmt: skip


class Ledger(Protocol):
    """What is asked of a LedgerDatabase. Raises LedgerDown alone."""

    async def balance(self, consumer: Consumer) -> Balance | None: ...

    async def spent(self, consumer: Consumer, since: float, until: float) -> int: ...

    async def usage(self, query: UsageQuery) -> UsagePage: ...


class Holding(msgspec.Struct, frozen=True):
    """An account as requests meet it. window, limit: of a budget; None for what was prepaid. recorded: the names under
    which rows have what is spent."""

    key: str
    consumer: Consumer
    window: Window | None = None
    limit: int | None = None
    recorded: tuple[str, ...] = ()

    def at(self, wall: float) -> Span:
        return PREPAID if self.window is None else self.window.at(wall)


def prepaid_by(consumer: Consumer) -> Holding:
    """The balance of a consumer."""
    return Holding(f"quota:{consumer.kind}:{name_of_caller(consumer.name)}", consumer)


def budget_of(consumer: Consumer, window: Window, limit: int, recorded: tuple[str, ...]) -> Holding:
    """limit: nano-USD. An account has the same name whatever its limit is, so that a reload goes on counting."""
    key = f"budget:{consumer.kind}:{name_of_caller(consumer.name)}:{window.name}"
    return Holding(key, consumer, window, limit, recorded)


class Unknown(Exception):
    """Neither store nor ledger can say what is left."""


class Accounts:
    """store: where they are kept. ledger: None where there is none; then budgets begin with nothing spent. monotonic:
    seconds. start: does something behind the request, False when there is too much to do."""

    def __init__(
        self,
        store: AccountStore,
        ledger: Ledger | None,
        monotonic: Callable[[], float],
        start: Callable[[Coroutine[None, None, None]], bool],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._monotonic = monotonic
        self._start = start
        self._prepaid: dict[Consumer, bool] = {}
        self._looked: dict[str, float] = {}
        self._looking: dict[tuple[str, Decider], asyncio.Task[None]] = {}

    async def has_balance(self, consumer: Consumer, *, surely: bool = False) -> bool:
        """Whether anything was ever prepaid. surely: what is known must not be old. Unknown."""
        holding = prepaid_by(consumer)
        known = self._prepaid.get(consumer)
        if known is None or (surely and not known and self._age(holding) >= REFUSED_AGE):
            try:
                await self._look(holding, 0.0, "store")
            except LedgerDown:
                if known is None:
                    raise Unknown from None
            return self._prepaid.get(consumer, False)
        if not known:
            # Whoever has a balance is looked at again when it is reserved of.
            self._look_behind(holding, 0.0, "store", BALANCE_AGE)
        return known

    async def reserve(self, asks: Sequence[tuple[Holding, Ask]], wall: float, lease: int) -> Reservation:
        """Reserve of all, or of none. wall: Unix seconds, when the request began. Unknown; StoreDown under
        `on-outage: closed`."""
        reserved = await self._reserve(asks, wall, lease)
        if reserved.by == "open":
            raise Unknown
        if not reserved.granted:
            short = [
                holding
                for (holding, ask), state in zip(asks, reserved.states, strict=True)
                if holding.window is None and state is not None and not ask.soft and not fits(ask, state)
            ]
            if short and all(self._age(holding) >= REFUSED_AGE for holding in short):
                try:
                    await asyncio.gather(*(self._look(holding, wall, reserved.by) for holding in short))
                except LedgerDown:
                    return reserved
                return await self._reserve(asks, wall, lease)
        for holding, _ in asks:
            self._look_behind(holding, wall, reserved.by, BALANCE_AGE if holding.window is None else BUDGET_AGE)
        return reserved

    def settle(self, charges: Sequence[Charge], by: Decider) -> None:
        self._store.settle(charges, by)

    async def refresh(self, consumer: Consumer) -> None:
        """Somebody has changed the balance: the store hears of it now, and so do all that share it. Where the ledger
        cannot be asked, they hear of it when it is next looked at."""
        with suppress(LedgerDown):
            # Not together with who is asking already: they may have been answered before the change.
            await self._ask(prepaid_by(consumer), 0.0, "store")

    async def _reserve(self, asks: Sequence[tuple[Holding, Ask]], wall: float, lease: int) -> Reservation:
        wanted = [ask for _, ask in asks]
        for _ in range(_TRIES):
            reserved = await self._store.reserve(wanted, lease)
            if reserved.known or reserved.by == "open":
                return reserved
            missing = [asks[at][0] for at, state in enumerate(reserved.states) if state is None]
            try:
                await asyncio.gather(*(self._look(holding, wall, reserved.by) for holding in missing))
            except LedgerDown:
                break
        raise Unknown

    def _age(self, holding: Holding) -> float:
        looked = self._looked.get(holding.key)
        return float("inf") if looked is None else self._monotonic() - looked

    def _look_behind(self, holding: Holding, wall: float, by: Decider, age: float) -> None:
        if self._ledger is not None and self._age(holding) >= age:
            # Before it is done, so that it is begun once; one that fails is tried again as late.
            self._note(holding)
            self._start(self._look_quietly(holding, wall, by))

    async def _look_quietly(self, holding: Holding, wall: float, by: Decider) -> None:
        try:
            await self._look(holding, wall, by)
        except LedgerDown:
            # It is told of where rows are written.
            return

    def _note(self, holding: Holding) -> None:
        if len(self._looked) >= KNOWN:
            self._looked.clear()
            self._prepaid.clear()
        self._looked[holding.key] = self._monotonic()

    async def _look(self, holding: Holding, wall: float, by: Decider) -> None:
        """Tell the store what the ledger says, together with all who want to know the same. LedgerDown."""
        name = holding.key, by
        task = self._looking.get(name)
        if task is None:
            task = self._looking[name] = asyncio.ensure_future(self._ask(holding, wall, by))
            task.add_done_callback(lambda done: self._end(name, done))
        # The one who began it may leave; the others still want to know.
        await asyncio.shield(task)

    def _end(self, name: tuple[str, Decider], done: asyncio.Task[None]) -> None:
        self._looking.pop(name, None)
        if not done.cancelled():
            done.exception()

    async def _ask(self, holding: Holding, wall: float, by: Decider) -> None:
        ledger = self._ledger
        if holding.window is None:
            balance = None if ledger is None else await ledger.balance(holding.consumer)
            self._note(holding)
            self._prepaid[holding.consumer] = balance is not None
            if balance is None:
                return
            said = _statement(balance)
        else:
            span = holding.window.at(wall)
            said = Statement(span.oldest, slices={})
            if ledger is not None:
                slices: dict[int, int] = {}
                for name in holding.recorded:
                    for start, spent in await _slices(
                        ledger, Consumer(holding.consumer.kind, name), holding.window, span
                    ):
                        slices[start] = slices.get(start, 0) + spent
                said = Statement(span.oldest, slices=slices)
            self._note(holding)
        await self._store.merge(holding.key, said, by)


def _statement(balance: Balance) -> Statement:
    """What was ever paid in may be more than can be counted exactly. Then as many whole steps of it are taken as spent,
    and the balance counts as set anew with each, as if a microsecond later."""
    steps = max(-((MOST - balance.granted) // _STEP), 0)
    granted = max(balance.granted - steps * _STEP, -MOST)
    spent = max(balance.spent - steps * _STEP, 0)
    return Statement(0, granted, int(balance.since * 1_000_000) + steps, {0: spent})


async def _slices(ledger: Ledger, consumer: Consumer, window: Window, span: Span) -> list[tuple[int, int]]:
    if window.kind != "rolling":
        return [(span.current, await ledger.spent(consumer, span.oldest, span.until))]
    by: Dimension = "hour" if window.width == _HOUR else "day"
    where = ((_DIMENSIONS[consumer.kind], consumer.name),)
    page = await ledger.usage(UsageQuery(span.oldest, span.until, (by,), where))
    return [(int(datetime.fromisoformat(row.group[0]).replace(tzinfo=UTC).timestamp()), row.cost) for row in page.rows]
