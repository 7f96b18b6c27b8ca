"""Requests that spend from one account at the same time, through one store or several that share what they keep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from hypothesis import strategies as st

from gateway.policy.budget import Ask, Charge, Span, Statement, fits
from gateway.store.protocol import AccountStore

KEY: Final = "shared"
_SPAN: Final = Span(1000, 1000, 0, 2000)
_LEASE: Final = 600


class Spender(msgspec.Struct, frozen=True):
    """A request. estimate: what is reserved, cost: what it is charged in the end. turns: how often others come first
    before it begins, and before it ends."""

    estimate: int
    cost: int
    turns: tuple[int, int] = (0, 0)

    @property
    def error(self) -> int:
        """By how much it was estimated too low."""
        return max(self.cost - self.estimate, 0)


spenders: Final = st.lists(
    st.builds(Spender, st.integers(0, 50), st.integers(0, 80), st.tuples(st.integers(0, 3), st.integers(0, 3))),
    max_size=40,
)


async def spend_together(
    stores: Sequence[AccountStore], limit: int, requests: Sequence[Spender], most_at_once: int = 1000
) -> list[Spender]:
    """Those that were granted, when all are over. Each goes through one of the stores in turn."""
    await stores[0].merge(KEY, Statement(_SPAN.oldest))
    room = asyncio.Semaphore(most_at_once)

    async def spend(store: AccountStore, request: Spender) -> bool:
        async with room:
            for _ in range(request.turns[0]):
                await asyncio.sleep(0)
            ask = Ask(KEY, limit, _SPAN, request.estimate)
            found = await store.reserve([ask], _LEASE)
            (state,) = found.states
            assert state is not None
            assert found.granted == fits(ask, state), "nobody is refused who has room"
            if found.granted:
                for _ in range(request.turns[1]):
                    await asyncio.sleep(0)
                store.settle([Charge(KEY, found.granule, request.estimate, _SPAN.current, 0, request.cost)], found.by)
            return found.granted

    granted = await asyncio.gather(
        *(spend(stores[number % len(stores)], request) for number, request in enumerate(requests))
    )
    return [request for request, was_granted in zip(requests, granted, strict=True) if was_granted]


async def standing(stores: Sequence[AccountStore], limit: int) -> tuple[int, int]:
    """What the account says is spent and reserved, when each store has said all it has to say."""
    states = [(await store.reserve([Ask(KEY, limit, _SPAN, 0, soft=True)], _LEASE)).states for store in stores]
    if len(stores) > 1:
        # What the last of them had to say, the first has not seen.
        states.append((await stores[0].reserve([Ask(KEY, limit, _SPAN, 0, soft=True)], _LEASE)).states)
    (state,) = states[-1]
    assert state is not None
    return state.spent, state.reserved
