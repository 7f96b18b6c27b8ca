"""Accounts between store and ledger: who is asked, how often, and what holds when one of them cannot say."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

import pytest

from gateway.core.money import NANO
from gateway.pipeline import accounts as module
from gateway.pipeline.accounts import (
    BALANCE_AGE,
    BUDGET_AGE,
    REFUSED_AGE,
    Accounts,
    Holding,
    Unknown,
    budget_of,
    prepaid_by,
)
from gateway.policy.budget import MOST, Ask, Charge, Statement, Window, rolling
from gateway.store.ledger.protocol import Consumer, QuotaEntry
from gateway.store.memory_accounts import MemoryAccounts
from gateway.store.protocol import Decider, Reservation
from tests.support.book import Book
from tests.support.records import a_record
from tests.support.virtual_time import virtual_clock

ANN = Consumer("key", "ann")
DAY = Window("day", "day")
LEASE = 600


class Forgetful:
    """A store that keeps nothing of what it is told. by: who it says decided."""

    def __init__(self, by: Decider = "store") -> None:
        self.by = by
        self.told = 0

    async def reserve(self, asks: Sequence[Ask], lease: int) -> Reservation:
        return Reservation(False, (None,) * len(asks), 0, self.by)

    def settle(self, charges: Sequence[Charge], by: Decider = "store") -> None: ...

    async def merge(self, key: str, said: Statement, by: Decider = "store") -> None:
        self.told += 1


class Desk:
    """Accounts with their store and ledger; what is begun behind requests is in `behind` until it is done."""

    def __init__(self, store: MemoryAccounts | Forgetful | None = None, *, ledger: bool = True) -> None:
        clock = virtual_clock()
        self.wall = clock.wall
        self.book = Book()
        self.store = store or MemoryAccounts(clock.monotonic)
        self.behind: list[asyncio.Task[None]] = []
        self.accounts = Accounts(self.store, self.book if ledger else None, clock.monotonic, self._start)

    def _start(self, work: Coroutine[None, None, None]) -> bool:
        self.behind.append(asyncio.ensure_future(work))
        return True

    async def done(self) -> None:
        """Until nothing is under way behind requests."""
        while self.behind:
            await self.behind.pop()

    async def pay(self, nano: int, kind: str = "add") -> None:
        now = self.wall()
        await self.book.enter(QuotaEntry(f"{now}", ANN, kind, nano, now))  # type: ignore[arg-type]

    async def spend(self, holding: Holding, nano: int) -> bool:
        """Reserve and settle; whether there was room."""
        wall = self.wall()
        ask = Ask(holding.key, holding.limit, holding.at(wall), nano)
        found = await self.accounts.reserve([(holding, ask)], wall, LEASE)
        if found.granted:
            state = found.states[0]
            assert state is not None
            charge = Charge(ask.key, found.granule, nano, ask.span.current, state.since, nano)
            self.accounts.settle([charge], found.by)
        return found.granted


QUOTA = prepaid_by(ANN)
BUDGET = budget_of(ANN, DAY, 100, ("ann",))


async def test_an_account_that_the_store_does_not_know_is_asked_of_the_ledger_once_by_all() -> None:
    desk = Desk()
    await desk.pay(1000)
    desk.book.gate = asyncio.Event()
    asked = [asyncio.ensure_future(desk.spend(QUOTA, 10)) for _ in range(20)]
    await asyncio.sleep(1)
    desk.book.gate.set()
    assert await asyncio.gather(*asked) == [True] * 20
    assert desk.book.asked == ["balance key:ann"]


async def test_who_began_to_ask_may_leave_and_the_others_still_hear() -> None:
    desk = Desk()
    await desk.pay(1000)
    desk.book.gate = asyncio.Event()
    first, second = (asyncio.ensure_future(desk.spend(QUOTA, 10)) for _ in range(2))
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.sleep(1)
    desk.book.gate.set()
    assert await second
    assert desk.book.asked == ["balance key:ann"]


@pytest.mark.parametrize("holding", [QUOTA, BUDGET])
async def test_what_neither_knows_is_unknown(holding: Holding) -> None:
    desk = Desk()
    await desk.pay(1000)
    desk.book.away = True
    with pytest.raises(Unknown):
        await desk.spend(holding, 1)
    desk.book.away = False
    assert await desk.spend(holding, 1), "and is asked again by the next"


async def test_a_store_that_keeps_nothing_does_not_keep_a_request_for_ever() -> None:
    store = Forgetful()
    desk = Desk(store)
    with pytest.raises(Unknown):
        await desk.spend(BUDGET, 1)
    assert store.told == 3


async def test_a_store_that_is_open_knows_nothing_and_the_ledger_is_not_bothered() -> None:
    desk = Desk(Forgetful("open"))
    with pytest.raises(Unknown):
        await desk.spend(BUDGET, 1)
    assert desk.book.asked == []


async def test_without_a_ledger_a_budget_begins_with_nothing_and_nobody_has_a_balance() -> None:
    desk = Desk(ledger=False)
    assert not await desk.accounts.has_balance(ANN)
    assert [await desk.spend(BUDGET, 60) for _ in range(2)] == [True, False]
    await asyncio.sleep(2 * BUDGET_AGE)
    assert await desk.spend(BUDGET, 40)
    assert desk.behind == []


async def test_whether_there_is_a_balance_is_remembered_and_looked_at_again_behind() -> None:
    desk = Desk()
    assert not await desk.accounts.has_balance(ANN)
    await desk.pay(10)
    await asyncio.sleep(BALANCE_AGE - 1)
    assert not await desk.accounts.has_balance(ANN)
    assert desk.book.asked == ["balance key:ann"]
    await asyncio.sleep(1)
    assert not await desk.accounts.has_balance(ANN), "nobody waits for the second look"
    await desk.done()
    assert await desk.accounts.has_balance(ANN)
    assert len(desk.book.asked) == 2


async def test_who_must_know_surely_asks_again_but_not_in_the_same_second() -> None:
    desk = Desk()
    assert not await desk.accounts.has_balance(ANN, surely=True)
    await desk.pay(10)
    assert not await desk.accounts.has_balance(ANN, surely=True)
    await asyncio.sleep(REFUSED_AGE)
    assert await desk.accounts.has_balance(ANN, surely=True)


async def test_while_the_ledger_is_away_what_is_remembered_of_a_balance_holds() -> None:
    desk = Desk()
    desk.book.away = True
    with pytest.raises(Unknown):
        await desk.accounts.has_balance(ANN)
    desk.book.away = False
    assert not await desk.accounts.has_balance(ANN)
    desk.book.away = True
    await asyncio.sleep(BALANCE_AGE)
    assert not await desk.accounts.has_balance(ANN, surely=True)


async def test_before_a_balance_refuses_the_ledger_is_looked_at_once_a_second() -> None:
    desk = Desk()
    await desk.pay(10)
    assert await desk.spend(QUOTA, 10)
    await desk.pay(10)
    assert not await desk.spend(QUOTA, 10), "it was looked at this very second"
    await asyncio.sleep(REFUSED_AGE)
    assert await desk.spend(QUOTA, 10)
    assert len(desk.book.asked) == 2


async def test_a_budget_that_refuses_is_not_looked_at_again() -> None:
    desk = Desk()
    assert await desk.spend(BUDGET, 100)
    await asyncio.sleep(BUDGET_AGE)
    assert not await desk.spend(BUDGET, 1)
    assert len(desk.book.asked) == 1


async def test_a_refusal_stands_while_the_ledger_is_away() -> None:
    desk = Desk()
    await desk.pay(10)
    assert await desk.spend(QUOTA, 10)
    desk.book.away = True
    await asyncio.sleep(REFUSED_AGE)
    assert not await desk.spend(QUOTA, 10)


@pytest.mark.parametrize(("holding", "age"), [(QUOTA, BALANCE_AGE), (BUDGET, BUDGET_AGE)])
async def test_an_account_in_use_is_compared_behind_the_request_when_it_is_old(holding: Holding, age: float) -> None:
    desk = Desk()
    await desk.pay(100)
    assert await desk.spend(holding, 1)
    await asyncio.sleep(age - 1)
    assert await desk.spend(holding, 1)
    assert desk.behind == []
    # Another process has spent all.
    desk.book.records = [a_record(1, caller="ann", time=desk.wall(), cost=100)]
    await asyncio.sleep(1)
    assert [await desk.spend(holding, 1) for _ in range(3)] == [True] * 3
    assert len(desk.behind) == 1, "one looks for all"
    await desk.done()
    assert not await desk.spend(holding, 1)


async def test_a_comparison_that_fails_is_tried_again_as_late() -> None:
    desk = Desk()
    assert await desk.spend(BUDGET, 1)
    desk.book.away = True
    await asyncio.sleep(BUDGET_AGE)
    assert await desk.spend(BUDGET, 1)
    await desk.done()
    assert await desk.spend(BUDGET, 1)
    assert desk.behind == []
    await asyncio.sleep(BUDGET_AGE)
    assert await desk.spend(BUDGET, 1)
    assert len(desk.behind) == 1
    await desk.done()


async def test_a_budget_begins_with_the_rows_of_its_window_under_all_its_names() -> None:
    desk = Desk()
    wall = desk.wall()
    desk.book.records = [
        a_record(1, router="/ai", time=wall, cost=30),
        a_record(2, router="/v1", time=wall, cost=20),
        a_record(3, router="/v1", time=wall - 86400, cost=50),
        a_record(4, router="other", time=wall, cost=50),
    ]
    holding = budget_of(Consumer("router", "/ai"), DAY, 100, ("/ai", "/v1"))
    assert [await desk.spend(holding, 50) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("window", "slices"), [(rolling(6 * 3600.0, "6h"), 3600), (rolling(5 * 86400.0, "5d"), 86400)])
async def test_a_rolling_budget_begins_with_its_slices_and_forgets_them_one_by_one(window: Window, slices: int) -> None:
    desk = Desk()
    current = window.at(desk.wall()).current
    desk.book.records = [
        a_record(age, caller="ann", time=float(current - age * slices), cost=20) for age in (0, 1, 2, 50)
    ]
    holding = budget_of(ANN, window, 100, ("ann",))
    assert [await desk.spend(holding, 40) for _ in range(2)] == [True, False]
    await asyncio.sleep(window.length - 2 * slices)
    assert not await desk.spend(holding, 1)
    await asyncio.sleep(slices)
    assert [await desk.spend(holding, 20) for _ in range(2)] == [True, False]


async def test_a_change_that_is_told_of_counts_at_once() -> None:
    desk = Desk()
    assert not await desk.accounts.has_balance(ANN)
    await desk.pay(10)
    await desk.accounts.refresh(ANN)
    assert await desk.accounts.has_balance(ANN)
    assert await desk.spend(QUOTA, 10)
    await desk.pay(-5)
    await desk.pay(5)
    await desk.pay(7)
    await desk.accounts.refresh(ANN)
    assert await desk.spend(QUOTA, 7)
    await asyncio.sleep(0.5)
    await desk.pay(0, "set")
    await desk.accounts.refresh(ANN)
    assert not await desk.spend(QUOTA, 1)


async def test_a_change_is_not_told_by_who_had_asked_before_it() -> None:
    desk = Desk()
    await desk.pay(10)
    desk.book.gate = asyncio.Event()
    first = asyncio.ensure_future(desk.accounts.has_balance(ANN))
    await asyncio.sleep(1)
    told = asyncio.ensure_future(desk.accounts.refresh(ANN))
    await asyncio.sleep(1)
    desk.book.gate.set()
    await told
    assert await first
    assert desk.book.asked == ["balance key:ann"] * 2


async def test_a_change_that_the_ledger_cannot_tell_of_is_no_fault() -> None:
    desk = Desk()
    desk.book.away = True
    await desk.accounts.refresh(ANN)


async def test_a_balance_that_is_more_than_can_be_counted_is_counted_from_what_is_left() -> None:
    desk = Desk()
    for _ in range(3):
        await desk.pay(MOST)
        await asyncio.sleep(1)
    desk.book.records = [a_record(1, caller="ann", time=desk.wall(), cost=2 * MOST)]
    assert not await desk.spend(QUOTA, MOST + 1)
    assert await desk.spend(QUOTA, MOST - 1_000_000 * NANO)
    assert not await desk.spend(QUOTA, 1_000_001 * NANO)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN", 3)
    desk = Desk()
    for number in range(3):
        await desk.accounts.has_balance(Consumer("key", f"{number}"))
    await desk.accounts.has_balance(Consumer("key", "0"))
    assert len(desk.book.asked) == 3
    await desk.accounts.has_balance(ANN)
    await desk.accounts.has_balance(Consumer("key", "0"))
    assert len(desk.book.asked) == 5, "all were forgotten"
