"""What a request costs in things that can be counted: function calls, clock reads, timers, tasks, calls upstream.

Times vary from machine to machine and are measured in benchmarks/. Counts do not, so each is held to
what it is today: a number that must rise is raised here, with a reason.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import digest as hmac_digest
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from tests.support.house import ANTHROPIC, OPENAI, Serve, Served, chat
from tests.support.issuer import ISSUER, jwks, token
from tests.support.scripted import Script, chat_stream, message_reply, message_stream, ok, stream

YAML = """
routers:
  one:
    load-balance:
      chat: {strategy: weighted, providers: [{provider: openai, weight: 7}, {provider: openai/gpt-4.1, weight: 3}]}
"""
PATH = "/router/one/v1/chat/completions"

WHOLE_CALLS: Final = 64
"""And no timer: the two that it waits by are those of others before it."""
STREAM_CALLS: Final = 128
"""Of a stream of 14 events."""
CHUNK_CALLS: Final = 2
"""One resumption of the reply's generator, one of the tap."""
LIMITED: Final = 5
"""More under a limit of two scopes in memory: where the credential is, two calls; the layer, the buckets, and what is
left as headers. None of them is a coroutine."""

KNOWN_CALLER: Final = 2
"""More for one who has a key, or a token that was seen before: where the credential is, and the layer. The digest and
its comparison are not Python."""


@dataclass
class Cost:
    """calls: Python functions entered in the gateway and in Starlette, by `file:name`; a coroutine that is
    resumed counts again. timers, tasks: asked of the loop."""

    calls: Counter[str] = field(default_factory=Counter)
    timers: int = 0
    tasks: int = 0
    upstream: int = 0

    @property
    def total(self) -> int:
        return self.calls.total()


async def cost_of(served: Served, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Cost:
    """One request, after others like it have filled what is remembered."""
    for _ in range(3):
        await served.client.post(PATH, body, headers or {})
        # What is recorded settles at the end of the loop's turn.
        await asyncio.sleep(0)
    cost = Cost()
    loop = asyncio.get_running_loop()
    call_later, create_task = loop.call_later, loop.create_task
    before = len(served.upstream.sent)

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            file = frame.f_code.co_filename
            for package in ("/gateway/", "/starlette/"):
                if package in file and "/tests/" not in file and "/rehearsal/" not in file:
                    cost.calls[f"{file.rpartition(package)[2]}:{frame.f_code.co_name}"] += 1

    def count_timer(delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        cost.timers += 1
        return call_later(delay, callback, *args, **kwargs)

    def count_task(coroutine: Any, **kwargs: Any) -> Any:
        cost.tasks += 1
        return create_task(coroutine, **kwargs)

    loop.call_later, loop.create_task = count_timer, count_task  # type: ignore[method-assign,assignment]
    sys.setprofile(profile)
    try:
        reply = await served.client.post(PATH, body, headers or {})
        await asyncio.sleep(0)
    finally:
        sys.setprofile(None)
        loop.call_later, loop.create_task = call_later, create_task  # type: ignore[method-assign]
    assert reply.status == 200
    # The client's own task, in which a server would run the request.
    cost.tasks -= 1
    cost.upstream = len(served.upstream.sent) - before
    return cost


async def test_a_whole_request(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    cost = await cost_of(served, chat())
    assert cost.total <= WHOLE_CALLS, sorted(cost.calls.items())
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 0)
    again = await cost_of(served, chat())
    assert again.calls == cost.calls


async def test_a_stream_and_each_of_its_chunks(serve: Serve) -> None:
    served = serve(YAML)
    costs = []
    for words in (10, 110):
        served.upstream.on(OPENAI, stream(chat_stream(["word "] * words)))
        costs.append(await cost_of(served, chat(stream=True)))
    short, long = costs
    assert short.total <= STREAM_CALLS, sorted(short.calls.items())
    more = long.calls - short.calls
    assert more.total() <= CHUNK_CALLS * 100, sorted(more.items())
    # A chunk starts no timer and no task, whatever their number.
    assert (long.timers, long.tasks) == (short.timers, short.tasks) == (1, 1)
    assert (long.upstream, short.upstream) == (1, 1)


@pytest.mark.parametrize("routers", [1, 500])
async def test_the_number_of_routers_costs_a_request_nothing(serve: Serve, routers: int) -> None:
    more = "".join(f"  r{n}: {{load-balance: {{chat: {{providers: [openai]}}}}}}\n" for n in range(routers))
    served = serve(YAML + more)
    served.upstream.on(OPENAI, ok())
    assert (await cost_of(served, chat())).total <= WHOLE_CALLS


async def test_the_size_of_a_body_costs_no_calls(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    small = await cost_of(served, chat("gpt-4o"))
    large = await cost_of(served, chat("gpt-4o", messages=[{"role": "user", "content": "x" * 1000}] * 1000))
    assert large.total == small.total


async def test_a_limit_of_two_scopes(serve: Serve) -> None:
    limits = "{per-api-key: {capacity: 1000, refill-frequency: 1s}, total: {capacity: 9000, refill-frequency: 1s}}"
    served = serve(f"{YAML}global: {{rate-limit: {limits}}}\n")
    served.upstream.on(OPENAI, ok())
    cost = await cost_of(served, chat())
    assert cost.total <= WHOLE_CALLS + LIMITED, cost.calls
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 0)


HIT_CALLS: Final = 51
"""All of a request that is answered from memory. Measured without sockets: half of the time of one that is passed
on to a provider that costs nothing; with them, the provider's connection comes on top of the other alone. Seven of them
say what was saved."""
KEPT: Final = 53
"""More when an answer is fetched and kept, half of it when the client has it already. Eight of them say what it has
cost."""
KEPT_CHUNK_CALLS: Final = CHUNK_CALLS + 2
"""The note of what has passed, and the generator that takes it."""

CACHED = YAML.replace("  one:\n", "  one:\n    cache: {directive: max-age=60}\n")


async def test_a_hit_in_memory(serve: Serve) -> None:
    served = serve(CACHED)
    served.upstream.on(OPENAI, ok())
    cost = await cost_of(served, chat())
    assert cost.total <= HIT_CALLS, sorted(cost.calls.items())
    assert (cost.upstream, cost.timers, cost.tasks) == (0, 0, 0)


async def test_an_answer_that_is_fetched_and_kept(serve: Serve) -> None:
    served = serve(CACHED.replace("max-age=60", "'no-cache, stale-if-error=60'"))
    served.upstream.on(OPENAI, ok())
    cost = await cost_of(served, chat())
    assert cost.total <= WHOLE_CALLS + KEPT, sorted(cost.calls.items())
    # The task is the one that writes, when the client has its answer.
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 1)


async def test_a_chunk_of_a_stream_that_is_kept(serve: Serve) -> None:
    served = serve(CACHED.replace("max-age=60", "'no-cache, stale-if-error=60'"))
    costs = []
    for words in (10, 110):
        served.upstream.on(OPENAI, stream(chat_stream(["word "] * words)))
        costs.append(await cost_of(served, chat(stream=True)))
    short, long = costs
    more = long.calls - short.calls
    assert more.total() <= KEPT_CHUNK_CALLS * 100, sorted(more.items())
    assert (long.timers, long.tasks) == (short.timers, short.tasks)


@pytest.mark.parametrize("who", ["a plain hash", "a keyed hash", "a token", "a key that will expire"])
async def test_a_caller_who_is_known(serve: Serve, who: str) -> None:
    key = "gw_some-key"
    plain, keyed = sha256(key.encode()).hexdigest(), hmac_digest(b"p" * 16, key.encode(), "sha256").hex()
    entry = {
        "a plain hash": f"keys: [{{name: a, hash: 'sha256:{plain}', team: b, routers: [one]}}]",
        "a keyed hash": f"pepper: {'p' * 16}, keys: [{{name: a, hash: 'hmac-sha256:{keyed}'}}]",
        "a token": f"jwt: [{{issuer: '{ISSUER}', audience: gateway, jwks-url: '{ISSUER}/keys'}}]",
        "a key that will expire": f"keys: [{{name: a, hash: 'sha256:{plain}', expires: 2099-01-01}}]",
    }
    served = serve(f"{YAML}auth: {{mode: keys, {entry[who]}}}\n")
    served.upstream.on(OPENAI, ok())
    served.upstream.on("id.test", Script(chunks=(jwks(),)))
    credential = token() if who == "a token" else key
    cost = await cost_of(served, chat(), {"authorization": f"Bearer {credential}"})
    assert cost.total <= WHOLE_CALLS + KNOWN_CALLER, sorted(cost.calls.items())
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 0)


TRANSLATED_CALLS: Final = 82
"""More for a request that is read, written in another format, and answered the same way back."""
TRANSLATED_CHUNK_CALLS: Final = CHUNK_CALLS + 9
"""Frames, the provider's reader, and the client's writer."""
FOREIGN = "routers: {one: {load-balance: {chat: {providers: [anthropic/claude-sonnet-4-5]}}}}"


async def test_a_whole_request_that_is_translated(serve: Serve) -> None:
    served = serve(FOREIGN)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    cost = await cost_of(served, chat())
    assert cost.total <= WHOLE_CALLS + TRANSLATED_CALLS, sorted(cost.calls.items())
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 0)


async def test_a_chunk_that_is_translated(serve: Serve) -> None:
    served = serve(FOREIGN)
    costs = []
    for words in (10, 110):
        served.upstream.on(ANTHROPIC, stream(message_stream(["word "] * words)))
        costs.append(await cost_of(served, chat(stream=True)))
    short, long = costs
    more = long.calls - short.calls
    assert more.total() <= TRANSLATED_CHUNK_CALLS * 100, sorted(more.items())
    assert (long.timers, long.tasks) == (short.timers, short.tasks)


UNSAMPLED: Final = 4
"""More with traces, for a request that is not kept: the layer, its ids, and the sink that looks no further. The record
is made for all sinks alike."""
_OF_TRACES: Final = ("traced.py", "sampling.py", "traces.py", "spans.py", "span.py")


async def test_a_request_that_is_not_sampled(serve: Serve) -> None:
    served = serve(f"{YAML}traces: {{sampling: 0}}\n")
    served.upstream.on(OPENAI, ok())
    cost = await cost_of(served, chat())
    own = [count for name, count in cost.calls.items() if name.partition(":")[0].endswith(_OF_TRACES)]
    assert sum(own) == UNSAMPLED, sorted(cost.calls.items())
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 0)


RECORDED: Final = 10 + 8
"""More with a ledger. For each: what it has cost (four), the record of it (four), cut to size, and put among those like
it. For all that end in one turn of the loop, however many: the steps that they are taken through together. Rows are
written many at once."""


async def test_a_request_that_is_recorded(serve: Serve, tmp_path: Path) -> None:
    served = serve(f"{YAML}ledger: {{url: 'sqlite:///{tmp_path / 'ledger.db'}', spool: '{tmp_path / 'spool'}'}}\n")
    served.upstream.on(OPENAI, ok())
    cost = await cost_of(served, chat())
    assert cost.total <= WHOLE_CALLS + RECORDED, sorted(cost.calls.items())
    assert (cost.upstream, cost.timers, cost.tasks) == (1, 0, 0)
