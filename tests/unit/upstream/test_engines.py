"""Every engine against the same provider, scripted byte by byte on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from gateway.core.errors import UpstreamFault
from gateway.providers.sigv4 import Credentials, sign
from gateway.upstream.engines import Engine, open_transport
from gateway.upstream.http1_transport import Http1Transport
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.pyreqwest_transport import PyreqwestTransport
from gateway.upstream.transport import Transport, UpstreamReply, UpstreamRequest
from tests.support.loopback import Connection, Script, serve, unused_port, within_bound

pytestmark = pytest.mark.real_time

SECRET = "sk-very-secret"


@pytest.fixture(params=["http1", "pyreqwest", "httpx"])
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.param
    return chosen


def ask(url: str, *, streamed: bool = False, connect_timeout: float = 5.0, method: str = "POST") -> UpstreamRequest:
    return UpstreamRequest(
        method=method,
        url=f"{url}/v1/chat/completions?key={SECRET}",
        headers=[("content-type", "application/json"), ("authorization", f"Bearer {SECRET}")],
        body=b'{"model":"m"}' if method == "POST" else b"",
        streamed=streamed,
        connect_timeout=connect_timeout,
    )


def assert_discreet(fault: UpstreamFault) -> None:
    assert fault.message
    assert SECRET not in fault.message
    assert "://" not in fault.message
    assert fault.__cause__ is None


async def read_all(reply: UpstreamReply) -> bytes:
    assert reply.chunks is not None
    return b"".join([chunk async for chunk in reply.chunks])


async def ignore(connection: Connection) -> None:
    await connection.read_request()
    await connection.wait_closed_by_client()


async def test_a_whole_reply(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.answer(
                b'{"id":1}', "201 Created", b"X-Request-ID: Abc\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
            )

    transport = open_transport(engine)
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url))
        await transport.close()
    assert (reply.status, reply.body, reply.chunks, reply.close) == (201, b'{"id":1}', None, None)
    assert (b"x-request-id", b"Abc") in reply.headers
    assert [value for name, value in reply.headers if name == b"set-cookie"] == [b"a=1", b"b=2"]


async def test_what_is_sent(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.answer(headers=b"set-cookie: session=1; path=/\r\n")

    transport = open_transport(engine)
    async with serve(script) as provider:
        for _ in range(2):
            await transport.send(ask(provider.url))
        await transport.close()
    head, body = provider.connections[0].head, provider.connections[0].body
    assert head.startswith(b"POST /v1/chat/completions?key=sk-very-secret HTTP/1.1\r\n")
    assert body == b'{"model":"m"}'
    assert b"authorization: Bearer sk-very-secret" in head.replace(b"Authorization", b"authorization")
    assert b"user-agent: router-gateway" in head.lower()
    assert b"accept-encoding" not in head.lower()
    assert b"cookie" not in head.lower()
    assert b"referer" not in head.lower()
    assert len(provider.connections) == 1


async def test_a_request_without_a_body(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer()

    transport = open_transport(engine)
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url, method="GET"))
        await transport.close()
    assert reply.body == b"ok"
    assert provider.connections[0].head.startswith(b"GET ")


async def test_an_empty_whole_reply(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(b"")

    transport = open_transport(engine)
    async with serve(script) as provider:
        assert (await transport.send(ask(provider.url))).body == b""
        await transport.close()


async def test_a_redirect_is_a_reply(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.answer(b"", "307 Temporary Redirect", b"location: /elsewhere\r\n")

    transport = open_transport(engine)
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url))
        await transport.close()
    assert reply.status == 307
    assert (b"location", b"/elsewhere") in reply.headers


FRAMINGS: dict[str, bytes] = {
    "counted": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b \r\n\r\nhi",
    "chunked, with extensions and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n1;a=b\r\nh\r\n1\r\ni\r\n0\r\nx-late: 1\r\n\r\n"
    ),
    "until it closes": b"HTTP/1.1 200 OK\r\nx-a:b\r\n\r\nhi",
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\nx-a: b\r\n\r\nhi",
    "after interim replies": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx-a: early\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nhi"
    ),
    "followed by another": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nhi"
        b"HTTP/1.1 500 Oops\r\ncontent-length: 3\r\nx-a: c\r\n\r\nbad"
    ),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("sent", FRAMINGS.values(), ids=FRAMINGS)
async def test_a_reply_however_it_is_framed(engine: Engine, sent: bytes, streamed: bool) -> None:
    until_it_closes = not re.search(rb"(?i)content-length|chunked", sent)

    async def script(connection: Connection) -> None:
        # Closed where that is the end of the reply: elsewhere an engine may ask again before it notices.
        while await connection.read_request():
            await connection.write(sent)
            if until_it_closes:
                break

    transport = open_transport(engine)
    async with serve(script) as provider:
        for _ in range(2):
            reply = await transport.send(ask(provider.url, streamed=streamed))
            assert reply.status == 200
            assert [value for name, value in reply.headers if name == b"x-a"] == [b"b"]
            assert (await read_all(reply) if streamed else reply.body) == b"hi"
            assert not any(name == b"x-late" for name, _ in reply.headers)
        await transport.close()


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_reply_that_has_no_body(engine: Engine, status: str, streamed: bool) -> None:
    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.write(b"HTTP/1.1 %s\r\nx-a: b\r\n\r\n" % status.encode())

    transport = open_transport(engine)
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url, streamed=streamed))
        assert reply.status == int(status[:3])
        assert (await read_all(reply) if streamed else reply.body) == b""
        await transport.close()


async def test_a_reply_to_head(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")

    transport = open_transport(engine)
    async with serve(script) as provider:
        for _ in range(2):
            reply = await transport.send(ask(provider.url, method="HEAD"))
            assert (reply.status, reply.body) == (200, b"")
        await transport.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_compressed_reply_stays_compressed(engine: Engine, streamed: bool) -> None:
    packed = b"\x1f\x8b\x08not really gzip"

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(packed, headers=b"content-encoding: gzip\r\n")

    transport = open_transport(engine)
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url, streamed=streamed))
        assert (await read_all(reply) if streamed else reply.body) == packed
        await transport.close()
    assert (b"content-encoding", b"gzip") in reply.headers


async def test_a_header_that_is_not_ascii_leaves_the_others_readable(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(headers=b"x-odd: caf\xe9\r\nretry-after: 3\r\nset-cookie: a\r\nset-cookie: b\r\n")

    transport = open_transport(engine)
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url))
        await transport.close()
    assert reply.body == b"ok"
    assert (b"retry-after", b"3") in reply.headers
    assert [value for name, value in reply.headers if name == b"set-cookie"] == [b"a", b"b"]


async def test_a_chunk_arrives_before_the_next_is_sent(engine: Engine) -> None:
    arrived = asyncio.Event()

    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.start_chunked(b"content-type: text/event-stream\r\n")
            for chunk in (b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"):
                arrived.clear()
                await connection.write_chunk(chunk)
                await arrived.wait()
            await connection.write_chunk(b"")

    transport = open_transport(engine)
    async with serve(script) as provider:
        for _ in range(2):
            reply = await transport.send(ask(provider.url, streamed=True))
            assert reply.body is None
            assert reply.chunks is not None
            chunks: list[bytes] = []
            async for chunk in reply.chunks:
                assert type(chunk) is bytes
                chunks.append(chunk)
                arrived.set()
            assert chunks == [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]
            assert reply.close is not None
            await reply.close()
        await transport.close()
    assert len(provider.connections) == 1


async def close_before_the_head(connection: Connection) -> None:
    await connection.read_request()


async def reset_before_the_head(connection: Connection) -> None:
    await connection.read_request()
    connection.reset()


async def speak_something_else(connection: Connection) -> None:
    await connection.read_request()
    await connection.write(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("script", [close_before_the_head, reset_before_the_head, speak_something_else])
async def test_what_breaks_before_the_head_is_connect(engine: Engine, script: Script, streamed: bool) -> None:
    transport = open_transport(engine)
    async with serve(script) as provider:
        with pytest.raises(UpstreamFault) as raised:
            await transport.send(ask(provider.url, streamed=streamed))
        await transport.close()
    assert raised.value.kind == "connect"
    assert_discreet(raised.value)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refused_connection_is_connect(engine: Engine, streamed: bool) -> None:
    transport = open_transport(engine)
    with pytest.raises(UpstreamFault) as raised:
        await transport.send(ask(f"http://127.0.0.1:{unused_port()}", streamed=streamed))
    await transport.close()
    assert raised.value.kind == "connect"
    assert_discreet(raised.value)


@pytest.mark.parametrize(
    "url", ["http://provider.invalid", "ftp://127.0.0.1", "nonsense", "http://user:sk-very-secret@:0"]
)
async def test_a_url_that_leads_nowhere_is_connect(engine: Engine, url: str) -> None:
    transport = open_transport(engine)
    with pytest.raises(UpstreamFault) as raised:
        await transport.send(ask(url))
    await transport.close()
    assert raised.value.kind == "connect"
    assert_discreet(raised.value)


async def test_a_header_that_cannot_be_sent_is_not_quoted(engine: Engine) -> None:
    transport = open_transport(engine)
    request = ask("http://127.0.0.1:1")
    request.headers.append(("x-key", f"{SECRET}\r\nhost: elsewhere"))
    with pytest.raises(UpstreamFault) as raised:
        await transport.send(request)
    await transport.close()
    assert raised.value.kind == "connect"
    assert_discreet(raised.value)


async def cut_a_chunked_body(connection: Connection) -> None:
    await connection.read_request()
    await connection.start_chunked()
    await connection.write_chunk(b"data: 1\n\n")


async def reset_a_chunked_body(connection: Connection) -> None:
    await cut_a_chunked_body(connection)
    connection.reset()


async def cut_a_counted_body(connection: Connection) -> None:
    await connection.read_request()
    await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ndata: 1\n\n")


async def garble_a_chunked_body(connection: Connection) -> None:
    await cut_a_chunked_body(connection)
    await connection.write(b"this is no chunk size\r\n")


CUTS = [cut_a_chunked_body, cut_a_counted_body, garble_a_chunked_body]


@pytest.mark.parametrize("script", CUTS)
async def test_a_stream_that_breaks_off_is_cut(engine: Engine, script: Script) -> None:
    transport = open_transport(engine)
    received: list[bytes] = []
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        assert reply.chunks is not None
        assert reply.close is not None
        received.append(await anext(reply.chunks))
        with pytest.raises(UpstreamFault) as raised:
            await anext(reply.chunks)
        await reply.close()
        await transport.close()
    assert received == [b"data: 1\n\n"]
    assert raised.value.kind == "cut"
    assert_discreet(raised.value)


@pytest.mark.parametrize("script", [*CUTS, reset_a_chunked_body])
async def test_a_whole_reply_that_breaks_off_is_never_taken_for_complete(engine: Engine, script: Script) -> None:
    transport = open_transport(engine)
    async with serve(script) as provider:
        with pytest.raises(UpstreamFault) as raised:
            await transport.send(ask(provider.url))
        await transport.close()
    # A reset may overtake the head.
    assert raised.value.kind in (("cut", "connect") if script is reset_a_chunked_body else ("cut",))
    assert_discreet(raised.value)


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_before_the_head_closes_the_connection_when_bytes_come(engine: Engine, streamed: bool) -> None:
    asked, cancelled, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        asked.set()
        await cancelled.wait()
        await begin_and_go_on(connection)
        closed.set()

    transport = open_transport(engine)
    async with serve(script) as provider:
        call = asyncio.create_task(transport.send(ask(provider.url, streamed=streamed)))
        await within_bound(asked.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        cancelled.set()
        await within_bound(closed.wait())
        await transport.close()


async def begin_and_go_on(connection: Connection) -> None:
    """A long body, byte by byte, until the client has closed."""
    gone = asyncio.create_task(connection.wait_closed_by_client())
    # Once the client has closed, what is written to it is answered with a reset.
    with contextlib.suppress(ConnectionError):
        await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{")
        while not gone.done():
            await connection.write(b" ")
            await asyncio.wait({gone}, timeout=0.01)
    await gone


@pytest.mark.parametrize(("chosen", "silence"), [("http1", 900.0), ("httpx", 900.0), ("pyreqwest", 0.2)])
async def test_cancelling_before_a_head_that_never_comes_closes_the_connection(chosen: Engine, silence: float) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        asked.set()
        await connection.wait_closed_by_client()
        closed.set()

    transport = open_transport(chosen)
    async with serve(script) as provider:
        request = ask(provider.url)
        request.silence = silence
        call = asyncio.create_task(transport.send(request))
        await within_bound(asked.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await within_bound(closed.wait())
        await transport.close()


@pytest.mark.parametrize("engine", ["pyreqwest", "httpx"])
@pytest.mark.parametrize(("begun", "kind"), [(False, "connect"), (True, "cut")])
async def test_silence_is_a_fault(engine: Engine, begun: bool, kind: str) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        if begun:
            await connection.start_chunked()
        await connection.wait_closed_by_client()

    transport = open_transport(engine)
    async with serve(script) as provider:
        request = ask(provider.url)
        request.silence = 0.1
        with pytest.raises(UpstreamFault) as raised:
            await transport.send(request)
        await transport.close()
    assert raised.value.kind == kind
    assert_discreet(raised.value)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 20])
async def test_cancelling_around_the_head_of_a_whole_reply_closes_the_connection(engine: Engine, turns: int) -> None:
    """The head and the cancellation race: whoever wins, the task is cancelled and the connection closed."""
    transport = open_transport(engine)
    for _ in range(20):
        asked, closed = asyncio.Event(), asyncio.Event()

        async def script(connection: Connection, asked: asyncio.Event = asked, closed: asyncio.Event = closed) -> None:
            await connection.read_request()
            asked.set()
            await begin_and_go_on(connection)
            closed.set()

        async with serve(script) as provider:
            call = asyncio.create_task(transport.send(ask(provider.url)))
            await within_bound(asked.wait())
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await within_bound(asyncio.wait({call}))
            assert call.cancelled()
            await within_bound(closed.wait())
    await transport.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 20])
async def test_cancelling_a_reader_around_a_chunk_is_never_lost(engine: Engine, turns: int) -> None:
    async def read_on(reply: UpstreamReply) -> None:
        assert reply.chunks is not None
        async for _ in reply.chunks:
            pass

    transport = open_transport(engine)
    for _ in range(20):
        begun, closed = asyncio.Event(), asyncio.Event()
        async with serve(begin_then_hang(begun, closed)) as provider:
            reply = await transport.send(ask(provider.url, streamed=True))
            assert reply.close is not None
            reader = asyncio.create_task(read_on(reply))
            for _ in range(turns):
                await asyncio.sleep(0)
            reader.cancel()
            await within_bound(asyncio.wait({reader}))
            assert reader.cancelled()
            await reply.close()
            await within_bound(closed.wait())
    await transport.close()


def begin_then_hang(begun: asyncio.Event, closed: asyncio.Event) -> Script:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        begun.set()
        await connection.wait_closed_by_client()
        closed.set()

    return script


def stream_once_then_hang(closed: asyncio.Event) -> Script:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.start_chunked()
        await connection.write_chunk(b"data: 1\n\n")
        await connection.wait_closed_by_client()
        closed.set()

    return script


async def test_closing_an_unfinished_stream_cuts_its_connection(engine: Engine) -> None:
    closed = asyncio.Event()
    transport = open_transport(engine)
    async with serve(stream_once_then_hang(closed)) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        assert reply.chunks is not None
        assert reply.close is not None
        assert await anext(reply.chunks) == b"data: 1\n\n"
        await reply.close()
        await reply.close()
        await within_bound(closed.wait())
        await transport.close()


async def test_closing_an_unread_stream_cuts_its_connection(engine: Engine) -> None:
    closed = asyncio.Event()
    transport = open_transport(engine)
    async with serve(stream_once_then_hang(closed)) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        assert reply.close is not None
        await reply.close()
        await within_bound(closed.wait())
        await transport.close()


async def test_cancelling_the_reader_and_closing_cuts_the_connection(engine: Engine) -> None:
    closed = asyncio.Event()
    transport = open_transport(engine)
    async with serve(stream_once_then_hang(closed)) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        chunks, close = reply.chunks, reply.close
        assert chunks is not None
        assert close is not None
        await anext(chunks)
        reader = asyncio.ensure_future(anext(chunks))
        await asyncio.sleep(0)
        if engine != "http1":
            with pytest.raises(RuntimeError, match="cancel its reader first"):
                await close()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await close()
        await within_bound(closed.wait())
        await transport.close()


async def test_a_connection_that_the_server_dropped_while_idle_is_not_the_clients_problem(engine: Engine) -> None:
    dropped = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer()
        connection.close()
        dropped.set()

    transport = open_transport(engine)
    outcomes: list[str] = []
    async with serve(script) as provider:
        for _ in range(20):
            dropped.clear()
            try:
                outcomes.append(str((await transport.send(ask(provider.url))).status))
            except UpstreamFault as fault:
                # Nothing has come to the server, which has nothing to drop.
                outcomes.append(fault.kind)
            else:
                await within_bound(dropped.wait())
        await transport.close()
    # Either the client noticed, or the fault is one that may be tried again.
    assert outcomes[0] == "200"
    assert set(outcomes) <= {"200", "connect"}


async def test_a_closed_transport_refuses(engine: Engine) -> None:
    transport = open_transport(engine)
    async with serve(close_before_the_head) as provider:
        await transport.close()
        await transport.close()
        with pytest.raises(UpstreamFault) as raised:
            await transport.send(ask(provider.url))
    assert raised.value.kind == "connect"
    assert provider.connections == []


async def test_a_used_transport_refuses_once_it_is_closed(engine: Engine) -> None:
    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.answer()

    transport = open_transport(engine)
    async with serve(script) as provider:
        await transport.send(ask(provider.url))
        await transport.close()
        with pytest.raises(UpstreamFault) as raised:
            await transport.send(ask(provider.url))
    assert raised.value.kind == "connect"


async def test_closing_the_transport_cuts_a_stream_that_nobody_reads(engine: Engine) -> None:
    closed = asyncio.Event()
    transport = open_transport(engine)
    async with serve(stream_once_then_hang(closed)) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        await transport.close()
        await within_bound(closed.wait())
        with pytest.raises(UpstreamFault) as raised:
            await read_all(reply)
    assert raised.value.kind == "cut"


@pytest.mark.parametrize("build", [Http1Transport, PyreqwestTransport, HttpxTransport])
@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
async def test_a_whole_reply_is_bounded(build: Callable[..., Transport], size: int, fits: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(b"x" * size)

    transport = build(max_whole=100)
    async with serve(script) as provider:
        if fits:
            assert (await transport.send(ask(provider.url))).body == b"x" * size
        else:
            with pytest.raises(UpstreamFault) as raised:
                await transport.send(ask(provider.url))
            assert raised.value.kind == "unavailable"
        await transport.close()


async def test_this_machine_is_never_asked_for_at_a_proxy(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer()

    transport = open_transport(engine)
    async with serve(script) as provider:
        assert (await transport.send(ask(provider.url))).status == 200
        await transport.close()


async def test_another_machine_is_asked_for_at_the_proxy(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer()

    async with serve(script) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("http_proxy", raising=False)
        transport = open_transport(engine)
        reply = await transport.send(ask("http://provider.invalid"))
        await transport.close()
    assert reply.status == 200
    assert proxy.connections[0].head.startswith(b"POST http://provider.invalid/v1/")


@pytest.mark.parametrize(("chosen", "other"), [("pyreqwest", "httpx2"), ("httpx", "pyreqwest")])
def test_the_engine_that_was_not_chosen_is_not_imported(chosen: str, other: str) -> None:
    program = (
        "import sys; from gateway.upstream.engines import open_transport; "
        f"open_transport({chosen!r}); sys.exit({other!r} in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


async def test_what_was_signed_is_what_is_sent(engine: Engine) -> None:
    """A path with escapes in it, and a body, arrive as they were when the signature was made."""
    credentials = Credentials("AKIAABCDEFGHIJKLMNOP", "0123456789abcdef", "session")

    async def script(connection: Connection) -> None:
        while await connection.read_request():
            await connection.answer()

    transport = open_transport(engine)
    async with serve(script) as provider:
        url = f"{provider.url}/model/arn%3Aaws%3Abedrock%3A%3A1%3Aprofile%2Fa.b-v1%3A0/converse"
        body = '{"text":"é"}'.encode()
        headers = [("content-type", "application/json")]
        signed = sign("POST", url, headers, body, credentials, 1.8e9, "eu-west-1")
        await transport.send(UpstreamRequest("POST", url, [*headers, *signed], body, False, 5.0))
        await transport.close()
        connection = provider.connections[0]
    line, *rest = connection.head.decode().split("\r\n")
    arrived = {name.lower(): value for name, _, value in (header.partition(": ") for header in rest)}
    method, target, _ = line.split(" ")
    again = sign(
        method,
        f"http://{arrived['host']}{target}",
        [("content-type", arrived["content-type"])],
        connection.body,
        credentials,
        1.8e9,
        "eu-west-1",
    )
    assert dict(again)["authorization"] == arrived["authorization"]
