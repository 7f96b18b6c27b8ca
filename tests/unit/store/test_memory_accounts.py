"""Accounts in the memory of a process: what is reserved of several at once, and who is forgotten."""

from __future__ import annotations

from gateway.policy.budget import PREPAID, Ask, Charge, Span, State, Statement
from gateway.store.memory_accounts import MemoryAccounts

TODAY = Span(1000, 1000, 0, 2000)


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def ask(key: str = "a", amount: int = 10, limit: int | None = 100, *, soft: bool = False) -> Ask:
    return Ask(key, limit, TODAY if limit is not None else PREPAID, amount, soft)


async def known(store: MemoryAccounts, *keys: str) -> None:
    for key in keys:
        await store.merge(key, Statement(0))


async def state(store: MemoryAccounts, key: str = "a") -> State | None:
    """How a budget of 100 stands."""
    (found,) = (await store.reserve([ask(key, 0, soft=True)], 60)).states
    return found


async def test_an_account_that_nobody_told_of_is_not_known_and_gives_nothing() -> None:
    store = MemoryAccounts(Now())
    found = await store.reserve([ask()], 60)
    assert (found.granted, found.known, found.states) == (False, False, (None,))
    assert len(store) == 0


async def test_what_is_granted_is_reserved_and_the_state_is_of_before() -> None:
    store = MemoryAccounts(Now())
    await known(store, "a")
    first, second = [await store.reserve([ask(amount=60)], 60) for _ in range(2)]
    assert (first.granted, first.states) == (True, (State(0, 0, 100),))
    assert (second.granted, second.states) == (False, (State(0, 60, 100),))


async def test_of_several_accounts_all_are_reserved_or_none() -> None:
    store = MemoryAccounts(Now())
    await known(store, "a", "b")
    assert not (await store.reserve([ask("a"), ask("b", 101)], 60)).granted
    assert not (await store.reserve([ask("a"), ask("c")], 60)).granted, "c is not known"
    assert await state(store) == State(0, 0, 100)
    assert (await store.reserve([ask("a"), ask("b", 101, soft=True)], 60)).granted
    assert await state(store) == State(0, 10, 100)
    assert await state(store, "b") == State(0, 101, 100)


async def test_a_charge_gives_the_reservation_back_and_stays() -> None:
    store = MemoryAccounts(Now())
    await known(store, "a")
    granule = (await store.reserve([ask()], 60)).granule
    store.settle([Charge("a", granule, 10, TODAY.current, 0, 7), Charge("gone", granule, 10, TODAY.current, 0, 7)])
    assert await state(store) == State(7, 0, 100)


async def test_what_nobody_settles_comes_back_on_the_store_s_own_clock() -> None:
    now = Now()
    store = MemoryAccounts(now)
    await known(store, "a")
    await store.reserve([ask()], 60)
    now.seconds = 59
    assert await state(store) == State(0, 10, 100)
    now.seconds = 180
    assert await state(store) == State(0, 0, 100)


async def test_what_another_decided_is_not_settled_here() -> None:
    """Of two stores, what was reserved of one must not be given back to the other."""
    store = MemoryAccounts(Now(), by="local")
    await store.merge("a", Statement(0), "store")
    assert len(store) == 0
    await store.merge("a", Statement(0), "local")
    granted = await store.reserve([ask()], 60)
    assert granted.by == "local"
    charge = Charge("a", granted.granule, 10, TODAY.current, 0, 7)
    store.settle([charge], "store")
    store.settle([charge], "open")
    assert await state(store) == State(0, 10, 100)
    store.settle([charge], "local")
    assert await state(store) == State(7, 0, 100)


async def test_a_balance_goes_by_what_was_granted() -> None:
    store = MemoryAccounts(Now())
    await store.merge("q", Statement(0, 50, 5, {0: 20}))
    found = await store.reserve([ask("q", 31, None)], 60)
    assert (found.granted, found.states) == (False, (State(20, 0, 50, 5),))
    assert (await store.reserve([ask("q", 30, None)], 60)).granted


async def test_an_account_in_use_is_kept_and_the_one_that_rested_goes() -> None:
    store = MemoryAccounts(Now(), most=2)
    await known(store, "a", "b")
    await state(store)
    await known(store, "c")
    assert await state(store) is not None
    assert await state(store, "b") is None
    assert len(store) == 2
