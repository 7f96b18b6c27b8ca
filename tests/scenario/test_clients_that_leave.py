"""Clients that leave, and clients that do not read."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping

import msgspec
import pytest

from tests.support.house import ALPHA, BETA, HOUSE, Serve, Served, chat
from tests.support.scripted import chat_stream, hang, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

PATH = "/router/duo/v1/chat/completions"
FINISH = HOUSE + "global: {on-disconnect: finish}\n"


async def outcomes(served: Served, outcome: str) -> float:
    return await served.metric("gateway_requests_total", outcome=outcome)


@pytest.mark.parametrize("streamed", [False, True])
async def test_leaving_before_the_head_cancels_the_call_and_blames_nobody(serve: Serve, streamed: bool) -> None:
    served = serve()
    served.upstream.on(ALPHA, hang())
    for _ in range(6):
        connection = served.client.connect("POST", PATH, json=chat(stream=streamed))
        await asyncio.sleep(3)
        await connection.disconnect()
        assert connection.status == 0
    assert elapsed() == 18
    assert served.upstream.hosts() == [ALPHA] * 6
    assert served.upstream.cancelled_calls == 6
    assert await outcomes(served, "disconnected") == 6
    assert await served.metric("gateway_requests_total", status="499") == 6
    assert await served.metric("gateway_breaker_state", provider="alpha") == 0
    assert await served.metric("gateway_faults_total") == 0


async def test_leaving_in_a_stream_cancels_the_call(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(endless=True, gap=1))
    async with served.client.stream("POST", PATH, json=chat(stream=True)) as connection:
        await asyncio.sleep(2.5)
    assert elapsed() == 2.5
    assert not connection.complete
    assert served.upstream.cancelled_calls == 1
    assert served.upstream.last.read == 3
    assert await outcomes(served, "disconnected") == 1
    assert await served.metric("gateway_requests_total", status="200") == 1
    assert await served.metric("gateway_breaker_state", provider="alpha") == 0


async def test_leaving_during_the_wait_for_the_next_try_ends_all(serve: Serve) -> None:
    served = serve(HOUSE.replace("solo: {", "solo: {retries: {strategy: constant, min-delay: 10s, max-delay: 10s}, "))
    served.upstream.on(ALPHA, refuse())
    connection = served.client.connect("POST", "/router/solo/v1/chat/completions", json=chat())
    await asyncio.sleep(1)
    await connection.disconnect()
    await asyncio.sleep(100)
    assert len(served.upstream.sent) == 1
    assert await outcomes(served, "disconnected") == 1


async def test_leaving_while_a_try_is_under_way_is_not_answered_with_another(serve: Serve) -> None:
    served = serve(FINISH)
    served.upstream.on(ALPHA, status(500, delay=5))
    connection = served.client.connect("POST", PATH, json=chat())
    await asyncio.sleep(1)
    await connection.disconnect()
    assert elapsed() == 5
    assert served.upstream.hosts() == [ALPHA]
    assert await outcomes(served, "disconnected") == 1


async def test_leaving_in_the_middle_of_the_body_reaches_nobody(serve: Serve) -> None:
    served = serve()
    connection = served.client.connect("POST", PATH, body=[b'{"model":', b'"x"}'], gap=5)
    await asyncio.sleep(1)
    await connection.disconnect()
    assert served.upstream.sent == []
    assert connection.status == 0
    assert await outcomes(served, "disconnected") == 1


async def test_finish_reads_a_stream_to_its_end_for_its_usage(serve: Serve) -> None:
    served = serve(FINISH)
    served.upstream.on(ALPHA, stream(chat_stream(tokens=(9, 3)), gap=1))
    async with served.client.stream("POST", PATH, json=chat(stream=True)) as connection:
        await asyncio.sleep(1.5)
    assert elapsed() == 6
    assert not connection.complete
    assert served.upstream.last.end == "complete"
    assert await outcomes(served, "disconnected") == 1
    assert await served.metric("gateway_tokens_total", provider="alpha", kind="output") == 3


async def test_finish_waits_for_a_whole_reply_for_its_usage(serve: Serve) -> None:
    served = serve(FINISH)
    served.upstream.on(ALPHA, ok(delay=7))
    connection = served.client.connect("POST", PATH, json=chat())
    await asyncio.sleep(1)
    await connection.disconnect()
    assert elapsed() == 7
    assert await outcomes(served, "disconnected") == 1
    assert await served.metric("gateway_tokens_total", provider="alpha", kind="output") == 3


@pytest.mark.parametrize(
    ("path", "model"), [("/alpha", "x"), ("/ai", "alpha/x"), ("", "alpha/x"), ("/router/solo", "x")]
)
async def test_finish_is_for_every_way_in(serve: Serve, path: str, model: str) -> None:
    served = serve(FINISH)
    served.upstream.on(ALPHA, ok(delay=7))
    connection = served.client.connect("POST", f"{path}/v1/chat/completions", json=chat(model))
    await asyncio.sleep(1)
    await connection.disconnect()
    assert served.upstream.last.end == "complete"
    assert elapsed() == 7


async def test_finish_still_has_its_limits(serve: Serve) -> None:
    served = serve(FINISH)
    served.upstream.on(ALPHA, stream(hang_after=2))
    async with served.client.stream("POST", PATH, json=chat(stream=True)):
        pass
    assert elapsed() == 30
    assert served.upstream.cancelled_calls == 1
    assert await outcomes(served, "disconnected") == 1


async def test_a_client_that_does_not_read_is_not_read_ahead_for(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(chat_stream()[:2], endless=True))
    connection = served.client.connect("POST", PATH, json=chat(stream=True), window=5)
    await asyncio.sleep(100)
    assert connection.unread == 5
    assert served.upstream.last.read <= 7
    await connection.disconnect()
    assert served.upstream.cancelled_calls == 1


async def test_a_client_that_does_not_read_is_not_the_target_s_fault(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(chat_stream() * 3))
    for _ in range(5):
        connection = served.client.connect("POST", PATH, json=chat(stream=True), window=2)
        # Far longer than the idle time, which is the provider's, not the client's.
        await asyncio.sleep(100)
        await connection.disconnect()
    assert await served.metric("gateway_faults_total") == 0
    assert await served.metric("gateway_breaker_state", provider="alpha") == 0


async def test_the_total_time_ends_what_a_client_does_not_read(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(chat_stream()[:2], endless=True))
    connection = served.client.connect("POST", PATH, json=chat(stream=True), window=3)
    await asyncio.sleep(601)
    assert served.upstream.cancelled_calls == 1
    assert await served.metric("gateway_breaker_state", provider="alpha") == 0
    await connection.disconnect()


async def test_a_client_that_reads_on_after_a_pause_gets_everything(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream())
    connection = served.client.connect("POST", PATH, json=chat(stream=True), window=2)
    await asyncio.sleep(120)
    assert [chunk async for chunk in connection] == chat_stream()
    assert connection.complete


async def test_a_thousand_clients_leave_at_once(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(endless=True, gap=1))
    connections = [served.client.connect("POST", PATH, json=chat(stream=True)) for _ in range(1000)]
    await asyncio.sleep(1.5)
    assert served.in_flight() == 1000
    await asyncio.gather(*(connection.disconnect() for connection in connections))
    assert served.upstream.cancelled_calls == 1000
    assert served.upstream.open_calls == 0
    assert served.in_flight() == 0
    assert served.upstream.to(BETA) == []


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_server_that_tells_of_the_end_it_has_sent_tells_of_no_client_that_left(
    serve: Serve, streamed: bool
) -> None:
    """hypercorn's receive gives `http.disconnect` when a reply is over, within the send of its last message."""
    served = serve()
    served.upstream.on(ALPHA, stream(chat_stream("one two"), delay=1) if streamed else ok(delay=1))
    body = msgspec.json.encode(chat(stream=streamed))
    over = asyncio.Event()
    given = False

    async def receive() -> dict[str, object]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, object]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()
            for _ in range(5):
                await asyncio.sleep(0)

    path = PATH.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": PATH, "raw_path": path, "query_string": b"", "headers": headers}
    await served.app({**scope, "root_path": "", "client": ("127.0.0.1", 1)}, receive, send)
    assert await outcomes(served, "ok") == 1
    assert await outcomes(served, "disconnected") == 0
