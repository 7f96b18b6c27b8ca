"""Limits that a provider's keys have: kept to before the provider says 429, by one gateway and by several together."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any

import pytest

from gateway.upstream.transport import UpstreamRequest
from tests.support.house import ALPHA, BETA, Serve, Served, chat
from tests.support.scripted import Script, chat_reply, ok, refuse, status
from tests.support.virtual_time import elapsed

PATH = "/router/r/v1/chat/completions"
ONE, TWO, THREE = "alpha-key-1-00000000", "alpha-key-2-00000000", "alpha-key-3-00000000"


def yaml(*limits: str, balance: str = "[pool]", retries: int = 0) -> str:
    """A pool of alpha's keys, each with its limit, or `` for none; beta's has none."""
    keys = [
        f"      - {{name: k{n}, value: '${{env:ALPHA_{n}}}'{f', limit: {limit}' if limit else ''}}}\n"
        for n, limit in enumerate(limits, 1)
    ]
    return (
        "providers:\n  pool:\n    dialect: openai\n    base-url: http://alpha.test/v1\n    models: ['*']\n    keys:\n"
        + "".join(keys)
        + "  beta: {dialect: openai, base-url: 'http://beta.test/v1', models: ['*'], keys: ['${env:BETA_1}']}\n"
        f"routers: {{r: {{load-balance: {{chat: {{strategy: priority, providers: {balance}}}}}, "
        f"retries: {{max-retries: {retries}}}}}}}\n"
    )


class Strict:
    """A provider that lets no key make more than `most` calls in any minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, deque[float]] = {}
        self.refused = 0

    def __call__(self, request: UpstreamRequest, _: int) -> Script:
        key = dict(request.headers)["authorization"].removeprefix("Bearer ")
        seen = self._seen.setdefault(key, deque())
        while seen and elapsed() - seen[0] >= 60:
            seen.popleft()
        if len(seen) >= self._most:
            self.refused += 1
            return status(429, retry_after=30)
        seen.append(elapsed())
        return ok()


def keys(served: Served) -> list[str]:
    return [call.key for call in served.upstream.sent]


async def ask(served: Served, **members: Any) -> int:
    return (await served.client.post(PATH, chat(**members))).status


async def test_a_key_without_a_limit_is_asked_for_nothing(serve: Serve) -> None:
    served = serve(yaml("", ""))
    served.upstream.on(ALPHA, ok())
    for _ in range(4):
        assert await ask(served) == 200
    assert keys(served) == [ONE, TWO, ONE, TWO]


async def test_the_key_with_the_most_room_is_next(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 15}", "{requests-per-minute: 60}"))
    served.upstream.on(ALPHA, ok())
    for _ in range(15):
        assert await ask(served) == 200
    # 3 at once of 15 a minute, 12 of 60: in that proportion, and all of both.
    assert Counter(keys(served)) == {ONE: 3, TWO: 12}
    assert await ask(served) == 503


async def test_a_provider_that_is_strict_never_has_to_refuse(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 15}", "{requests-per-minute: 15}"))
    strict = Strict(15)
    served.upstream.on(ALPHA, strict)
    granted = 0
    for _ in range(600):
        granted += await ask(served) == 200
        await asyncio.sleep(1)
    assert strict.refused == 0
    # 13 a minute and key in the long run, beside the burst.
    assert granted >= 2 * 13 * 10


async def test_without_room_another_target_is_asked_whatever_the_retries(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 1}", balance="[pool, beta]"))
    served.upstream.on(ALPHA, ok())
    served.upstream.on(BETA, ok())
    for _ in range(3):
        assert await ask(served) == 200
    assert served.upstream.hosts() == [ALPHA, BETA, BETA]


async def test_without_any_room_the_client_is_told_when_there_is(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 1}", "{requests-per-minute: 2}"))
    served.upstream.on(ALPHA, ok())
    assert [await ask(served) for _ in range(2)] == [200, 200]
    await asyncio.sleep(1)
    reply = await served.client.post(PATH, chat())
    assert reply.status == 503
    assert reply.json()["error"]["code"] == "no_eligible_target"
    assert "pool: all 2 keys at their limits, next in 29 s" in reply.json()["error"]["message"]
    assert reply.headers["retry-after"] == "29"
    assert await served.metric("gateway_keys", provider="pool", state="limited") == 2
    await asyncio.sleep(29)
    assert await ask(served) == 200


async def test_a_retry_takes_room_too(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 2}", balance="[pool, beta]", retries=2))
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, status(500))
    assert await ask(served) == 500
    assert served.upstream.hosts() == [ALPHA, BETA]
    assert await ask(served) == 500
    assert served.upstream.hosts().count(ALPHA) == 1, "a minute's half has not passed"


async def test_a_429_after_all_takes_the_next_key_with_room(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 15}", "{requests-per-minute: 15}", retries=2))
    served.upstream.on(ALPHA, status(429, retry_after=5), ok())
    assert await ask(served) == 200
    assert keys(served) == [ONE, TWO]


async def test_what_never_reached_the_provider_is_given_back(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 1}"))
    served.upstream.on(ALPHA, refuse(), ok())
    assert await ask(served) == 502
    assert await ask(served) == 200


async def test_tokens_are_reserved_and_settled(serve: Serve) -> None:
    served = serve(yaml("{tokens-per-minute: 1000}"))
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(50, 50))))
    assert await ask(served, max_tokens=900) == 200
    # 100 were used: 900 are left, and a little.
    assert await ask(served, max_tokens=860) == 200
    reply = await served.client.post(PATH, chat(max_tokens=900))
    assert reply.status == 503
    assert 5 <= int(reply.headers["retry-after"]) <= 9
    assert await ask(served, max_tokens=300) == 200, "a small one still fits"


async def test_a_request_larger_than_any_keys_minute_is_not_told_to_wait(serve: Serve) -> None:
    served = serve(yaml("{tokens-per-minute: 1000}"))
    reply = await served.client.post(PATH, chat(max_tokens=1000))
    assert reply.status == 503
    assert "its key at its limit" in reply.json()["error"]["message"]
    assert "retry-after" not in reply.headers
    assert not served.upstream.sent


async def test_a_stated_limit_that_is_changed_counts_from_the_reload(serve: Serve) -> None:
    served = serve(yaml("{requests-per-minute: 1}"))
    served.upstream.on(ALPHA, ok())
    assert [await ask(served) for _ in range(2)] == [200, 503]
    assert await served.rewrite(yaml("{requests-per-minute: 10}"))
    assert [await ask(served) for _ in range(3)] == [200, 200, 503]


async def test_replicas_that_share_a_store_spend_a_limit_together(serve: Serve) -> None:
    replicas = [serve(yaml("{requests-per-minute: 15}")) for _ in range(3)]
    strict = Strict(15)
    for replica in replicas:
        replica.upstream.on(ALPHA, strict)
        # One process's store stands for the one that replicas share.
        replica.runtime.stores = replicas[0].runtime.stores
        assert await replica.gateway.reload()
    granted = 0
    for second in range(300):
        granted += await ask(replicas[second % 3]) == 200
        await asyncio.sleep(1)
    assert strict.refused == 0
    assert 13 * 5 <= granted <= 15 * 5


@pytest.mark.parametrize("limit", [1, 2, 7, 60])
async def test_every_limit_is_used_well(serve: Serve, limit: int) -> None:
    served = serve(yaml(f"{{requests-per-minute: {limit}}}"))
    strict = Strict(limit)
    served.upstream.on(ALPHA, strict)
    granted = 0
    for _ in range(1200):
        granted += await ask(served) == 200
        await asyncio.sleep(0.5)
    assert strict.refused == 0
    assert granted >= 0.8 * limit * 10
