"""Identical requests under way at the same time are one call upstream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.asgi_client import Response
from tests.support.caches import AUTH, CHAT, as_caller, caching, calls, said
from tests.support.house import ALPHA, Serve, Served, chat
from tests.support.scripted import Script, chat_reply, chat_stream, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

ONCE = ", retries: {max-retries: 0}"


async def together(served: Served, *bodies: dict[str, Any], gap: float = 0.0) -> list[Response]:
    async def ask(number: int, body: dict[str, Any]) -> Response:
        await asyncio.sleep(gap * number)
        return await served.client.post(CHAT, body)

    return list(await asyncio.gather(*(ask(number, body) for number, body in enumerate(bodies))))


async def test_ten_at_once_are_one_call(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(delay=2))
    replies = await together(served, *[chat()] * 10)
    assert sorted(said(reply) or "" for reply in replies) == ["hit"] * 9 + ["miss"]
    assert len({reply.body for reply in replies}) == 1
    assert calls(served) == 1
    assert elapsed() == 2
    assert await served.metric("gateway_cache_requests_total", result="shared") == 9
    assert await served.metric("gateway_tokens_total", kind="output") == 3


async def test_different_questions_do_not_wait_for_each_other(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(delay=2))
    await together(served, chat(), chat(temperature=1))
    assert calls(served) == 2


async def test_a_stream_is_followed_as_it_comes(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b", "c"]), gap=1))
    leader = served.client.connect("POST", CHAT, json=chat(stream=True))
    await leader.head()
    await asyncio.sleep(2.5)
    async with served.client.stream("POST", CHAT, json=chat(stream=True)) as follower:
        # What has passed is there at once, the rest when it comes.
        assert elapsed() == 2.5
        seen = [(elapsed(), chunk) async for chunk in follower]
    assert [at for at, _ in seen] == [2.5, 3, 4, 5]
    assert b"".join(chunk for _, chunk in seen) == b"".join(chat_stream(["a", "b", "c"]))
    assert b"".join([chunk async for chunk in leader]) == b"".join(chat_stream(["a", "b", "c"]))
    await leader.wait()
    assert calls(served) == 1


async def test_one_that_wants_another_form_waits_for_the_end(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b"]), gap=1))
    _, whole, asking = await together(
        served, chat(stream=True), chat(), chat(stream=True, stream_options={"include_usage": True}), gap=0.5
    )
    assert whole.json()["choices"][0]["message"]["content"] == "ab"
    assert asking.body.endswith(b"data: [DONE]\n\n")
    assert calls(served) == 1


async def test_a_leader_that_leaves_takes_nobody_with_it(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b", "c"]), gap=1))
    leader = served.client.connect("POST", CHAT, json=chat(stream=True))
    await leader.head()
    follower = asyncio.create_task(served.client.post(CHAT, chat(stream=True)))
    await asyncio.sleep(1.5)
    await leader.disconnect()
    reply = await follower
    assert not reply.broken
    assert reply.body == b"".join(chat_stream(["a", "b", "c"]))
    assert calls(served) == 1
    assert await served.metric("gateway_requests_total", outcome="disconnected") == 1
    assert said(await served.client.post(CHAT, chat(stream=True))) == "hit"


async def test_a_leader_that_leaves_before_there_is_a_head_takes_nobody_with_it(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(delay=5))
    leader = served.client.connect("POST", CHAT, json=chat())
    await asyncio.sleep(1)
    follower = asyncio.create_task(served.client.post(CHAT, chat()))
    await asyncio.sleep(1)
    await leader.disconnect()
    assert (await follower).status == 200
    assert calls(served) == 1


async def test_a_leader_that_nobody_follows_ends_with_its_client(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b", "c"]), gap=1), ok())
    async with served.client.stream("POST", CHAT, json=chat(stream=True)) as leader:
        await asyncio.sleep(1.5)
        await leader.disconnect()
    assert served.upstream.cancelled_calls == 1
    assert said(await served.client.post(CHAT, chat())) == "miss"


async def test_a_follower_that_leaves_ends_nothing(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b", "c"]), gap=1))
    leader = asyncio.create_task(served.client.post(CHAT, chat(stream=True)))
    await asyncio.sleep(0.5)
    async with served.client.stream("POST", CHAT, json=chat(stream=True)) as follower:
        await asyncio.sleep(1)
        await follower.disconnect()
    assert not (await leader).broken
    assert said(await served.client.post(CHAT, chat(stream=True))) == "hit"


async def test_one_of_the_followers_of_a_leader_that_failed_tries_again(serve: Serve) -> None:
    served = serve(caching(router=ONCE))
    served.upstream.on(ALPHA, status(500, delay=1), ok(delay=1))
    replies = await together(served, *[chat()] * 5)
    assert sorted(reply.status for reply in replies) == [200] * 4 + [500]
    assert calls(served) == 2


@pytest.mark.parametrize("trouble", [status(500, delay=1), status(400, delay=1), refuse(delay=1)])
async def test_a_failure_of_both_is_everybody_s_and_asks_no_more(serve: Serve, trouble: Script) -> None:
    served = serve(caching(router=ONCE))
    served.upstream.on(ALPHA, trouble)
    replies = await together(served, *[chat()] * 8)
    assert {reply.status for reply in replies} <= {400, 500, 502}
    assert calls(served) == 2
    assert elapsed() == 2
    assert len({reply.headers["x-request-id"] for reply in replies}) == 8


async def test_a_stream_that_breaks_is_broken_for_all_that_have_begun_it(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b"]), gap=1, cut_after=2), ok(chat_reply("new")))
    one, two = await together(served, *[chat(stream=True)] * 2)
    for reply in (one, two):
        assert reply.broken
        assert b"[DONE]" not in reply.body
        assert b'"error"' in reply.body
    assert said(await served.client.post(CHAT, chat())) == "miss"


async def test_a_stream_that_breaks_has_one_fetched_whole_for_those_who_waited(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b"]), gap=1, cut_after=2), ok(chat_reply("new")))
    broken, whole = await together(served, chat(stream=True), chat())
    assert broken.broken
    assert whole.json()["choices"][0]["message"]["content"] == "new"
    assert calls(served) == 2


async def test_variants_are_fetched_side_by_side_and_no_more_than_there_are(serve: Serve) -> None:
    served = serve(caching(more="buckets: 2"))
    served.upstream.on(ALPHA, *(ok(chat_reply(f"variant {n}"), delay=1) for n in range(3)))
    replies = await together(served, *[chat()] * 6)
    assert len({reply.body for reply in replies}) == 2
    assert calls(served) == 2


async def test_no_cache_waits_for_nobody(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(delay=2))
    asked = [served.client.post(CHAT, chat(), headers={"cache-control": "no-cache"}) for _ in range(3)]
    assert [said(reply) for reply in await asyncio.gather(*asked)] == ["bypass"] * 3
    assert calls(served) == 3


async def test_tenants_do_not_share_what_is_under_way(serve: Serve) -> None:
    served = serve(caching(top=AUTH))
    served.upstream.on(ALPHA, ok(delay=1))
    await asyncio.gather(*(served.client.post(CHAT, chat(), headers=as_caller(name)) for name in ("ann", "bob")))
    assert calls(served) == 2


async def test_what_is_not_kept_is_shared_all_the_same_while_it_is_under_way(serve: Serve) -> None:
    served = serve(caching(more="max-entry-size: 1KiB"))
    served.upstream.on(ALPHA, stream(chat_stream(["x" * 300] * 6), gap=1))
    one, two = await together(served, *[chat(stream=True)] * 2)
    assert one.body == two.body
    assert calls(served) == 1
    assert said(await served.client.post(CHAT, chat(stream=True))) == "miss"


async def test_one_that_comes_when_too_much_has_passed_fetches_its_own(serve: Serve) -> None:
    served = serve(caching(more="max-entry-size: 1KiB"))
    served.upstream.on(ALPHA, stream(chat_stream(["x" * 300] * 6), gap=1))
    one, two = await together(served, *[chat(stream=True)] * 2, gap=5.5)
    assert one.body == two.body
    assert calls(served) == 2
