"""One call and its followers, without a gateway around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call, Exchange
from gateway.pipeline import cache_flight
from gateway.pipeline.cache_flight import Flight


def flight(bound: int = 1000) -> Flight:
    call = Call("openai", "chat", "/chat/completions", stream=True)
    leader = Exchange("1", "POST", "/", b"", [], b"", call, "r", 0.0, 0.0)
    return Flight(leader, bound)


async def pieces(*chunks: bytes, fault: bool = False) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(1)
        yield chunk
    if fault:
        raise UpstreamFault("cut", "reset")


async def test_followers_see_every_piece_in_order_whenever_they_come() -> None:
    shared = flight()
    shared.begin("events", [], b"a")
    early = asyncio.create_task(_all(shared))
    led = []
    late: asyncio.Task[bytes] | None = None
    async for chunk in shared.tee(pieces(b"b", b"c", b"d")):
        led.append(chunk)
        if chunk == b"c":
            late = asyncio.create_task(_all(shared))
    assert late is not None
    assert (await early, await late) == (b"abcd", b"abcd")
    assert led == [b"b", b"c", b"d"]
    assert shared.followers == 0
    assert shared.ended


async def _all(shared: Flight) -> bytes:
    return b"".join([chunk async for chunk in shared.follow()])


async def test_a_leader_that_breaks_breaks_its_followers() -> None:
    shared = flight()
    shared.begin("events", [], b"a")
    follower = asyncio.create_task(_all(shared))
    with pytest.raises(UpstreamFault):
        async for _ in shared.tee(pieces(b"b", fault=True)):
            pass
    with pytest.raises(UpstreamFault, match="shared"):
        await follower
    assert shared.failed
    assert not shared.ended


async def test_a_leader_that_is_left_in_the_middle_has_failed() -> None:
    shared = flight()
    shared.begin("events", [], b"a")
    tee = shared.tee(pieces(b"b", b"c"))
    await anext(tee)
    await tee.aclose()
    assert shared.failed


async def test_what_is_too_large_is_not_held_without_followers() -> None:
    shared = flight(bound=3)
    shared.begin("events", [], b"ab")
    assert [chunk async for chunk in shared.tee(pieces(b"cd", b"ef"))] == [b"cd", b"ef"]
    assert shared.overflowed
    assert shared.chunks == []


async def test_what_is_too_large_is_held_for_followers_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_flight, "HELD_LIMIT", 6)
    shared = flight(bound=3)
    shared.begin("events", [], b"ab")
    follower = asyncio.create_task(_all(shared))
    await asyncio.sleep(0)
    async for _ in shared.tee(pieces(b"cd", b"ef")):
        pass
    assert await follower == b"abcdef"
    broken = flight(bound=3)
    broken.begin("events", [], b"ab")
    follower = asyncio.create_task(_all(broken))
    await asyncio.sleep(0)
    async for _ in broken.tee(pieces(b"cd", b"ef", b"gh")):
        pass
    with pytest.raises(UpstreamFault):
        await follower
