"""The connection alone, fed by hand over a transport that only records what is done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.core.errors import UpstreamFault
from gateway.upstream.http1_connection import HIGH_WATER, MAX_HEAD, Connection
from tests.support.wire import Wire

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"content-length: 2\r\n\r\nhi"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def connect(*, reused: bool = False) -> tuple[Connection, Wire]:
    connection = Connection(asyncio.get_running_loop())
    connection.reused = reused
    return connection, Wire(connection)


async def start(
    connection: Connection, *, streamed: bool = False, without_body: bool = False, limit: int = 1 << 20
) -> asyncio.Task[None]:
    asked = asyncio.create_task(
        connection.ask(b"GET / HTTP/1.1\r\n\r\n", b"", streamed=streamed, without_body=without_body, limit=limit)
    )
    await asyncio.sleep(0)
    return asked


def never() -> None:
    raise AssertionError("nobody has read to the end")


def nothing() -> None:
    pass


async def read(connection: Connection) -> bytes:
    return b"".join([chunk async for chunk in connection.chunks(nothing)])


async def finish(asked: asyncio.Task[None], connection: Connection) -> bytes:
    """The whole body, however it was asked for."""
    await asked
    return await read(connection)


async def fault_of(task: asyncio.Task[None]) -> UpstreamFault:
    with pytest.raises(UpstreamFault) as raised:
        await task
    return raised.value


WHOLE: dict[str, tuple[bytes, bytes]] = {
    "content-length": (COUNTED, b"hi"),
    "an empty body": (OK + b"content-length: 0\r\n\r\n", b""),
    "chunked": (CHUNKED + b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", b"hi!"),
    "chunk extensions": (CHUNKED + b'2;a=b;c="d e"\r\nhi\r\n0;last\r\n\r\n', b"hi"),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\nx-sum: 1\r\nx-end: 2\r\n\r\n", b"hi"),
    "an empty chunked body": (CHUNKED + b"0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "204 that says it is chunked": (b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", b""),
    "304 with the length of what it stands for": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", b""),
    "100 before the reply": (b"HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\n" + COUNTED, b"hi"),
    "hints before the reply": (b"HTTP/1.1 103 Early Hints\r\nlink: a\r\nlink: b\r\n\r\n" * 3 + COUNTED, b"hi"),
    "an interim reply with a body": (b"HTTP/1.1 199 Odd\r\ncontent-length: 3\r\n\r\nodd" + COUNTED, b"hi"),
    "an interim reply with trailers": (
        b"HTTP/1.1 199 Odd\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-early: 1\r\n\r\n" + COUNTED,
        b"hi",
    ),
    "an upgrade that was only offered": (
        OK + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nhi",
        b"hi",
    ),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("sent", "body"), WHOLE.values(), ids=WHOLE)
async def test_a_reply_with_an_end_of_its_own_may_be_followed_by_another(
    sent: bytes, body: bytes, streamed: bool
) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(sent)
    await asked
    assert (await read(connection) if streamed else connection.take_whole()) == body
    assert connection.may_return()
    assert not any(name.startswith(b"x-") or name == b"link" for name, _ in connection.headers)
    asked = await start(connection)
    wire.bring(b"HTTP/1.1 201 Created\r\nx-second: 1\r\ncontent-length: 3\r\n\r\nnew")
    await asked
    assert (connection.status, connection.take_whole()) == (201, b"new")
    assert connection.headers == [(b"x-second", b"1"), (b"content-length", b"3")]
    assert not wire.aborted


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_was_taken_is_not_kept_while_the_connection_is_idle(streamed: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(COUNTED)
    await asked
    assert (await read(connection) if streamed else connection.take_whole()) == b"hi"
    assert connection.take_whole() == b""


async def test_headers_as_the_pipeline_has_them() -> None:
    connection, wire = connect()
    asked = await start(connection)
    wire.bring(
        OK + b"Content-Length: 0\r\nSet-Cookie: a=1\r\nX-Empty:\r\nset-cookie:\t b=2 \t\r\nX-Odd: caf\xe9\r\n\r\n"
    )
    await asked
    assert connection.headers == [
        (b"content-length", b"0"),
        (b"set-cookie", b"a=1"),
        (b"x-empty", b""),
        (b"set-cookie", b"b=2"),
        (b"x-odd", b"caf\xe9"),
    ]


@pytest.mark.parametrize("streamed", [False, True])
async def test_trailers_never_join_the_headers(streamed: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(CHUNKED + b"1\r\na\r\n")
    wire.bring(b"0\r\nset-cookie: a=1\r\n\r\n")
    await asked
    assert connection.headers == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_reply_without_a_length_ends_with_its_connection(streamed: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(OK + b"\r\nsome")
    wire.bring(b"thing")
    wire.end()
    await asked
    assert (await read(connection) if streamed else connection.take_whole()) == b"something"
    assert not connection.may_return()
    assert wire.aborted


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("cut", [Wire.reset, Wire.vanish, lambda wire: wire.connection.abort()])
async def test_a_reply_without_a_length_is_not_complete_when_it_was_cut(
    cut: Callable[[Wire], None], streamed: bool
) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(OK + b"\r\nsome")
    cut(wire)
    with pytest.raises(UpstreamFault) as raised:
        await finish(asked, connection)
    assert raised.value.kind == "cut"
    assert raised.value.status == 200


KINDS: dict[str, bytes] = {
    "counted": COUNTED,
    "chunked": CHUNKED + b"2\r\nhi\r\n0\r\nx: y\r\n\r\n",
    "transfer-encoding that does not end in chunked": OK + b"transfer-encoding: chunked, gzip\r\n\r\nabc",
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("leave", [Wire.end, Wire.reset, Wire.vanish])
@pytest.mark.parametrize("sent", KINDS.values(), ids=KINDS)
async def test_a_reply_that_is_cut_at_any_byte_is_never_complete(
    sent: bytes, leave: Callable[[Wire], None], streamed: bool
) -> None:
    complete = sent != KINDS["transfer-encoding that does not end in chunked"]
    for position in range(len(sent) if complete else len(sent) + 1):
        connection, wire = connect()
        asked = await start(connection, streamed=streamed)
        if position:
            wire.bring(sent[:position])
        leave(wire)
        with pytest.raises(UpstreamFault) as raised:
            await finish(asked, connection)
        assert raised.value.kind == ("cut" if b"\r\n\r\n" in sent[:position] else "connect"), position
        assert not connection.may_return()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("cuts", [1, 2])
async def test_a_reply_that_was_read_to_its_end_stays_complete_when_the_connection_goes(
    cuts: int, streamed: bool
) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(COUNTED[:-cuts])
    wire.bring(COUNTED[-cuts:])
    wire.reset()
    await asked
    assert (await read(connection) if streamed else connection.take_whole()) == b"hi"
    assert not connection.may_return()


SURPLUS = [COUNTED, b"HTTP/1.1 200", b"x", b"\0", b"HTTP/1.1 500 Oops\r\nx-evil: 1\r\ncontent-length: 3\r\n\r\nbad"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("surplus", SURPLUS)
@pytest.mark.parametrize("first", [COUNTED, CHUNKED + b"2\r\nhi\r\n0\r\n\r\n"])
async def test_what_follows_a_reply_does_not_touch_it_and_ends_the_connection(
    first: bytes, surplus: bytes, apart: bool, streamed: bool
) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    if apart:
        wire.bring(first)
        wire.bring(surplus)
    else:
        wire.bring(first + surplus)
    await asked
    assert connection.status == 200
    assert len(connection.headers) == 1
    assert (await read(connection) if streamed else connection.take_whole()) == b"hi"
    assert not connection.may_return()
    assert wire.aborted


async def test_bytes_on_an_idle_connection_end_it() -> None:
    connection, wire = connect()
    asked = await start(connection)
    wire.bring(COUNTED)
    await asked
    wire.bring(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert not connection.is_usable()
    assert wire.aborted


async def test_bytes_before_the_first_request_are_no_reply_to_it() -> None:
    connection, wire = connect()
    wire.bring(COUNTED)
    fault = await fault_of(await start(connection))
    assert fault.kind == "connect"
    assert wire.written == b""


async def test_an_idle_connection_that_is_closed_is_not_usable() -> None:
    for leave in (Wire.end, Wire.reset, Wire.vanish):
        connection, wire = connect(reused=True)
        leave(wire)
        assert not connection.is_usable()
        fault = await fault_of(await start(connection))
        assert fault.kind == "connect"
        assert connection.was_closed_unread()


async def test_a_reply_to_head_has_no_body_and_ends_its_connection() -> None:
    connection, wire = connect()
    asked = await start(connection, without_body=True)
    wire.bring(OK + b"content-length: 5\r\n\r\n")
    await asked
    assert (connection.status, connection.take_whole()) == (200, b"")
    assert not connection.may_return()


async def test_a_body_after_a_reply_to_head_is_dropped() -> None:
    connection, wire = connect()
    asked = await start(connection, without_body=True)
    wire.bring(OK + b"content-length: 5\r\n\r\nhello")
    await asked
    assert connection.take_whole() == b""
    assert not connection.may_return()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        OK + b"connection: close\r\ncontent-length: 2\r\n\r\nhi",
        OK + b"Connection: x, Close\r\ncontent-length: 2\r\n\r\nhi",
    ],
)
async def test_a_reply_that_says_it_is_the_last_is_believed(head: bytes) -> None:
    connection, wire = connect()
    asked = await start(connection)
    wire.bring(head)
    await asked
    assert connection.take_whole() == b"hi"
    assert not connection.may_return()


async def test_a_reply_that_overtakes_its_request_is_the_last() -> None:
    connection, wire = connect()
    asked = await start(connection)
    wire.unsent = 1
    wire.bring(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
    await asked
    assert connection.status == 413
    assert not connection.may_return()


NOT_HTTP: dict[str, bytes] = {
    "another protocol": b"220 mail.example ESMTP\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "length and chunks": OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "the same length twice": OK + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "a list of lengths": OK + b"content-length: 3, 3\r\n\r\nabc",
    "a negative length": OK + b"content-length: -1\r\n\r\n",
    "a length that overflows": OK + b"content-length: 99999999999999999999\r\n\r\n",
    "a space before the colon": OK + b"content-length : 3\r\n\r\nabc",
    "a folded header": OK + b"x-a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "a bare line feed": b"HTTP/1.1 200 OK\nx-a: b\ncontent-length: 0\n\n",
    "a bare carriage return": OK + b"x-a: b\rx-c: d\r\ncontent-length: 0\r\n\r\n",
    "a zero byte": OK + b"x-a: b\0c\r\ncontent-length: 0\r\n\r\n",
    "a switch of protocol": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n\0\0",
    "a switch to nothing": b"HTTP/1.1 101 Switching\r\n\r\n",
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("sent", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_a_head_that_can_be_read_in_two_ways_is_read_in_none(sent: bytes, streamed: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(sent)
    fault = await fault_of(asked)
    assert fault.kind == "connect"
    assert wire.aborted
    assert not connection.was_closed_unread()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("size", [b"x", b"-1", b"fffffffffffffffff", b"2 ", b"2\n", b"", b"0x2"])
async def test_a_chunk_size_that_is_none_cuts_the_body(size: bytes, streamed: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    wire.bring(CHUNKED + b"1\r\na\r\n" + size + b"\r\nhi\r\n0\r\n\r\n")
    with pytest.raises(UpstreamFault) as raised:
        await finish(asked, connection)
    assert raised.value.kind == "cut"
    assert wire.aborted


ENDLESS: dict[str, tuple[bytes, bytes, str]] = {
    "headers": (OK, b"x-more: " + b"a" * 4000 + b"\r\n", "connect"),
    "one header": (OK + b"x-more: ", b"a" * 4000, "connect"),
    "interim replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "connect"),
    "empty lines": (b"", b"\r\n" * 2000, "connect"),
    "trailers": (CHUNKED + b"1\r\na\r\n0\r\n", b"x-more: " + b"a" * 4000 + b"\r\n", "cut"),
    "one trailer": (CHUNKED + b"1\r\na\r\n0\r\nx-more: ", b"a" * 4000, "cut"),
    "a chunk's extension": (CHUNKED + b"1\r\na\r\n1;", b"a" * 4000, "cut"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("begin", "more", "kind"), ENDLESS.values(), ids=ENDLESS)
async def test_what_never_becomes_a_body_is_bounded(begin: bytes, more: bytes, kind: str, streamed: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    if begin:
        wire.bring(begin)
    brought = 0
    while not wire.aborted:
        wire.bring(more)
        brought += len(more)
        assert brought <= MAX_HEAD + len(more)
    with pytest.raises(UpstreamFault) as raised:
        await finish(asked, connection)
    assert raised.value.kind == kind


async def test_framing_between_pieces_of_a_body_is_not_counted_against_it() -> None:
    connection, wire = connect()
    asked = await start(connection, limit=1 << 30)
    wire.bring(CHUNKED)
    pieces = MAX_HEAD // len(b"1\r\n") + 1000
    for _ in range(pieces):
        wire.bring(b"1\r\n")
        wire.bring(b"a\r\n")
    wire.bring(b"0\r\n\r\n")
    await asked
    assert len(connection.take_whole()) == pieces


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("size", "fits"), [(10, True), (11, False)])
async def test_a_whole_body_is_bounded(size: int, fits: bool, apart: bool) -> None:
    connection, wire = connect()
    asked = await start(connection, limit=10)
    sent = OK + b"content-length: %d\r\n\r\n" % size + b"x" * size
    for piece in [bytes([byte]) for byte in sent] if apart else [sent]:
        if not wire.aborted:
            wire.bring(piece)
    if fits:
        await asked
        assert connection.take_whole() == b"x" * 10
    else:
        fault = await fault_of(asked)
        assert (fault.kind, fault.status) == ("unavailable", 200)


async def test_a_whole_body_without_an_end_is_cut_off_at_its_bound() -> None:
    connection, wire = connect()
    asked = await start(connection, limit=1000)
    wire.bring(CHUNKED)
    for _ in range(11):
        wire.bring(b"64\r\n" + b"x" * 100 + b"\r\n")
    assert wire.aborted
    assert (await fault_of(asked)).kind == "unavailable"


async def test_a_reader_that_does_not_read_stops_the_socket() -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=True)
    wire.bring(OK + b"content-length: 1000000\r\n\r\n")
    await asked
    chunks = connection.chunks(never)
    for _ in range(HIGH_WATER // 1024):
        wire.bring(b"x" * 1024)
    assert not wire.paused
    wire.bring(b"x")
    assert wire.paused
    assert len(await anext(chunks)) == HIGH_WATER + 1
    assert not wire.paused


async def test_a_paused_stream_that_is_lost_is_read_to_where_it_came() -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=True)
    wire.bring(OK + b"\r\n" + b"x" * (HIGH_WATER + 1))
    await asked
    assert wire.paused
    connection.abort()
    chunks = connection.chunks(nothing)
    assert len(await anext(chunks)) == HIGH_WATER + 1
    with pytest.raises(UpstreamFault, match="the gateway closed"):
        await anext(chunks)
    assert wire.paused


async def test_one_read_of_the_socket_is_one_chunk() -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=True)
    wire.bring(CHUNKED + b"1\r\na\r\n1\r\nb\r\n")
    await asked
    chunks = connection.chunks(nothing)
    assert await anext(chunks) == b"ab"
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    wire.bring(b"1\r\nc\r\n1\r\nd\r\n0\r\n\r\n")
    assert await waiting == b"cd"
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


async def test_a_whole_reply_wakes_its_waiter_once() -> None:
    connection, wire = connect()
    asked = await start(connection)
    loop = asyncio.get_running_loop()
    for byte in COUNTED[:-1]:
        wire.bring(bytes([byte]))
    before = len(getattr(loop, "_ready"))  # noqa: B009
    assert before == 0
    wire.bring(COUNTED[-1:])
    assert len(getattr(loop, "_ready")) == 1  # noqa: B009
    await asked


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("brought", [b"", OK, OK + b"content-length: 9\r\n\r\nhi", COUNTED])
async def test_cancelling_closes_the_connection_even_when_the_reply_came_at_the_same_moment(
    brought: bytes, streamed: bool
) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=streamed)
    if brought:
        wire.bring(brought)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert wire.aborted
    assert not connection.may_return()
    assert not connection.was_closed_unread()


@pytest.mark.parametrize("brought", [b"", b"hi", b"hi!!"])
async def test_cancelling_a_reader_closes_the_connection(brought: bytes) -> None:
    connection, wire = connect()
    asked = await start(connection, streamed=True)
    wire.bring(OK + b"content-length: 4\r\n\r\n")
    await asked
    over = asyncio.Event()
    reader = asyncio.ensure_future(anext(connection.chunks(over.set)))
    await asyncio.sleep(0)
    if brought:
        wire.bring(brought)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert wire.aborted
    assert over.is_set()


async def test_aborting_tells_whoever_waits() -> None:
    connection, wire = connect(reused=True)
    asked = await start(connection)
    connection.abort("because")
    wire.vanish()
    fault = await fault_of(asked)
    assert (fault.kind, fault.message) == ("connect", "because")
    assert not connection.was_closed_unread()


@pytest.mark.parametrize(
    ("reused", "brought", "unread"), [(True, b"", True), (True, b"H", False), (False, b"", False), (False, b"H", False)]
)
async def test_only_a_reused_connection_without_a_byte_of_a_reply_was_closed_unread(
    reused: bool, brought: bytes, unread: bool
) -> None:
    for leave in (Wire.end, Wire.reset):
        connection, wire = connect(reused=reused)
        asked = await start(connection)
        if brought:
            wire.bring(brought)
        leave(wire)
        assert (await fault_of(asked)).kind == "connect"
        assert connection.was_closed_unread() is unread


async def test_the_end_of_the_other_side_ends_a_request_that_is_still_written() -> None:
    connection, wire = connect()
    asked = await start(connection)
    wire.unsent = 1 << 20
    wire.end(lost=False)
    assert (await fault_of(asked)).kind == "connect"
    assert wire.aborted


async def test_a_large_body_is_written_as_it_is() -> None:
    connection, wire = connect()
    body = b"x" * 100_000
    asked = asyncio.create_task(connection.ask(b"head", body, streamed=False, without_body=False, limit=9))
    await asyncio.sleep(0)
    assert wire.writes == [b"head", body]
    assert wire.writes[1] is body
    wire.bring(COUNTED)
    await asked
