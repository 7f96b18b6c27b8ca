"""A reply means the same however its bytes are cut, and bytes that are no reply end in a fault."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.upstream.http1_connection import Connection
from tests.support.wire import Wire

LIMIT = 1 << 20

NAMES = st.text("abcXYZ-09_", min_size=1, max_size=8).map(lambda name: b"x" + name.encode())
VALUES = st.binary(max_size=12).map(lambda value: bytes(b for b in value if b >= 0x21 and b != 0x7F))
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
INTERIM = st.integers(0, 2)
CUTS = st.lists(st.integers(0, 1000), max_size=12)


def head(status: int, headers: Headers) -> bytes:
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 %d Said\r\n%s\r\n" % (status, lines)


@st.composite
def replies(draw: st.DrawFn) -> tuple[bytes, int, Headers, bytes, bool, bool]:
    """Bytes and what they mean: status, headers, body, whether it is the end that ends it, whether HEAD asked."""
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 304, 307, 400, 429, 500, 599]))
    headers = draw(HEADERS)
    pieces = draw(BODIES)
    for_head = draw(st.booleans()) and draw(st.booleans())
    early = b"".join(
        head(draw(st.sampled_from([100, 102, 103])), draw(HEADERS)) for _ in range(draw(st.integers(0, 2)))
    )
    body = b"".join(pieces)
    framing = draw(st.sampled_from(["counted", "chunked", "until close"]))
    if status in (204, 304) or for_head:
        extra = draw(st.sampled_from([[], [(b"Content-Length", b"7")], [(b"Transfer-Encoding", b"chunked")]]))
        told = [*headers, *extra]
        return early + head(status, told), status, told, b"", False, for_head
    if framing == "counted":
        told = [*headers, (b"Content-Length", b"%d" % len(body))]
        return early + head(status, told) + body, status, told, body, False, False
    if framing == "chunked":
        told = [(b"transfer-Encoding", b"Chunked"), *headers]
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b c"']))
        trailers = b"".join(b"%s: %s\r\n" % header for header in draw(HEADERS))
        chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces)
        return early + head(status, told) + chunks + b"0\r\n" + trailers + b"\r\n", status, told, body, False, False
    return early + head(status, headers) + body, status, headers, body, True, False


def cut(sent: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({place % (len(sent) + 1) for place in cuts} | {0, len(sent)})
    return [sent[a:b] for a, b in itertools.pairwise(places) if sent]


async def finish(asked: asyncio.Task[None], connection: Connection, *, streamed: bool) -> bytes:
    """The whole body, however it was asked for."""
    await asked
    if streamed:
        return b"".join([chunk async for chunk in connection.chunks(lambda: None)])
    return connection.take_whole()


async def exchange(
    pieces: list[bytes], *, streamed: bool, for_head: bool = False, end: bool = False
) -> tuple[int, Headers, bytes, bool]:
    """One request on a new connection, and what came of it. Raises UpstreamFault."""
    connection = Connection(asyncio.get_running_loop())
    wire = Wire(connection)
    asked = asyncio.create_task(connection.ask(b"GET", b"", streamed=streamed, without_body=for_head, limit=LIMIT))
    await asyncio.sleep(0)
    for piece in pieces:
        wire.bring(piece)
        if streamed:
            await asyncio.sleep(0)
    if end:
        wire.end()
    body = await finish(asked, connection, streamed=streamed)
    return connection.status, connection.headers, body, connection.may_return()


@given(replies(), CUTS, st.booleans())
async def test_any_cutting_of_a_reply_means_the_same(
    reply: tuple[bytes, int, Headers, bytes, bool, bool], cuts: list[int], streamed: bool
) -> None:
    sent, status, headers, body, until_close, for_head = reply
    wanted = [(name.lower(), value) for name, value in headers]
    found = await exchange(cut(sent, cuts), streamed=streamed, for_head=for_head, end=until_close)
    assert found == (status, wanted, body, not (until_close or for_head))


@given(replies(), st.booleans())
@settings(max_examples=30)
async def test_byte_by_byte_is_one_of_the_ways(
    reply: tuple[bytes, int, Headers, bytes, bool, bool], streamed: bool
) -> None:
    sent, status, headers, body, until_close, for_head = reply
    pieces = [bytes([byte]) for byte in sent]
    found = await exchange(pieces, streamed=streamed, for_head=for_head, end=until_close)
    assert found == (
        status, [(name.lower(), value) for name, value in headers], body, not (until_close or for_head),
    )  # fmt: skip


@given(replies(), st.integers(0, 10_000), CUTS, st.booleans(), st.booleans())
async def test_a_reply_with_a_length_that_is_cut_off_is_never_complete(
    reply: tuple[bytes, int, Headers, bytes, bool, bool], place: int, cuts: list[int], streamed: bool, end: bool
) -> None:
    sent, _, _, _, until_close, for_head = reply
    if until_close:
        return
    place %= len(sent)
    connection = Connection(asyncio.get_running_loop())
    wire = Wire(connection)
    asked = asyncio.create_task(connection.ask(b"GET", b"", streamed=streamed, without_body=for_head, limit=LIMIT))
    await asyncio.sleep(0)
    for piece in cut(sent[:place], cuts):
        wire.bring(piece)
    (wire.end if end else wire.reset)()
    with pytest.raises(UpstreamFault) as raised:
        await finish(asked, connection, streamed=streamed)
    assert raised.value.kind == ("cut" if connection.status else "connect")


@given(replies(), st.binary(min_size=1, max_size=30), CUTS, st.booleans())
@example((head(200, [(b"content-length", b"0")]), 200, [], b"", False, False), b"HTTP/1.1 200", [], True)
async def test_bytes_after_a_reply_leave_it_as_it_is_and_the_connection_unused(
    reply: tuple[bytes, int, Headers, bytes, bool, bool], surplus: bytes, cuts: list[int], streamed: bool
) -> None:
    sent, status, _, body, until_close, for_head = reply
    if until_close or not surplus.strip(b"\r\n"):
        return
    found = await exchange(cut(sent + surplus, cuts), streamed=streamed, for_head=for_head)
    assert (found[0], found[2], found[3]) == (status, body, False)


SNIPPETS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 X\r\n", b"HTTP/1.0 200\r\n", b"HTTP/2.0 200 OK\r\n",
        b"HTTP/1.1 000 X\r\n",
        b"HTTP/1.1 100 C\r\n\r\n", b"content-length: 5\r\n", b"content-length: -1\r\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip\r\n", b"upgrade: h2c\r\n", b"connection: upgrade\r\n", b"connection: close\r\n",
        b"x: y\r\n", b"\r\n", b"\n", b"\r", b"\0", b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffffffffffffff\r\n", b"hello",
    ]
)  # fmt: skip


@given(
    st.lists(st.one_of(SNIPPETS, st.binary(max_size=10)), max_size=12),
    CUTS,
    st.sampled_from(["end", "reset", "vanish"]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=400)
async def test_any_bytes_end_in_a_reply_or_a_fault(
    parts: list[bytes], cuts: list[int], leave: str, streamed: bool, for_head: bool
) -> None:
    """Nothing else is raised and nothing hangs: on virtual time, a wait for what never comes fails the test."""
    connection = Connection(asyncio.get_running_loop())
    wire = Wire(connection)
    asked = asyncio.create_task(connection.ask(b"GET", b"", streamed=streamed, without_body=for_head, limit=LIMIT))
    await asyncio.sleep(0)
    for piece in cut(b"".join(parts), cuts):
        wire.bring(piece)
    getattr(wire, leave)()
    with contextlib.suppress(UpstreamFault):
        await finish(asked, connection, streamed=streamed)
    assert not connection.may_return()
    assert wire.aborted
