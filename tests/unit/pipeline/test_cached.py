"""The cache's layer around a handler of one's own, for what a whole gateway does too quickly, and for replicas."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Exchange, Handler, Reply
from gateway.pipeline.cache_fetch import LEASE, WAIT_STREAM, WAIT_WHOLE
from gateway.pipeline.cached import cached
from gateway.pipeline.settings import CachePolicy
from gateway.policy.cache_control import read_directive
from gateway.runtime import Runtime
from gateway.store.cache_memory import MemoryCache
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from tests.support.replies import openai_chat
from tests.support.scripted import ScriptedTransport
from tests.support.virtual_time import elapsed, virtual_clock

Answer = Callable[[Exchange, int], str]


def replica(store: MemoryCache, inner: Handler, *, leases: bool = False, directive: str = "max-age=60") -> Handler:
    clock = virtual_clock()
    transport = ScriptedTransport()
    log = Log(clock.wall, "json", "debug", io.StringIO())
    runtime = Runtime(clock=clock, transport=transport, echo=transport, log=log, metrics=Metrics())
    policy = CachePolicy("r", read_directive(directive), "router", leases=leases)
    handle = cached(policy, store, runtime)(inner)

    async def serve(exchange: Exchange) -> Reply:
        """As the edge does: settled when it is over."""
        try:
            return await handle(exchange)
        finally:
            for settle in exchange.on_settle:
                settle(exchange)

    return serve


def asking(caller: str = "", *, stream: bool = False) -> Exchange:
    call = Call("openai", "chat", "/chat/completions", stream=stream)
    body = b'{"model":"m","messages":[]}'
    return Exchange("1", "POST", "/", b"", [], body, call, "r", elapsed(), elapsed(), caller=caller)


class Provider:
    """Takes its time. calls: when each came, and whose it was."""

    def __init__(self, seconds: float, fails: Callable[[Exchange], GatewayError | None] = lambda _: None) -> None:
        self.calls: list[tuple[float, str]] = []
        self._seconds = seconds
        self._fails = fails

    async def __call__(self, exchange: Exchange) -> Reply:
        self.calls.append((elapsed(), exchange.caller))
        await asyncio.sleep(self._seconds)
        if (error := self._fails(exchange)) is not None:
            raise error
        return Reply(200, [(b"content-type", b"application/json")], openai_chat(f"for {exchange.caller}"))


def outcome(result: Reply | BaseException) -> str:
    if isinstance(result, GatewayError):
        return result.code
    assert isinstance(result, Reply)
    return dict(result.headers)[b"x-gateway-cache"].decode()


async def test_a_denial_is_of_one_caller_and_is_never_handed_to_another() -> None:
    denied = {"ann": "rate_limited", "bob": "request_exceeds_limit"}
    provider = Provider(
        1, lambda exchange: GatewayError(code, "No.") if (code := denied.get(exchange.caller)) else None
    )
    layer = replica(MemoryCache(elapsed), provider)
    asked = [layer(asking(name)) for name in ("ann", "bob", "eve", "kim")]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcome(result) for result in results] == ["rate_limited", "request_exceeds_limit", "miss", "miss"]


async def test_a_failure_that_everybody_would_have_is_handed_on() -> None:
    provider = Provider(1, lambda _: GatewayError("upstream_failed", "No.", headers=((b"x-of-one", b"1"),)))
    layer = replica(MemoryCache(elapsed), provider)
    results = await asyncio.gather(*(layer(asking(name)) for name in ("ann", "bob", "eve")), return_exceptions=True)
    assert [outcome(result) for result in results] == ["upstream_failed"] * 3
    assert len(provider.calls) == 2
    assert results[0] is not results[2]
    last = results[2]
    assert isinstance(last, GatewayError)
    assert last.headers == ((b"x-gateway-cache", b"miss"),)


async def test_replicas_fetch_once() -> None:
    store, provider = MemoryCache(elapsed), Provider(3)
    layers = [replica(store, provider, leases=True) for _ in range(3)]
    results = await asyncio.gather(*(layer(asking(f"{n}")) for n, layer in enumerate(layers)))
    assert sorted(outcome(result) for result in results) == ["hit", "hit", "miss"]
    assert len({result.first for result in results}) == 1
    assert len(provider.calls) == 1


@pytest.mark.parametrize(("stream", "wait"), [(False, WAIT_WHOLE), (True, WAIT_STREAM)])
async def test_a_replica_waits_for_another_no_longer_than_it_should(stream: bool, wait: float) -> None:
    store = MemoryCache(elapsed)
    one, two = Provider(60), Provider(0)
    slow, quick = replica(store, one, leases=True), replica(store, two, leases=True)
    leader = asyncio.ensure_future(slow(asking("a", stream=stream)))
    await asyncio.sleep(0)
    assert outcome(await quick(asking("b", stream=stream))) == "miss"
    assert wait <= two.calls[0][0] <= wait + 0.5
    await leader


async def test_a_replica_that_died_stands_in_nobody_s_way_for_longer_than_its_lease() -> None:
    store, provider = MemoryCache(elapsed), Provider(0)
    held: list[str] = []

    class Watching(MemoryCache):
        async def lease(self, key: str, holder: str, ttl: float) -> bool:
            held.append(key)
            return await super().lease(key, holder, ttl)

    store = Watching(elapsed)
    died = asyncio.ensure_future(replica(store, Provider(1000), leases=True)(asking("a")))
    await asyncio.sleep(0)
    # As after `kill -9`: nothing is released.
    store.release = _never  # type: ignore[method-assign]
    died.cancel()
    await replica(store, provider, leases=True)(asking("b"))
    assert provider.calls[0][0] <= LEASE + 0.5
    assert len(held) < 40


async def _never(key: str, holder: str) -> None:
    return None


async def test_a_replica_that_fails_gives_its_turn_away() -> None:
    store = MemoryCache(elapsed)
    failing = replica(store, Provider(1, lambda _: GatewayError("upstream_failed", "No.")), leases=True)
    good = Provider(0)
    results = await asyncio.gather(
        failing(asking("a")), replica(store, good, leases=True)(asking("b")), return_exceptions=True
    )
    assert [outcome(result) for result in results] == ["upstream_failed", "miss"]
    assert 1 <= good.calls[0][0] < 1.6


async def test_only_one_replica_fetches_a_stale_answer_anew() -> None:
    store, provider = MemoryCache(elapsed), Provider(1)
    layers = [
        replica(store, provider, leases=True, directive="max-age=10, stale-while-revalidate=60") for _ in range(3)
    ]
    await layers[0](asking("first"))
    await asyncio.sleep(15)
    results = await asyncio.gather(*(layer(asking(f"{n}")) for n, layer in enumerate(layers)))
    assert [outcome(result) for result in results] == ["stale"] * 3
    await asyncio.sleep(2)
    assert len(provider.calls) == 2
    assert outcome(await layers[2](asking("last"))) == "hit"
