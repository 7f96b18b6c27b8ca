from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import UpstreamFault
from gateway.upstream.transport import UpstreamReply, UpstreamRequest
from tests.support.scripted import ScriptedTransport, chat_stream, hang, html, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

HOST = "api.openai.com"


def ask(*, streamed: bool = False, host: str = HOST) -> UpstreamRequest:
    return UpstreamRequest("POST", f"https://{host}/v1/chat/completions?a=1", [], b"{}", streamed, 5.0)


async def chunks_of(reply: UpstreamReply) -> list[bytes]:
    assert reply.chunks is not None
    return [chunk async for chunk in reply.chunks]


async def test_answers_come_in_their_order_and_the_last_one_repeats() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, status(429, retry_after=3), ok(b"{}", delay=2))
    first = await upstream.send(ask())
    assert (first.status, dict(first.headers)[b"retry-after"]) == (429, b"3")
    assert [(await upstream.send(ask())).body for _ in range(2)] == [b"{}", b"{}"]
    assert [call.at for call in upstream.sent] == [0, 0, 2]
    assert upstream.last.path == "/v1/chat/completions?a=1"
    assert upstream.open_calls == 0


async def test_an_answer_may_depend_on_the_request() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, lambda request, n: ok([n, request.method]))
    assert [(await upstream.send(ask())).body for _ in range(2)] == [b'[0,"POST"]', b'[1,"POST"]']


@pytest.mark.parametrize("host", [HOST, "nobody.scripted.this"])
async def test_a_refused_connection_is_a_fault(host: str) -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, refuse())
    with pytest.raises(UpstreamFault) as raised:
        await upstream.send(ask(host=host))
    assert raised.value.kind == "connect"
    assert [call.end for call in upstream.sent] == ["failed"]


async def test_a_stream_comes_in_time_and_ends() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, stream([b"a", b"b"], delay=1, first_delay=2, gap=0.5))
    reply = await upstream.send(ask(streamed=True))
    assert elapsed() == 1
    assert await chunks_of(reply) == [b"a", b"b"]
    assert upstream.last.ended_at == 4
    assert upstream.last.end == "complete"


async def test_a_stream_that_is_closed_early_was_cancelled() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, stream(endless=True, gap=1))
    reply = await upstream.send(ask(streamed=True))
    assert reply.chunks is not None
    assert reply.close is not None
    assert await anext(reply.chunks) == chat_stream()[0]
    assert upstream.open_calls == 1
    await reply.close()
    assert (upstream.open_calls, upstream.cancelled_calls, upstream.last.read) == (0, 1, 1)


async def test_a_stream_can_be_cut() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, stream([b"a", b"b"], cut_after=1))
    reply = await upstream.send(ask(streamed=True))
    with pytest.raises(UpstreamFault, match="reset"):
        await chunks_of(reply)
    assert upstream.last.read == 1
    assert upstream.open_calls == 0


async def test_a_call_that_hangs_is_open_until_it_is_cancelled() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, hang())
    call = asyncio.create_task(upstream.send(ask()))
    await asyncio.sleep(1)
    assert upstream.open_calls == 1
    call.cancel()
    await asyncio.wait([call])
    assert (upstream.open_calls, upstream.cancelled_calls) == (0, 1)


async def test_an_error_reply_to_a_streamed_call_comes_in_chunks() -> None:
    upstream = ScriptedTransport()
    upstream.on(HOST, html(502))
    reply = await upstream.send(ask(streamed=True))
    assert (reply.status, reply.body) == (502, None)
    assert b"nginx" in b"".join(await chunks_of(reply))
