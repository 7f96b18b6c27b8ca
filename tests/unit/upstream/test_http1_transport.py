"""The engine over real sockets, on both loops: its pool, its requests, its ways to fail."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import functools
import gc
import inspect
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from gateway.config import check_providers
from gateway.core.errors import UpstreamFault
from gateway.upstream import http1_transport
from gateway.upstream.http1_connection import HIGH_WATER
from gateway.upstream.http1_connection import Connection as Upstream
from gateway.upstream.http1_transport import IDLE, JOINED, NOT_SENT, Http1Transport, Origin
from gateway.upstream.transport import UpstreamReply, UpstreamRequest
from tests.support.loopback import Connection, Loopback, Script, serve, unused_port, within_bound
from tests.support.virtual_time import elapsed
from tests.support.wire import Wire

SECRET = "sk-very-secret"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Each test has its garbage collected. What thousands of tests before have left need not be walked each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that uses sockets on each loop. What a loop's own handler is told of fails the test: an
    exception that nobody retrieved, a callback that raised."""

    @functools.wraps(test)
    def run(*, loop: str, **given: Any) -> None:
        told: list[str] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context)))
            async with asyncio.timeout(60):
                await test(**given)
            gc.collect()
            await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(bounded())
        assert told == []

    del run.__wrapped__
    own = inspect.signature(test)
    added = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY, annotation=str)
    setattr(run, "__signature__", own.replace(parameters=[*own.parameters.values(), added]))  # noqa: B010
    return pytest.mark.parametrize("loop", LOOPS)(run)


def ask(
    url: str,
    *,
    streamed: bool = False,
    method: str = "POST",
    body: bytes = b"{}",
    headers: list[tuple[str, str]] | None = None,
    connect_timeout: float = 5.0,
) -> UpstreamRequest:
    return UpstreamRequest(
        method=method,
        url=url,
        headers=[("authorization", f"Bearer {SECRET}")] if headers is None else headers,
        body=body,
        streamed=streamed,
        connect_timeout=connect_timeout,
    )


async def read_all(reply: UpstreamReply) -> bytes:
    assert reply.chunks is not None
    return b"".join([chunk async for chunk in reply.chunks])


async def fault_of(sending: Coroutine[Any, Any, UpstreamReply] | asyncio.Task[UpstreamReply]) -> UpstreamFault:
    with pytest.raises(UpstreamFault) as raised:
        await sending
    fault = raised.value
    assert fault.message
    assert SECRET not in fault.message
    assert "://" not in fault.message
    assert fault.__cause__ is None
    return fault


def assert_empty(transport: Http1Transport) -> None:
    assert transport._busy == set()
    assert transport._connecting == set()
    assert not any(transport._idle.values())


async def answer(connection: Connection) -> None:
    while await connection.read_request():
        await connection.answer()


async def hang(connection: Connection) -> None:
    await connection.read_request()
    await connection.wait_closed_by_client()


@contextlib.asynccontextmanager
async def serve_tls(script: Script, certificate: trustme.LeafCert) -> AsyncIterator[Loopback]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    loopback = Loopback(script)
    server = await asyncio.start_server(loopback.accept, "127.0.0.1", 0, ssl=context)
    loopback.port = server.sockets[0].getsockname()[1]
    loopback.url = f"https://127.0.0.1:{loopback.port}"
    try:
        yield loopback
    finally:
        server.close()
        await loopback.stop()


def trusting(authority: trustme.CA) -> Callable[[], ssl.SSLContext]:
    def make() -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    return make


@on_both_loops
async def test_the_connection_that_was_used_last_is_used_next() -> None:
    gate = asyncio.Event()

    async def script(connection: Connection) -> None:
        while await connection.read_request():
            if not gate.is_set():
                await gate.wait()
            await connection.answer(b"%d" % connection.number)

    transport = Http1Transport()
    async with serve(script) as provider:
        calls = [asyncio.create_task(transport.send(ask(provider.url))) for _ in range(3)]
        while len(provider.connections) < 3 or not all(c.head for c in provider.connections):
            await asyncio.sleep(0)
        gate.set()
        for call in calls:
            await call
        (idle,) = transport._idle.values()
        newest = idle[-1]
        for _ in range(5):
            await transport.send(ask(provider.url))
            assert idle[-1] is newest
            assert len(idle) == 3
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1_transport, "IDLE_PER_ORIGIN", 2)
    gate = asyncio.Event()
    left: list[int] = []
    all_there = asyncio.Event()
    one_left = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        if connection.number == 2:
            all_there.set()
        await gate.wait()
        await connection.answer()
        await connection.wait_closed_by_client()
        left.append(connection.number)
        one_left.set()

    transport = Http1Transport()
    async with serve(script) as provider:
        calls = [asyncio.create_task(transport.send(ask(provider.url))) for _ in range(3)]
        await within_bound(all_there.wait())
        gate.set()
        for call in calls:
            assert (await call).body == b"ok"
        await within_bound(one_left.wait())
        assert len(left) == 1
        (idle,) = transport._idle.values()
        assert len(idle) == 2
        await transport.close()


ORIGIN = Origin("http", "127.0.0.1", 80, "127.0.0.1")


async def idle_connection() -> tuple[Upstream, Wire]:
    connection = Upstream(asyncio.get_running_loop())
    wire = Wire(connection)
    asked = asyncio.create_task(connection.ask(b"x", b"", streamed=False, without_body=False, limit=9))
    await asyncio.sleep(0)
    wire.bring(b"HTTP/1.1 204 No Content\r\n\r\n")
    await asked
    return connection, wire


async def test_an_idle_connection_is_closed_in_time() -> None:
    transport = Http1Transport()
    wires: list[Wire] = []
    ages: dict[int, float] = {}
    for second in range(150):
        if second % 10 == 0 and second < 50:
            connection, wire = await idle_connection()
            wires.append(wire)
            transport.give_back(ORIGIN, connection)
        for index, wire in enumerate(wires):
            if wire.aborted:
                ages.setdefault(index, elapsed() - 10 * index)
        await asyncio.sleep(1)
    assert sorted(ages) == [0, 1, 2, 3, 4]
    assert all(IDLE <= age <= 1.5 * IDLE for age in ages.values()), ages
    assert transport._idle == {}
    assert transport._sweep is None


async def test_a_connection_that_went_while_idle_is_never_handed_out() -> None:
    transport = Http1Transport()
    good, _ = await idle_connection()
    transport.give_back(ORIGIN, good)
    for leave in (Wire.end, Wire.reset, Wire.vanish, lambda wire: wire.bring(b"x")):
        connection, wire = await idle_connection()
        transport.give_back(ORIGIN, connection)
        leave(wire)
    assert transport._take(ORIGIN) is good
    assert transport._take(ORIGIN) is None
    await transport.close()


async def test_a_connection_whose_request_is_not_all_sent_is_not_kept() -> None:
    transport = Http1Transport()
    connection, wire = await idle_connection()
    wire.unsent = 1
    transport.give_back(ORIGIN, connection)
    assert wire.aborted
    assert_empty(transport)


async def test_origins_do_not_share() -> None:
    transport = Http1Transport()
    urls = ["http://a.test", "http://b.test", "http://a.test:81", "https://a.test", "http://[::1]"]
    origins = [transport._read_url(url)[0] for url in urls]
    assert len(set(origins)) == len(urls)
    assert transport._read_url("HTTP://A.test/other?path")[0] == origins[0]
    connection, _ = await idle_connection()
    transport.give_back(origins[0], connection)
    assert [transport._take(origin) for origin in origins[1:]] == [None] * 4
    assert transport._take(origins[0]) is connection


def answer_once_then(leave: Callable[[Connection], None]) -> Script:
    """The first connection answers once and goes when it is asked again; the others answer."""

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer(b"%d" % connection.number)
        if connection.number:
            await answer(connection)
        elif await connection.read_request():
            leave(connection)

    return script


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("leave", [Connection.close, Connection.reset])
@on_both_loops
async def test_a_reused_connection_that_closes_unread_is_replaced(
    leave: Callable[[Connection], None], streamed: bool
) -> None:
    transport = Http1Transport()
    async with serve(answer_once_then(leave)) as provider:
        await transport.send(ask(provider.url))
        reply = await transport.send(ask(provider.url, streamed=streamed))
        assert (await read_all(reply) if streamed else reply.body) == b"1"
        assert len(provider.connections) == 2
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_a_reused_connection_that_closes_after_some_thought_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By then the provider may have begun to work on the request."""
    monkeypatch.setattr(http1_transport, "GIVEN_UP_WITHIN", 0.0)
    transport = Http1Transport()
    async with serve(answer_once_then(Connection.close)) as provider:
        await transport.send(ask(provider.url))
        assert (await fault_of(transport.send(ask(provider.url)))).kind == "connect"
        assert len(provider.connections) == 1
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_it_is_replaced_once_and_no_more() -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        if connection.number == 0:
            await connection.answer()
            await connection.read_request()

    transport = Http1Transport()
    async with serve(script) as provider:
        await transport.send(ask(provider.url))
        assert (await fault_of(transport.send(ask(provider.url)))).kind == "connect"
        assert len(provider.connections) == 2
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_a_fresh_connection_that_closes_unread_is_not_replaced() -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()

    transport = Http1Transport()
    async with serve(script) as provider:
        assert (await fault_of(transport.send(ask(provider.url)))).kind == "connect"
        assert len(provider.connections) == 1
        await transport.close()


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"])
@on_both_loops
async def test_a_reused_connection_that_closes_within_a_reply_is_not_replaced(begun: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.answer()
        await connection.read_request()
        await connection.write(begun)

    transport = Http1Transport()
    async with serve(script) as provider:
        await transport.send(ask(provider.url))
        assert (await fault_of(transport.send(ask(provider.url)))).kind == "connect"
        assert len(provider.connections) == 1
        await transport.close()
        assert_empty(transport)


@pytest.mark.parametrize("streamed", [False, True])
@on_both_loops
async def test_a_second_reply_that_nobody_asked_for_is_not_the_next_callers(streamed: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        one = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d"
        await connection.write(one % connection.number + one % 9)
        await connection.wait_closed_by_client()

    transport = Http1Transport()
    async with serve(script) as provider:
        for number in range(3):
            reply = await transport.send(ask(provider.url, streamed=streamed))
            assert (await read_all(reply) if streamed else reply.body) == b"%d" % number
        await transport.close()
        assert_empty(transport)


@pytest.mark.parametrize("streamed", [False, True])
@on_both_loops
async def test_cancelling_a_wait_for_the_head_closes_at_once(streamed: bool) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        asked.set()
        await connection.wait_closed_by_client()
        closed.set()

    transport = Http1Transport()
    async with serve(script) as provider:
        call = asyncio.create_task(transport.send(ask(provider.url, streamed=streamed)))
        await within_bound(asked.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert_empty(transport)
        await within_bound(closed.wait())
        await transport.close()


@on_both_loops
async def test_cancelling_a_reader_closes_at_once_without_a_close() -> None:
    closed = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.start_chunked()
        await connection.wait_closed_by_client()
        closed.set()

    transport = Http1Transport()
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        reader = asyncio.create_task(read_all(reply))
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert_empty(transport)
        await within_bound(closed.wait())
        await transport.close()


@pytest.mark.parametrize("turns", range(12))
@on_both_loops
async def test_cancelling_a_connect_at_any_turn_leaks_nothing(turns: int) -> None:
    closed = asyncio.Event()
    accepted = asyncio.Event()

    async def script(connection: Connection) -> None:
        accepted.set()
        await connection.wait_closed_by_client()
        closed.set()

    transport = Http1Transport()
    async with serve(script) as provider:
        call = asyncio.create_task(transport.send(ask(provider.url)))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert_empty(transport)
        if accepted.is_set():
            await within_bound(closed.wait())
        await transport.close()


@contextlib.asynccontextmanager
async def mute_server() -> AsyncIterator[tuple[int, asyncio.Event, asyncio.Event]]:
    """Accepts and says nothing, not even a TLS greeting. Its port, and the events `something came` and `it left`."""
    greeted, left = asyncio.Event(), asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                greeted.set()
        left.set()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], greeted, left
    finally:
        server.close()


@on_both_loops
async def test_cancelling_a_tls_handshake_closes_at_once() -> None:
    transport = Http1Transport()
    async with mute_server() as (port, greeted, left):
        call = asyncio.create_task(transport.send(ask(f"https://127.0.0.1:{port}")))
        await within_bound(greeted.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert_empty(transport)
        await within_bound(left.wait())
        await transport.close()


@on_both_loops
async def test_a_tls_handshake_that_takes_too_long_is_connect() -> None:
    transport = Http1Transport()
    async with mute_server() as (port, _, left):
        fault = await fault_of(transport.send(ask(f"https://127.0.0.1:{port}", connect_timeout=0.05)))
        assert (fault.kind, fault.message) == ("connect", "no connection within 0.05 s")
        await within_bound(left.wait())
        assert_empty(transport)
        await transport.close()


@on_both_loops
async def test_closing_the_transport_ends_a_call_that_is_connecting() -> None:
    transport = Http1Transport()
    async with mute_server() as (port, greeted, left):
        call = asyncio.create_task(transport.send(ask(f"https://127.0.0.1:{port}", connect_timeout=1000)))
        await within_bound(greeted.wait())
        await transport.close()
        fault = await fault_of(call)
        assert (fault.kind, fault.message) == ("connect", "the transport is closed")
        await within_bound(left.wait())
        assert_empty(transport)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("reused", [False, True])
@on_both_loops
async def test_closing_the_transport_ends_the_calls_under_way(reused: bool, streamed: bool) -> None:
    asked = asyncio.Event()

    async def script(connection: Connection) -> None:
        if reused:
            await connection.read_request()
            await connection.answer()
        await connection.read_request()
        asked.set()
        await connection.wait_closed_by_client()

    transport = Http1Transport()
    async with serve(script) as provider:
        if reused:
            await transport.send(ask(provider.url))
        call = asyncio.create_task(transport.send(ask(provider.url, streamed=streamed)))
        await within_bound(asked.wait())
        await transport.close()
        fault = await fault_of(call)
        assert (fault.kind, fault.message) == ("connect", "the transport is closed")
        assert len(provider.connections) == 1
        assert_empty(transport)


@pytest.mark.parametrize("streamed", [False, True])
@on_both_loops
async def test_closing_the_transport_is_not_the_end_of_a_body_without_a_length(streamed: bool) -> None:
    begun = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.write(b"HTTP/1.1 200 OK\r\n\r\nsome")
        begun.set()
        await connection.wait_closed_by_client()

    transport = Http1Transport()

    async def call() -> UpstreamReply:
        reply = await transport.send(ask(provider.url, streamed=streamed))
        if streamed:
            await read_all(reply)
        return reply

    async with serve(script) as provider:
        calling = asyncio.create_task(call())
        await within_bound(begun.wait())
        while not any(connection.status for connection in transport._busy):
            await asyncio.sleep(0)
        await transport.close()
        assert (await fault_of(calling)).kind == "cut"
        assert_empty(transport)


@on_both_loops
async def test_a_stream_that_was_closed_yields_nothing_of_the_next_reply() -> None:
    transport = Http1Transport()
    async with serve(answer) as provider:
        first = await transport.send(ask(provider.url, streamed=True))
        assert first.chunks is not None
        assert first.close is not None
        assert await anext(first.chunks) == b"ok"
        await first.close()
        second = await transport.send(ask(provider.url, streamed=True))
        assert await read_all(first) == b""
        assert await read_all(second) == b"ok"
        assert len(provider.connections) == 2
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_small_writes_are_not_held_back_and_who_vanished_is_found_out() -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n")
        await connection.wait_closed_by_client()

    transport = Http1Transport()
    async with serve(script) as provider:
        await transport.send(ask(provider.url, streamed=True))
        (connection,) = transport._busy
        link = connection._transport.get_extra_info("socket")
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await transport.close()


@on_both_loops
async def test_a_reader_that_does_not_read_holds_the_provider_back() -> None:
    sent = 0
    size = 64 * 1024 * 1024
    piece = b"x" * 65536

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.read_request()
        await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            await connection.write(piece)
            sent += len(piece)
        await connection.wait_closed_by_client()

    transport = Http1Transport()
    async with serve(script) as provider:
        reply = await transport.send(ask(provider.url, streamed=True))
        (connection,) = transport._busy
        while not connection._paused:
            await asyncio.sleep(0)
        held = sum(map(len, connection._body))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert sum(map(len, connection._body)) == held < 2 * HIGH_WATER
        assert sent < size
        assert len(await read_all(reply)) == size
        await transport.close()


@on_both_loops
async def test_a_refused_connection_says_so() -> None:
    transport = Http1Transport()
    for host in ("127.0.0.1", "localhost"):
        fault = await fault_of(transport.send(ask(f"http://{host}:{unused_port()}")))
        assert fault.kind == "connect"
        assert "refused" in fault.message.lower() or "connect" in fault.message.lower()
    await transport.close()


@pytest.mark.real_time
async def test_a_name_with_several_addresses_that_refuse_keeps_them_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    port = unused_port()

    async def two(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two)
    transport = Http1Transport()
    fault = await fault_of(transport.send(ask(f"http://two.invalid:{port}")))
    assert (fault.kind, fault.message) == ("connect", os.strerror(errno.ECONNREFUSED))
    await transport.close()


@pytest.mark.parametrize("host", ["provider.invalid", "a..b", "a" * 64 + ".invalid"])
@on_both_loops
async def test_a_name_that_is_not_found_says_so(host: str) -> None:
    transport = Http1Transport()
    fault = await fault_of(transport.send(ask(f"http://{host}")))
    assert (fault.kind, fault.message) == ("connect", "the provider's name was not found")
    await transport.close()
    assert_empty(transport)


@on_both_loops
async def test_a_request_over_tls() -> None:
    authority = trustme.CA()
    transport = Http1Transport(tls=trusting(authority))
    async with serve_tls(answer, authority.issue_cert("127.0.0.1")) as provider:
        for _ in range(3):
            assert (await transport.send(ask(provider.url))).body == b"ok"
        reply = await transport.send(ask(provider.url, streamed=True, body=b"x" * 1_000_000))
        assert await read_all(reply) == b"ok"
        assert len(provider.connections) == 1
        assert len(provider.connections[0].body) == 1_000_000
        await transport.close()
        assert_empty(transport)


YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
CERTIFICATES: dict[str, tuple[Callable[[trustme.CA], trustme.LeafCert], bool, str]] = {
    "nobody here trusts": (lambda authority: authority.issue_cert("127.0.0.1"), False, "unable to get local issuer"),
    "for another host": (lambda authority: authority.issue_cert("elsewhere.test"), True, "not valid for '127.0.0.1'"),
    "expired": (
        lambda authority: authority.issue_cert("127.0.0.1", not_after=YESTERDAY),
        True,
        "certificate has expired",
    ),
}


@pytest.mark.parametrize(("issue", "trusted", "words"), CERTIFICATES.values(), ids=CERTIFICATES)
@on_both_loops
async def test_a_certificate_that_is_not_accepted_says_why(
    issue: Callable[[trustme.CA], trustme.LeafCert], trusted: bool, words: str
) -> None:
    authority = trustme.CA()
    transport = Http1Transport(tls=trusting(authority if trusted else trustme.CA()))
    async with serve_tls(answer, issue(authority)) as provider:
        fault = await fault_of(transport.send(ask(provider.url)))
        assert fault.kind == "connect"
        assert "certificate was not accepted" in fault.message
        assert words in fault.message
        assert "SSL_CERT_FILE" not in fault.message
        assert all(connection.head == b"" for connection in provider.connections)
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_a_machine_that_trusts_nobody_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    transport = Http1Transport()
    async with serve_tls(answer, trustme.CA().issue_cert("127.0.0.1")) as provider:
        fault = await fault_of(transport.send(ask(provider.url)))
        assert fault.kind == "connect"
        assert "SSL_CERT_FILE" in fault.message
        await transport.close()


@on_both_loops
async def test_a_server_that_speaks_no_tls_says_so() -> None:
    transport = Http1Transport()

    async def script(connection: Connection) -> None:
        await connection.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await connection.wait_closed_by_client()

    async with serve(script) as provider:
        fault = await fault_of(transport.send(ask(provider.url.replace("http", "https"))))
        assert fault.kind == "connect"
        assert fault.message.startswith("no TLS: ")
        await transport.close()
        assert_empty(transport)


@on_both_loops
async def test_a_context_that_cannot_be_made_is_a_fault() -> None:
    def fail() -> ssl.SSLContext:
        raise ssl.SSLError("no start line")

    transport = Http1Transport(tls=fail)
    fault = await fault_of(transport.send(ask("https://127.0.0.1:1")))
    assert fault.kind == "connect"


@pytest.mark.parametrize("cut", ["tls", "tcp"])
@on_both_loops
async def test_a_counted_body_that_is_cut_over_tls_is_never_complete(cut: str) -> None:
    authority = trustme.CA()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi")
        if cut == "tcp":
            connection.reset()

    transport = Http1Transport(tls=trusting(authority))
    async with serve_tls(script, authority.issue_cert("127.0.0.1")) as provider:
        assert (await fault_of(transport.send(ask(provider.url)))).kind in ("cut", "connect")
        await transport.close()
        assert_empty(transport)


async def head_of(request: UpstreamRequest) -> tuple[bytes, bytes]:
    """What goes over the wire for a request."""
    transport = Http1Transport()
    async with serve(answer) as provider:
        request.url = request.url.replace("ORIGIN", provider.url)
        await transport.send(request)
        await transport.close()
    return provider.connections[0].head.replace(provider.url[7:].encode(), b"ORIGIN"), provider.connections[0].body


@on_both_loops
async def test_a_request_as_it_is_written() -> None:
    head, body = await head_of(ask("ORIGIN/v1/x?a=%20b", headers=[("accept", "*/*"), ("x-a", "1"), ("x-a", "2")]))
    assert head == (
        b"POST /v1/x?a=%20b HTTP/1.1\r\nhost: ORIGIN\r\naccept: */*\r\nx-a: 1\r\nx-a: 2\r\n"
        b"user-agent: router-gateway\r\ncontent-length: 2\r\n\r\n"
    )
    assert body == b"{}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "M-SEARCH"])
@on_both_loops
async def test_a_request_without_a_body_has_no_length(method: str) -> None:
    head, body = await head_of(ask("ORIGIN", method=method, body=b"", headers=[("user-agent", "mine")]))
    assert head == b"%s / HTTP/1.1\r\nhost: ORIGIN\r\nuser-agent: mine\r\n\r\n" % method.encode()
    assert body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@on_both_loops
async def test_an_empty_body_has_a_length(method: str) -> None:
    head, _ = await head_of(ask("ORIGIN", method=method, body=b""))
    assert head.lower().count(b"content-length: 0\r\n") == 1


@pytest.mark.parametrize("size", [JOINED, JOINED + 1, 32 * 1024 * 1024])
@on_both_loops
async def test_a_large_body_arrives_whole(size: int) -> None:
    sent = os.urandom(1024) * (size // 1024) + b"x" * (size % 1024)
    head, body = await head_of(ask("ORIGIN", body=sent))
    assert b"content-length: %d\r\n" % size in head
    assert body == sent


@on_both_loops
async def test_a_long_target_is_sent_and_not_kept() -> None:
    transport = Http1Transport()
    async with serve(answer) as provider:
        query = "q=" + "a" * 50_000
        await transport.send(ask(f"{provider.url}/?{query}"))
        assert transport._urls == {}
        await transport.send(ask(f"{provider.url}/"))
        assert list(transport._urls) == [f"{provider.url}/"]
        await transport.close()


UNSENDABLE: dict[str, UpstreamRequest] = {
    "a line break in a value": ask("http://127.0.0.1:1", headers=[("x-a", f"{SECRET}\r\nhost: b")]),
    "a line feed in a value": ask("http://127.0.0.1:1", headers=[("x-a", f"{SECRET}\nhost: b")]),
    "a carriage return in a value": ask("http://127.0.0.1:1", headers=[("x-a", f"{SECRET}\rhost: b")]),
    "a zero byte in a value": ask("http://127.0.0.1:1", headers=[("x-a", f"{SECRET}\0")]),
    "a value that is not latin-1": ask("http://127.0.0.1:1", headers=[("x-a", f"{SECRET}\u2014")]),
    "a line break in a name": ask("http://127.0.0.1:1", headers=[(f"{SECRET}\r\nx", "a")]),
    "a colon in a name": ask("http://127.0.0.1:1", headers=[(f"host:{SECRET}", "a")]),
    "a space in a name": ask("http://127.0.0.1:1", headers=[(f"x {SECRET}", "a")]),
    "a name that is not ASCII": ask("http://127.0.0.1:1", headers=[("x-\xe9", SECRET)]),
    "an empty name": ask("http://127.0.0.1:1", headers=[("", SECRET)]),
    "a method with a target": ask("http://127.0.0.1:1", method="GET /admin"),
    "a method with a line break": ask("http://127.0.0.1:1", method="GET\r\n"),
    "no method": ask("http://127.0.0.1:1", method=""),
    "a user in the URL": ask(f"http://{SECRET}@127.0.0.1:1"),
    "a password in the URL": ask(f"http://user:{SECRET}@127.0.0.1:1"),
    "a line break in the URL": ask(f"http://127.0.0.1:1/{SECRET}\r\nhost:b"),
    "a tab in the URL": ask(f"http://127.0.0.1:1/\t{SECRET}"),
    "a space in the URL": ask(f"http://127.0.0.1:1/ HTTP/1.1 {SECRET}"),
    "a host that is not ASCII": ask("http://b\xfccher.test/"),
    "a target that is not ASCII": ask("http://127.0.0.1:1/b\xfccher"),
    "a port that is no number": ask("http://127.0.0.1:port/"),
    "a port out of range": ask("http://127.0.0.1:70000/"),
    "port 0": ask("http://127.0.0.1:0/"),
    "a bracket that is not closed": ask("http://[::1/"),
    "no host": ask("http:///path"),
    "another scheme": ask("ftp://127.0.0.1/"),
    **{f"{name} of its own": ask("http://127.0.0.1:1", headers=[(name, SECRET)]) for name in sorted(NOT_SENT)},
    "host in capitals": ask("http://127.0.0.1:1", headers=[("Host", SECRET)]),
}


@pytest.mark.parametrize("request_", UNSENDABLE.values(), ids=UNSENDABLE)
async def test_what_cannot_be_sent_is_refused_before_there_is_a_connection(request_: UpstreamRequest) -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("connected")

    transport = Http1Transport()
    transport._connect = never  # type: ignore[assignment, method-assign]
    assert (await fault_of(transport.send(request_))).kind == "connect"


def test_the_check_of_a_config_refuses_what_the_engine_would() -> None:
    assert NOT_SENT == check_providers._OF_THE_CONNECTION


@pytest.mark.parametrize(
    ("url", "host", "port", "header", "target"),
    [
        ("http://a.test", "a.test", 80, "a.test", "/"),
        ("https://a.test?x=1", "a.test", 443, "a.test", "/?x=1"),
        ("https://A.test:8443/p;q?x=/?#f", "a.test", 8443, "a.test:8443", "/p;q?x=/?"),
        ("http://[::1]:81/p", "::1", 81, "[::1]:81", "/p"),
        ("https://[2001:db8::1]/", "2001:db8::1", 443, "[2001:db8::1]", "/"),
        ("http://a.test//p", "a.test", 80, "a.test", "//p"),
    ],
)
def test_a_url_that_is_read(url: str, host: str, port: int, header: str, target: str) -> None:
    origin, found = Http1Transport()._read_url(url)
    assert (origin.host, origin.port, origin.host_header, found) == (host, port, header, target)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@on_both_loops
async def test_an_ipv6_host() -> None:
    loopback = Loopback(answer)
    server = await asyncio.start_server(loopback.accept, "::1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Http1Transport()
    assert (await transport.send(ask(f"http://[::1]:{port}/"))).body == b"ok"
    assert b"host: [::1]:%d\r\n" % port in loopback.connections[0].head
    await transport.close()
    server.close()
    await loopback.stop()


def test_names_are_remembered_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1_transport, "REMEMBERED", 3)
    names = http1_transport._Names()
    for number in range(10):
        assert names[f"x-{number}"] == f"x-{number}: "
        assert len(names) <= 3
