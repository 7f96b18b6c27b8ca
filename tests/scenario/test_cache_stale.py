"""Stale answers: while a new one is fetched, and when none can be."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.caches import CHAT, caching, calls, said
from tests.support.house import ALPHA, Serve, Served, chat
from tests.support.scripted import Script, chat_reply, chat_stream, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

ONCE = ", retries: {max-retries: 0}"


def text_of(reply: object) -> str:
    return str(getattr(reply, "json")()["choices"][0]["message"]["content"])  # noqa: B009


async def test_a_stale_answer_is_given_at_once_and_fetched_anew_behind_it(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-while-revalidate=30"))
    served.upstream.on(ALPHA, ok(chat_reply("old")), ok(chat_reply("new"), delay=5))
    await served.client.post(CHAT, chat())
    await asyncio.sleep(70)
    before = elapsed()
    stale = await served.client.post(CHAT, chat())
    assert (said(stale), text_of(stale), stale.headers["age"]) == ("stale", "old", "70")
    assert elapsed() == before
    again = await served.client.post(CHAT, chat())
    assert said(again) == "stale"
    await asyncio.sleep(6)
    fresh = await served.client.post(CHAT, chat())
    assert (said(fresh), text_of(fresh)) == ("hit", "new")
    # However many were given the stale one, it was fetched once.
    assert calls(served) == 2
    assert await served.metric("gateway_tokens_total", kind="output") == 6
    assert await served.metric("gateway_cache_requests_total", result="stale") == 2
    assert await served.metric("gateway_cache_requests_total", result="miss") == 1
    assert await served.metric("gateway_cache_requests_total", result="refresh") == 1


async def test_a_stream_is_fetched_anew_to_its_end(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-while-revalidate=30"))
    served.upstream.on(ALPHA, stream(chat_stream(["old"])), stream(chat_stream(["new"]), gap=1))
    await served.client.post(CHAT, chat(stream=True))
    await asyncio.sleep(61)
    assert b"old" in (await served.client.post(CHAT, chat(stream=True))).body
    await asyncio.sleep(10)
    fresh = await served.client.post(CHAT, chat(stream=True))
    assert said(fresh) == "hit"
    assert b"new" in fresh.body


@pytest.mark.parametrize("trouble", [status(500), refuse(), stream(chat_stream(), cut_after=2)])
async def test_a_refresh_that_fails_leaves_the_stale_answer_and_tries_again(serve: Serve, trouble: Script) -> None:
    served = serve(caching("max-age=60, stale-while-revalidate=30", router=ONCE))
    served.upstream.on(ALPHA, stream(chat_stream(["old"])), trouble, stream(chat_stream(["new"])))
    await served.client.post(CHAT, chat(stream=True))
    await asyncio.sleep(61)
    for _ in range(2):
        assert said(await served.client.post(CHAT, chat(stream=True))) == "stale"
        await asyncio.sleep(1)
    assert said(await served.client.post(CHAT, chat(stream=True))) == "hit"
    assert calls(served) == 3


async def test_a_refresh_ends_with_the_gateway(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-while-revalidate=30"))
    served.upstream.on(ALPHA, ok(), ok(delay=1000))
    await served.client.post(CHAT, chat())
    await asyncio.sleep(61)
    await served.client.post(CHAT, chat())
    await asyncio.sleep(1)
    assert served.upstream.open_calls == 1
    await served.runtime.close()
    assert served.upstream.open_calls == 0


async def test_a_refresh_is_limited_like_any_request(serve: Serve) -> None:
    limit = ", rate-limit: {total: {capacity: 1, refill-frequency: 1h}}"
    served = serve(caching("max-age=60, stale-while-revalidate=3000", router=limit))
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    await asyncio.sleep(61)
    assert said(await served.client.post(CHAT, chat())) == "stale"
    await asyncio.sleep(1)
    assert calls(served) == 1
    assert await served.metric("gateway_errors_total", code="rate_limited") == 1


@pytest.mark.parametrize("trouble", [status(500), status(503), status(429), status(401), refuse()])
async def test_a_stale_answer_stands_in_for_one_that_cannot_be_fetched(serve: Serve, trouble: Script) -> None:
    served = serve(caching("max-age=60, stale-if-error=600", router=ONCE))
    served.upstream.on(ALPHA, ok(chat_reply("old")), trouble)
    await served.client.post(CHAT, chat())
    await asyncio.sleep(300)
    reply = await served.client.post(CHAT, chat())
    assert (reply.status, said(reply), text_of(reply), reply.headers["age"]) == (200, "stale", "old", "300")
    await asyncio.sleep(400)
    assert (await served.client.post(CHAT, chat())).status >= 400


@pytest.mark.parametrize("trouble", [status(400), status(404), status(422)])
async def test_the_request_s_own_fault_is_told(serve: Serve, trouble: Script) -> None:
    served = serve(caching("max-age=60, stale-if-error=600", router=ONCE))
    served.upstream.on(ALPHA, ok(), trouble)
    await served.client.post(CHAT, chat())
    await asyncio.sleep(61)
    assert (await served.client.post(CHAT, chat())).status in (400, 404, 422)


async def test_a_stale_answer_in_bad_times_is_charged_nothing(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-if-error=600", router=ONCE))
    served.upstream.on(ALPHA, ok(), status(500))
    await served.client.post(CHAT, chat())
    await asyncio.sleep(61)
    await served.client.post(CHAT, chat())
    assert await served.metric("gateway_tokens_total", kind="output") == 3
    for result in ("miss", "stale"):
        assert await served.metric("gateway_cache_requests_total", result=result) == 1


async def test_who_wants_no_stale_answer_is_told_the_error(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-if-error=600, stale-while-revalidate=60", router=ONCE))
    served.upstream.on(ALPHA, ok(), status(500))
    await served.client.post(CHAT, chat())
    await asyncio.sleep(70)
    for control in ("no-cache", "max-age=60", "no-store"):
        assert (await served.client.post(CHAT, chat(), headers={"cache-control": control})).status == 500
    strict = await served.client.post(CHAT, chat(), headers={"cache-control": "max-stale=20, stale-if-error=5"})
    assert said(strict) == "stale"


async def test_no_cache_in_the_file_asks_every_time_and_keeps_a_spare(serve: Serve) -> None:
    served = serve(caching("no-cache, stale-if-error=600", router=ONCE))
    served.upstream.on(ALPHA, ok(chat_reply("one")), ok(chat_reply("two")), status(500))
    replies = [await served.client.post(CHAT, chat()) for _ in range(3)]
    assert [(said(reply), text_of(reply)) for reply in replies] == [("miss", "one"), ("miss", "two"), ("stale", "two")]


async def test_max_stale_gives_old_answers_and_fetches_none(serve: Serve) -> None:
    served = serve(caching("max-age=60, max-stale=60"))
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    await asyncio.sleep(119)
    assert said(await served.client.post(CHAT, chat())) == "stale"
    await asyncio.sleep(2)
    assert said(await served.client.post(CHAT, chat())) == "miss"
    assert calls(served) == 2


async def drained(served: Served) -> None:
    while len(served.runtime.behind):
        await asyncio.sleep(1)


async def test_nothing_is_left_to_do_when_all_is_quiet(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-while-revalidate=30"))
    served.upstream.on(ALPHA, ok())
    for _ in range(3):
        await served.client.post(CHAT, chat())
        await asyncio.sleep(61)
    await drained(served)
    assert len(served.runtime.behind) == 0
