"""What a request leaves behind goes by itself, however it ended: objects that hold each other wait for the collector,
and while that looks at those of a thousand requests everybody else waits."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Exchange, Reply
from gateway.pipeline.watchdog import Watchdog
from tests.support.caches import CHAT, caching
from tests.support.house import ALPHA, ANTHROPIC, BETA, HOUSE, OPENAI, PROVIDERS, Serve, Served, chat
from tests.support.scripted import Script, chat_stream, hang, message_reply, message_stream, ok, reset, sse, stream
from tests.support.scripted import status as refusal

SOLO = "/router/solo/v1/chat/completions"
DUO = "/router/duo/v1/chat/completions"
ONCE = "/router/once/v1/chat/completions"
R = "/router/r/v1/chat/completions"
PRICES = "prices: {alpha/*: {input: 0, output: 1000}}\n"
TRANSLATING = "routers: {r: {load-balance: {chat: {strategy: priority, providers: [anthropic, openai]}}}}"
ODD = [{"role": "oracle", "content": "Hi"}]
ERROR_EVENT = sse({"error": {"message": "scripted", "type": "server_error", "code": None, "param": None}})

OF_A_REQUEST = (Exchange, Reply, Watchdog, GatewayError, UpstreamFault)


def limited(policy: str) -> str:
    route = f"load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}, {policy}"
    return f"{PROVIDERS}{PRICES}routers:\n  r: {{{route}}}\n"


def asking(number: int, **members: Any) -> dict[str, Any]:
    """A request that nobody has asked before."""
    return chat(**{"messages": [{"role": "user", "content": f"Question {number}"}], **members})


@dataclass(frozen=True)
class Situation:
    """scripts: of the providers, by host. ask: a request, that ends with `status` and leaves its reply whole or
    `broken`."""

    path: str
    scripts: Mapping[str, Sequence[Script]]
    status: int = 200
    text: str = HOUSE
    members: Mapping[str, Any] = field(default_factory=dict)
    broken: bool = False

    async def ask(self, served: Served, number: int) -> None:
        reply = await served.client.post(self.path, asking(number, **self.members))
        assert (reply.status, reply.broken) == (self.status, self.broken), reply.text


STREAMED = {"stream": True}
STALE = caching("max-age=1, stale-if-error=86400, stale-while-revalidate=86400")
RESERVED = limited(
    "budget: {amount: 100}, rate-limit: {total: {capacity: 1000000, unit: tokens, refill-frequency: 1s}}"
)

SITUATIONS = {
    "whole": Situation(SOLO, {ALPHA: [ok()]}),
    "streamed": Situation(SOLO, {ALPHA: [stream(gap=1)]}, members=STREAMED),
    "refused by the provider": Situation(SOLO, {ALPHA: [refusal(400)]}, 400),
    "another target": Situation(DUO, {ALPHA: [reset()], BETA: [ok()]}),
    "no target answers": Situation(DUO, {ALPHA: [refusal(500)], BETA: [refusal(500)]}, 500),
    "no head": Situation(ONCE, {ALPHA: [hang()]}, 504),
    "no first event": Situation(ONCE, {ALPHA: [stream(hang_after=0)]}, 504, members=STREAMED),
    "an error for the first event": Situation(
        DUO, {ALPHA: [stream([ERROR_EVENT])], BETA: [stream()]}, members=STREAMED
    ),
    "an error event later": Situation(
        SOLO, {ALPHA: [stream([chat_stream()[0], ERROR_EVENT])]}, members=STREAMED, broken=True
    ),
    "cut": Situation(SOLO, {ALPHA: [stream(cut_after=1)]}, members=STREAMED, broken=True),
    "stalled": Situation(SOLO, {ALPHA: [stream(hang_after=1)]}, members=STREAMED, broken=True),
    "translated": Situation(R, {ANTHROPIC: [ok(message_reply())]}, text=TRANSLATING),
    "translated stream": Situation(R, {ANTHROPIC: [stream(message_stream())]}, text=TRANSLATING, members=STREAMED),
    "not readable for one": Situation(R, {OPENAI: [ok()]}, text=TRANSLATING, members={"messages": ODD}),
    "kept": Situation(CHAT, {ALPHA: [ok()]}, text=caching()),
    "kept stream": Situation(CHAT, {ALPHA: [stream()]}, text=caching(), members=STREAMED),
    "nothing to keep": Situation(CHAT, {ALPHA: [refusal(400)]}, 400, text=caching()),
    "reserved": Situation(R, {ALPHA: [ok()]}, text=RESERVED),
    "over its budget": Situation(R, {}, 429, text=limited("budget: {amount: 0.0001}")),
    "over its limit": Situation(
        R, {}, 413, text=limited("rate-limit: {total: {capacity: 1, unit: tokens, refill-frequency: 1s}}")
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
async def test_a_request(serve: Serve, situation: Situation) -> None:
    served = serve(situation.text)
    for host, scripts in situation.scripts.items():
        served.upstream.on(host, *scripts)
    await check_garbage(lambda number: situation.ask(served, number))


async def test_requests_that_share_an_answer(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(delay=1))

    async def ask(number: int) -> None:
        asked = (served.client.post(CHAT, asking(number)) for _ in range(3))
        assert [reply.status for reply in await asyncio.gather(*asked)] == [200] * 3

    await check_garbage(ask)


async def test_a_stale_answer_in_place_of_a_failure_and_a_fetch_behind_it(serve: Serve) -> None:
    served = serve(STALE)
    served.upstream.on(ALPHA, ok(), refusal(500))
    await served.client.post(CHAT, chat())

    async def ask(number: int) -> None:
        await asyncio.sleep(10)
        control = {"cache-control": "max-stale=0" if number % 2 else "max-stale=100"}
        assert (await served.client.post(CHAT, chat(), headers=control)).headers["x-gateway-cache"] == "stale"
        await asyncio.sleep(10)

    await check_garbage(ask)


async def test_a_client_that_leaves(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(endless=True, gap=1))

    async def ask(number: int) -> None:
        async with served.client.stream("POST", SOLO, json=asking(number, stream=True)):
            await asyncio.sleep(2)

    await check_garbage(ask)


async def check_garbage(ask: Callable[[int], Awaitable[None]]) -> None:
    """Nothing of the requests that `ask` makes is left for the collector. The first may make what stays."""
    await ask(0)
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(1, 4):
            await ask(number)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [type(one).__name__ for one in gc.garbage if isinstance(one, OF_A_REQUEST)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if was_on:
            gc.enable()
    assert not left
