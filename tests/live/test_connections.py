from __future__ import annotations

import asyncio
import contextlib
import json

import h2.connection
import h2.events
import httpx2
import pytest
from hyperframe.frame import DataFrame

from tests.live.conftest import House
from tests.support.loopback import Connection, serve, within_bound
from tests.support.processes import BOUND
from tests.support.raw_client import RawClient, connect
from tests.support.scripted import DONE, chat_chunk, chat_stream

pytestmark = pytest.mark.real_time

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**BODY, "stream": True}
SSE = b"content-type: text/event-stream\r\n"
JSON = b"content-type: application/json\r\n"
REPLY = b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[]}'


async def answer_whole(connection: Connection) -> None:
    while await connection.read_request():
        await connection.answer(REPLY, headers=JSON)


async def start_stream(connection: Connection) -> None:
    await connection.read_request()
    await connection.start_chunked(SSE)
    await connection.write_chunk(chat_chunk({"content": "first"}))


async def read_first(client: RawClient) -> None:
    assert await client.read_head() == 200
    assert b"first" in await client.read_chunk()


async def test_a_stream_is_not_buffered(house: House) -> None:
    """The second event is not sent before the client has the first."""
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await start_stream(connection)
        await within_bound(seen.wait())
        await connection.write_chunk(chat_chunk({"content": "second"}, "stop") + DONE)
        await connection.write_chunk(b"")

    async with serve(script, house.upstream), connect(house.port) as client:
        await client.send("POST", house.lane(), STREAMED)
        await read_first(client)
        seen.set()
        rest = await client.read_body()
        assert b"second" in rest
        assert rest.endswith(DONE)


async def test_a_client_that_leaves_before_the_head_ends_the_call(house: House) -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        arrived.set()
        await connection.wait_closed_by_client()
        ended.set()

    async with serve(script, house.upstream), connect(house.port) as client:
        await client.send("POST", house.lane(), BODY)
        await within_bound(arrived.wait())
        client.leave()
        await within_bound(ended.wait())


async def test_a_client_that_leaves_in_a_stream_ends_the_call(house: House) -> None:
    ended = asyncio.Event()

    async def script(connection: Connection) -> None:
        await start_stream(connection)
        await connection.wait_closed_by_client()
        ended.set()

    async with serve(script, house.upstream), connect(house.port) as client:
        await client.send("POST", house.lane(), STREAMED)
        await read_first(client)
        client.leave()
        await within_bound(ended.wait())


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_stream_that_breaks_has_an_error_event_and_no_end(house: House, how: str) -> None:
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await start_stream(connection)
        await within_bound(seen.wait())
        if how == "reset":
            connection.reset()

    async with serve(script, house.upstream), connect(house.port) as client:
        await client.send("POST", house.lane(), STREAMED)
        await read_first(client)
        seen.set()
        rest = await client.read_until_broken()
        assert b'"code":"upstream_cut"' in rest
        assert DONE not in rest


async def test_a_connection_is_kept_for_the_next_request(house: House) -> None:
    lane = house.lane()
    async with serve(answer_whole, house.upstream) as upstream, connect(house.port) as client:
        for _ in range(3):
            assert (await client.ask("POST", lane, BODY))["object"] == "chat.completion"
            assert (await client.ask("POST", "/router/nobody/v1/chat/completions", BODY))["error"]
            assert client.status == 404
        assert len(upstream.connections) == 1, "the connection to the provider is kept as well"


async def test_a_stream_leaves_the_connection_usable(house: House) -> None:
    lane = house.lane()

    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.start_chunked(SSE)
            for event in (*chat_stream(), b""):
                await connection.write_chunk(event)

    async with serve(script, house.upstream) as upstream, connect(house.port) as client:
        for _ in range(3):
            await client.send("POST", lane, STREAMED)
            assert await client.read_head() == 200
            assert (await client.read_body()).endswith(DONE)
        assert len(upstream.connections) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/livez", 200),
        ("HEAD", "/metrics", 200),
        ("OPTIONS", "/livez", 405),
        ("DELETE", "/metrics", 405),
        ("HEAD", "/router/lane0/v1/chat/completions", 405),
        ("OPTIONS", "/router/lane0/v1/chat/completions", 405),
        ("GET", "/router/lane0/v1/chat/completions", 405),
        ("BREW", "/router/lane0/v1/chat/completions", 405),
        ("GET", "/router/lane0", 404),
        ("GET", "/", 404),
        ("GET", "/no-such-provider/v1/models", 404),
    ],
)
async def test_a_method_or_path_that_is_not_served(house: House, method: str, path: str, status: int) -> None:
    async with connect(house.port) as client:
        await client.send(method, path)
        assert await client.read_head() == status
        if method != "HEAD":
            await client.read_body()
        assert (await client.ask("GET", "/livez")) == {"status": "alive"}, "the connection is still good"


@pytest.mark.parametrize(
    ("framing", "part"),
    [
        ("content-length: 500", b'{"model": "gpt'),
        ("transfer-encoding: chunked", b'1f\r\n{"model": "gpt'),
        ("transfer-encoding: chunked", b"zz\r\nabc\r\n0\r\n\r\n"),
    ],
)
async def test_a_body_that_is_cut_short_is_refused(engine: str, house: House, framing: str, part: bytes) -> None:
    async with connect(house.port) as client:
        await client.send_cut("/router/lane0/v1/messages", framing, part)
        assert await client.read_head() == 400
        # Hypercorn may refuse it before it is asked to, in no dialect.
        if engine == "granian" or "x-gateway-error" in client.headers:
            assert json.loads(await client.read_body())["error"]["code"] == "malformed_body"


async def test_a_client_that_does_not_read_is_not_read_ahead_for(house: House) -> None:
    """Some of the buffers on the way are the kernel's, so the bound is generous; the stream is not."""
    piece = chat_chunk({"content": "x" * 2**16})
    most = 2**26 // len(piece)
    stalled = asyncio.Event()
    written = 0

    async def script(connection: Connection) -> None:
        nonlocal written
        await start_stream(connection)
        with contextlib.suppress(TimeoutError):
            while written < most:
                async with asyncio.timeout(0.5):
                    await connection.write_chunk(piece)
                written += 1
        stalled.set()
        await connection.wait_closed_by_client()

    async with serve(script, house.upstream), connect(house.port, buffer=2**12) as client:
        await client.send("POST", house.lane(), STREAMED)
        await client.read_head()
        await within_bound(stalled.wait())
        client.leave()
    assert written < most


async def test_http_2_with_prior_knowledge(house: House) -> None:
    lane = house.lane()
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await start_stream(connection)
        await within_bound(seen.wait())
        await connection.write_chunk(chat_chunk({"content": "second"}, "stop") + DONE)
        await connection.write_chunk(b"")

    async with (
        serve(script, house.upstream),
        httpx2.AsyncClient(http1=False, http2=True, trust_env=False) as client,
        client.stream("POST", f"http://127.0.0.1:{house.port}{lane}", json=STREAMED) as reply,
    ):
        assert (reply.status_code, reply.http_version) == (200, "HTTP/2")
        received = b""
        async for chunk in reply.aiter_bytes():
            received += chunk
            if b"first" in received:
                seen.set()
        assert received.endswith(DONE)


async def test_http_2_takes_what_of_a_body_comes_after_the_answer(house: House) -> None:
    """The connection and what else is on it live on."""
    headers = [(b":authority", b"gateway"), (b":scheme", b"http")]
    post = [(b":method", b"POST"), (b":path", house.lane().encode()), *headers, (b"content-length", b"999999999")]
    client = h2.connection.H2Connection()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        client.initiate_connection()

        async def status_of(stream: int) -> int:
            status = 0
            while True:
                writer.write(client.data_to_send())
                async with asyncio.timeout(BOUND):
                    received = await reader.read(65_536)
                assert received, "the connection is at its end"
                for event in client.receive_data(received):
                    if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                        status = int(dict(event.headers)[b":status"])
                    elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                        return status

        client.send_headers(1, post)
        assert await status_of(1) == 413
        # It was under way when the answer came.
        writer.write(DataFrame(1, data=b"{" * 1000).serialize())
        client.send_headers(3, [(b":method", b"GET"), (b":path", b"/livez"), *headers], end_stream=True)
        assert await status_of(3) == 200
    finally:
        writer.close()


async def test_http_2_carries_requests_side_by_side(house: House) -> None:
    """All of them are at the provider before the first is answered."""
    lane = house.lane()
    wanted = 10
    arrived = 0
    all_there = asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal arrived
        await connection.read_request()
        arrived += 1
        if arrived == wanted:
            all_there.set()
        await within_bound(all_there.wait())
        await connection.answer(REPLY, headers=JSON)

    url = f"http://127.0.0.1:{house.port}{lane}"
    async with (
        serve(script, house.upstream),
        httpx2.AsyncClient(http1=False, http2=True, trust_env=False) as client,
    ):
        # The client may open many streams only when the server's settings are here.
        await client.get(f"http://127.0.0.1:{house.port}/livez")
        replies = await asyncio.gather(*(client.post(url, json=BODY) for _ in range(wanted)))
    assert {reply.status_code for reply in replies} == {200}
