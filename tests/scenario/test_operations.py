"""The process as its operators see it: reloads, drains and the pages that tell."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.house import ALPHA, BARE, BETA, HOUSE, OPENAI, PROVIDERS, Serve, chat
from tests.support.scripted import chat_stream, hang, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

SOLO = "/router/solo/v1/chat/completions"
MOVED = HOUSE.replace(
    "solo: {load-balance: {chat: {strategy: priority, providers: [alpha]",
    "solo: {load-balance: {chat: {strategy: priority, providers: [beta]",
)


async def test_requests_in_flight_finish_on_what_they_began_with(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(gap=1))
    served.upstream.on(BETA, ok())
    before = served.gateway.house.hash
    async with served.client.stream("POST", SOLO, json=chat(stream=True)) as connection:
        assert await served.rewrite(MOVED)
        reply = await served.client.post(SOLO, chat())
        assert reply.headers["x-gateway-provider"] == "beta"
        assert reply.headers["x-gateway-config"] == served.gateway.house.hash != before
        assert [chunk async for chunk in connection] == chat_stream()
    assert connection.headers["x-gateway-config"] == before
    assert connection.complete


async def test_a_try_after_a_reload_still_follows_the_old_plan(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, refuse(delay=1))
    served.upstream.on(BETA, ok())
    request = asyncio.create_task(served.client.post("/router/duo/v1/chat/completions", chat()))
    await asyncio.sleep(0.5)
    assert await served.rewrite(PROVIDERS + "routers: {other: {load-balance: {chat: {providers: [alpha]}}}}")
    assert (await served.client.post("/router/duo/v1/chat/completions", chat())).status == 404
    assert (await request).headers["x-gateway-provider"] == "beta"


async def test_cooled_and_quarantined_keys_stay_so(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=30), status(401), ok())
    await served.client.post("/router/keys/v1/chat/completions", chat())
    assert await served.rewrite(MOVED)
    keys = (await served.client.get("/health")).json()["keys"]["pool"]
    assert keys == {"one": "cooling", "two": "quarantined", "three": "active"}
    await served.client.post("/router/keys/v1/chat/completions", chat())
    assert served.upstream.last.key == "alpha-key-3-00000000"


async def test_a_key_that_cools_on_the_old_config_cools_on_the_new(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=30, delay=5))
    request = asyncio.create_task(served.client.post("/router/once/v1/chat/completions", chat()))
    await asyncio.sleep(1)
    assert await served.rewrite(MOVED)
    await request
    reply = await served.client.post("/router/once/v1/chat/completions", chat())
    assert (reply.status, reply.headers["retry-after"]) == (503, "30")


async def test_an_open_breaker_stays_open(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(500))
    for _ in range(5):
        await served.client.post("/router/once/v1/chat/completions", chat())
    assert await served.rewrite(MOVED)
    assert (await served.client.post("/router/once/v1/chat/completions", chat())).status == 503
    await asyncio.sleep(10)
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post("/router/once/v1/chat/completions", chat())).status == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("routers: {", "routers.yaml"),
        ("routers: {solo: {load-balance: {chat: {providers: [nobody]}}}}", "nobody"),
        ("routers: {solo: {load-balances: {}}}", "load-balances"),
        ("", "empty"),
        ("\x00", ""),
    ],
)
async def test_a_bad_file_changes_nothing_and_is_told(serve: Serve, text: str, said: str) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    house = served.gateway.house
    assert not await served.rewrite(text)
    assert served.gateway.house is house
    assert (await served.client.post(SOLO, chat())).status == 200
    ready = await served.client.get("/readyz")
    assert ready.status == 200
    assert ready.json()["reload"].startswith("rejected")
    assert said in str(ready.json()["problems"])
    assert await served.metric("gateway_config_last_reload_successful") == 0
    assert await served.metric("gateway_config_reloads_total", result="rejected") == 1
    assert (await served.client.get("/health")).json()["status"] == "degraded"
    (line,) = served.log("config rejected, the one before it goes on serving")
    assert (line["level"], line["config"]) == ("error", house.hash)
    # And a good one heals all of it.
    assert await served.rewrite(HOUSE)
    assert (await served.client.get("/readyz")).json()["reload"] == "ok"
    assert await served.metric("gateway_config_last_reload_successful") == 1


async def test_only_what_kept_a_file_from_being_served_is_told_of_it(serve: Serve) -> None:
    served = serve()
    warned = "routers: {r: {cache: {directive: no-store}, load-balance: {chat: {providers: [echo]}}}}"
    assert not await served.rewrite(f"{warned}\nbogus: 1\n")
    (line,) = served.log("config rejected, the one before it goes on serving")
    assert line["problems"] == 1
    assert "bogus" in line["first"]
    (problem,) = (await served.client.get("/readyz")).json()["problems"]
    assert "bogus" in problem


async def test_a_file_that_is_gone_changes_nothing(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    served.path.unlink()
    assert not await served.gateway.reload()
    assert (await served.client.post(SOLO, chat())).status == 200


async def test_reloads_under_traffic_lose_nothing(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok(delay=0.7))
    served.upstream.on(BETA, ok(delay=0.7))

    async def reload_often() -> None:
        for number in range(10):
            await asyncio.sleep(0.5)
            assert await served.rewrite(MOVED if number % 2 == 0 else HOUSE)

    async def ask_often() -> list[int]:
        return [(await served.client.post(SOLO, chat())).status for _ in range(10)]

    *replies, _ = await asyncio.gather(*(ask_often() for _ in range(10)), reload_often())
    assert replies == [[200] * 10] * 10
    assert {call.host for call in served.upstream.sent} == {ALPHA, BETA}
    assert await served.metric("gateway_config_reloads_total", result="ok") == 10


async def test_reloads_at_once_are_one_after_another(serve: Serve) -> None:
    served = serve()
    served.path.write_text(MOVED)
    assert await asyncio.gather(*(served.gateway.reload() for _ in range(3))) == [True] * 3
    served.upstream.on(BETA, ok())
    assert (await served.client.post(SOLO, chat())).status == 200


async def test_what_is_under_way_when_a_drain_begins_goes_on_to_its_end(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(gap=1))
    connection = served.client.connect("POST", SOLO, json=chat(stream=True))
    await asyncio.sleep(0.5)
    drain = asyncio.create_task(served.gateway.drain(30))
    await asyncio.sleep(0)
    ready = await served.client.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (503, "draining")
    assert (await served.client.get("/livez")).status == 200
    # The listener may still hand over what was on its way.
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(SOLO, chat())).status == 200
    assert [chunk async for chunk in connection] == chat_stream()
    assert connection.complete
    await drain


async def test_a_stream_that_outlives_the_drain_ends_with_an_error_event(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(chat_stream()[:2], endless=True, gap=1))
    connection = served.client.connect("POST", SOLO, json=chat(stream=True))
    await asyncio.sleep(0.5)
    await served.gateway.drain(5)
    chunks = [chunk async for chunk in connection]
    assert elapsed() == 5.5
    assert b'"draining"' in chunks[-1]
    assert b"[DONE]" not in b"".join(chunks)
    assert not connection.complete
    assert served.upstream.cancelled_calls == 1
    assert await served.metric("gateway_requests_total", outcome="broken") == 1
    assert await served.metric("gateway_breaker_state", provider="alpha") == 0


async def test_a_request_that_outlives_the_drain_is_told_to_ask_again(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, hang())
    request = asyncio.create_task(served.client.post(SOLO, chat()))
    await asyncio.sleep(1)
    await served.gateway.drain(5)
    reply = await request
    assert (reply.status, reply.json()["error"]["code"], reply.headers["retry-after"]) == (503, "draining", "1")
    assert (await served.client.post(SOLO, chat())).status == 503
    assert served.upstream.hosts() == [ALPHA]


async def test_a_drain_is_begun_once(serve: Serve) -> None:
    served = serve()
    await asyncio.gather(served.gateway.drain(5), served.gateway.drain(100))
    assert elapsed() == 5
    assert len(served.log("draining")) == 1


async def test_a_process_whose_routers_have_no_key_is_alive_and_not_ready(serve: Serve) -> None:
    served = serve(BARE, env={})
    assert (await served.client.get("/livez")).json() == {"status": "alive"}
    ready = await served.client.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (503, "no provider can be asked")


async def test_health_tells_a_person_how_it_is(serve: Serve) -> None:
    served = serve(BARE)
    page = (await served.client.get("/health")).json()
    assert page["status"] == "healthy"
    assert page["keys"]["openai"] == {"OPENAI_API_KEY": "active"}
    assert page["routers"] == ["r"]
    assert page["total_requests"] == 0
    served.upstream.on(OPENAI, status(500))
    for _ in range(3):
        await served.client.post("/router/r/v1/chat/completions", chat())
    page = (await served.client.get("/health")).json()
    assert page["status"] == "degraded"
    assert page["open_breakers"] == ["openai/gpt-4o"]
    assert page["total_requests"] == 3
    assert "sk-openai" not in str(page)


async def test_requests_are_counted_by_what_became_of_them(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok(), status(500))
    for _ in range(2):
        await served.client.post("/router/once/v1/chat/completions", chat())
    total = "gateway_requests_total"
    assert (
        await served.metric(total, router="once", provider="alpha", operation="chat", status="200", outcome="ok") == 1
    )
    assert await served.metric(total, router="once", provider="alpha", status="500", outcome="error") == 1
    assert await served.metric("gateway_attempts_total", provider="alpha") == 2
    assert await served.metric("gateway_faults_total", provider="alpha", kind="unavailable") == 1
    assert await served.metric("gateway_errors_total", router="once", code="upstream_failed") == 1


async def test_what_is_under_way_is_shown(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(endless=True, gap=1))
    async with served.client.stream("POST", SOLO, json=chat(stream=True)):
        assert await served.metric("gateway_requests_in_flight") == 1
        assert await served.metric("gateway_target_in_flight", provider="alpha") == 1
    assert await served.metric("gateway_requests_in_flight") == 0
    assert await served.metric("gateway_target_in_flight", provider="alpha") == 0


@pytest.mark.parametrize("page", ["/livez", "/readyz", "/health", "/metrics"])
async def test_the_pages_are_for_reading(serve: Serve, page: str) -> None:
    served = serve()
    assert (await served.client.get(page)).status == 200
    head = await served.client.request("HEAD", page)
    assert head.status == 200
    assert (await served.client.post(page, {})).status == 405


async def test_the_pages_do_not_count_as_requests(serve: Serve) -> None:
    served = serve()
    for page in ("/livez", "/readyz", "/health", "/metrics"):
        await served.client.get(page)
    assert await served.metric("gateway_requests_total") == 0


async def test_metrics_keep_to_the_text_format(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    await served.client.post(SOLO, chat('odd "name"\\'))
    reply = await served.client.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert await served.metric("gateway_requests_total") == 1
