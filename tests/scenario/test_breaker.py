"""The circuit breaker of a target, as requests meet it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.house import ALPHA, BETA, PROVIDERS, Serve, Served, chat
from tests.support.scripted import hang, ok, refuse, reset, status, stream
from tests.support.virtual_time import elapsed

PATH = "/router/once/v1/chat/completions"
CLOSED, HALF_OPEN, OPEN = 0, 1, 2


async def ask(served: Served, times: int = 1, path: str = PATH) -> list[int]:
    return [(await served.client.post(path, chat())).status for _ in range(times)]


async def state(served: Served) -> float:
    return await served.metric("gateway_breaker_state", provider="alpha")


async def test_it_opens_after_five_in_a_row_and_answers_at_once(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(500))
    assert await ask(served, 4) == [500] * 4
    assert await state(served) == CLOSED
    await ask(served)
    assert await state(served) == OPEN
    reply = await served.client.post(PATH, chat())
    assert (reply.status, reply.headers["retry-after"]) == (503, "10")
    assert "alpha: breaker open, probe in 10 s" in reply.json()["error"]["message"]
    assert len(served.upstream.sent) == 5
    assert elapsed() == 0


async def test_a_success_between_failures_starts_the_count_again(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, *[status(500)] * 4, ok(), *[status(500)] * 4, ok())
    await ask(served, 9)
    assert await state(served) == CLOSED


async def test_it_opens_above_half_of_twenty_in_thirty_seconds(serve: Serve) -> None:
    served = serve()
    pattern = [status(500), status(500), ok()] * 7
    served.upstream.on(ALPHA, *pattern)
    await ask(served, 19)
    assert await state(served) == CLOSED
    await ask(served, 1)
    assert await state(served) == OPEN


async def test_failures_of_long_ago_do_not_count(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, *[status(500), status(500), ok()] * 20)
    for _ in range(40):
        await ask(served)
        await asyncio.sleep(3)
    assert await state(served) == CLOSED


async def test_one_probe_decides_and_closes_it(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, *[refuse()] * 5, ok(delay=2))
    await ask(served, 5)
    await asyncio.sleep(10)
    assert await state(served) == HALF_OPEN
    probe = asyncio.create_task(ask(served))
    await asyncio.sleep(1)
    # While the probe is under way nobody else is let through.
    assert await ask(served, 3) == [503] * 3
    assert await probe == [200]
    assert await state(served) == CLOSED
    assert await ask(served, 2) == [200, 200]


async def test_each_failed_probe_doubles_the_time_up_to_two_minutes(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(500))
    await ask(served, 5)
    for wait in (10, 20, 40, 80, 120, 120):
        await asyncio.sleep(wait - 0.5)
        assert await ask(served) == [503]
        await asyncio.sleep(0.5)
        assert await ask(served) == [500]
        assert await state(served) == OPEN
    served.upstream.on(ALPHA, ok())
    await asyncio.sleep(120)
    assert await ask(served) == [200]
    assert await state(served) == CLOSED
    # Closed for good: the next opening starts from ten seconds again.
    served.upstream.on(ALPHA, status(500))
    await ask(served, 5)
    assert (await served.client.post(PATH, chat())).headers["retry-after"] == "10"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_probe_whose_client_leaves_gives_its_place_to_the_next(serve: Serve, streamed: bool) -> None:
    served = serve()
    served.upstream.on(ALPHA, *[reset()] * 5, hang(), ok())
    await ask(served, 5)
    await asyncio.sleep(10)
    connection = served.client.connect("POST", PATH, json=chat(stream=streamed))
    await asyncio.sleep(1)
    assert await ask(served) == [503]
    await connection.disconnect()
    assert await ask(served) == [200]
    assert await state(served) == CLOSED


async def test_the_first_event_of_a_probe_s_stream_closes_it(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, *[reset()] * 5, stream(gap=5), ok())
    await ask(served, 5)
    await asyncio.sleep(10)
    async with served.client.stream("POST", PATH, json=chat(stream=True)) as probe:
        assert probe.status == 200
        assert await state(served) == CLOSED
        assert await ask(served) == [200]


async def test_an_open_breaker_leaves_the_requests_to_the_other_target(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, refuse())
    served.upstream.on(BETA, ok())
    path = "/router/duo/v1/chat/completions"
    assert await ask(served, 8, path) == [200] * 8
    assert len(served.upstream.to(ALPHA)) == 5
    assert len(served.upstream.to(BETA)) == 8


async def test_routers_share_what_is_known_of_a_target(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(500))
    await ask(served, 5)
    assert await ask(served, 1, "/router/solo/v1/chat/completions") == [503]


async def test_models_of_one_provider_have_breakers_of_their_own(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai]}}, retries: {max-retries: 0}}}")
    served.upstream.on("api.openai.com", *[status(500)] * 5, ok())
    for _ in range(5):
        await served.client.post("/router/r/v1/chat/completions", chat("gpt-4o"))
    assert (await served.client.post("/router/r/v1/chat/completions", chat("gpt-4o"))).status == 503
    assert (await served.client.post("/router/r/v1/chat/completions", chat("gpt-4.1"))).status == 200


async def test_its_numbers_are_the_provider_s_own(serve: Serve) -> None:
    text = PROVIDERS.replace("alpha: {", "alpha: {breaker: {consecutive-failures: 2, open-for: 3s}, ")
    served = serve(text + "routers: {once: {load-balance: {chat: {providers: [alpha]}}, retries: {max-retries: 0}}}")
    served.upstream.on(ALPHA, status(500))
    await ask(served, 2)
    assert (await served.client.post(PATH, chat())).headers["retry-after"] == "3"
