from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call, Exchange, Reply
from gateway.ingress.body import Message
from gateway.ingress.relay import relay


def exchange(*, stream: bool = True, method: str = "POST") -> Exchange:
    call = Call("openai", "chat", "/chat/completions", stream=stream)
    request = Exchange("req-1", method, "/chat/completions", b"", [], b"", call, "prod", 1.0, 2.0)
    request.provider = "openai"
    return request


class Client:
    """Takes what is sent. reads: it takes as many messages, then no more."""

    def __init__(self, reads: int = 1000) -> None:
        self.messages: list[Message] = []
        self._reads = reads

    async def send(self, message: Message) -> None:
        if len(self.messages) >= self._reads:
            await asyncio.Event().wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def complete(self) -> bool:
        return self.messages[-1].get("more_body") is False


class Upstream:
    """The rest of a reply, and whether it was closed."""

    def __init__(self, *chunks: bytes | BaseException, on_close: BaseException | None = None) -> None:
        self._chunks = chunks
        self._on_close = on_close
        self.closed = 0

    async def rest(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk

    async def close(self) -> None:
        self.closed += 1
        if self._on_close is not None:
            raise self._on_close

    def reply(self) -> Reply:
        return Reply(200, [(b"content-type", b"text/event-stream")], b"data: 1\n\n", self.rest(), self.close)


async def test_a_whole_reply_goes_out_with_its_length() -> None:
    client, request = Client(), exchange(stream=False)
    await relay(Reply(201, [(b"content-type", b"application/json")], b'{"a":1}'), request, client.send)
    assert client.messages == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"7")],
        },
        {"type": "http.response.body", "body": b'{"a":1}', "more_body": False},
    ]
    assert (request.committed, request.outcome) == (True, "ok")


@pytest.mark.parametrize(
    ("method", "status", "has_length"), [("POST", 200, True), ("HEAD", 200, False), ("DELETE", 204, False)]
)
async def test_an_empty_reply_has_a_length_where_one_is_allowed(method: str, status: int, has_length: bool) -> None:
    client = Client()
    await relay(Reply(status, [], b""), exchange(stream=False, method=method), client.send)
    assert ((b"content-length", b"0") in client.messages[0]["headers"]) is has_length
    assert client.complete


async def test_a_stream_is_passed_chunk_by_chunk_and_ended() -> None:
    client, request, upstream = Client(), exchange(), Upstream(b"data: 2\n\n", b"data: [DONE]\n\n")
    await relay(upstream.reply(), request, client.send)
    assert [message.get("body") for message in client.messages] == [
        None,
        b"data: 1\n\n",
        b"data: 2\n\n",
        b"data: [DONE]\n\n",
        b"",
    ]
    assert client.complete
    assert (request.outcome, upstream.closed) == ("ok", 1)
    assert all(name != b"content-length" for name, _ in client.messages[0]["headers"])


async def test_a_stream_that_breaks_ends_with_an_error_and_never_as_complete() -> None:
    client, request = Client(), exchange()
    upstream = Upstream(b"data: 2\n\n", UpstreamFault("cut", "The stream ended before its last event."))
    await relay(upstream.reply(), request, client.send)
    assert client.body.startswith(b"data: 1\n\ndata: 2\n\n")
    assert b'"code":"upstream_cut"' in client.body
    assert b"[DONE]" not in client.body
    assert not client.complete
    assert (request.outcome, request.error_code, upstream.closed) == ("broken", "upstream_cut", 1)


async def test_a_fault_that_the_stream_itself_told_is_not_told_again() -> None:
    client, request = Client(), exchange()
    fault = UpstreamFault("unavailable", "overloaded")
    fault.told = True
    await relay(Upstream(fault).reply(), request, client.send)
    assert client.body == b"data: 1\n\n"
    assert not client.complete
    assert request.outcome == "broken"


async def test_bytes_that_are_no_stream_break_without_an_event() -> None:
    client, request = Client(), exchange(stream=False)
    await relay(Upstream(b"binary", UpstreamFault("stalled", "")).reply(), request, client.send)
    assert client.body == b"data: 1\n\nbinary"
    assert not client.complete
    assert request.error_code == "upstream_stalled"


async def test_a_client_that_left_is_read_for_and_not_written_to() -> None:
    client, request = Client(), exchange()
    read: list[bytes] = []

    async def rest() -> AsyncIterator[bytes]:
        request.gone = True
        for chunk in (b"a", b"b"):
            read.append(chunk)
            yield chunk

    await relay(Reply(200, [], b"first", rest()), request, client.send)
    assert read == [b"a", b"b"]
    assert client.body == b"first"
    assert not client.complete


async def test_a_client_that_left_gets_no_error_event() -> None:
    client, request = Client(), exchange()
    request.gone = True
    await relay(Upstream(UpstreamFault("cut", "")).reply(), request, client.send)
    assert b"error" not in client.body


async def test_a_client_that_left_gets_no_whole_reply() -> None:
    client, request = Client(), exchange()
    request.gone = True
    await relay(Reply(200, [], b"{}"), request, client.send)
    assert client.messages == []
    assert not request.committed


@pytest.mark.parametrize("reads", [0, 1, 2])
async def test_a_cancelled_relay_closes_the_upstream(reads: int) -> None:
    client, upstream = Client(reads), Upstream(b"data: 2\n\n")
    task = asyncio.create_task(relay(upstream.reply(), exchange(), client.send))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.closed == 1


@pytest.mark.parametrize("reads", [0, 1, 2])
async def test_a_deadline_that_passes_while_the_client_does_not_read_breaks_the_reply(reads: int) -> None:
    client, request = Client(reads), exchange()
    upstream = Upstream(b"data: 2\n\n", on_close=UpstreamFault("deadline", "The time ran out."))
    task = asyncio.create_task(relay(upstream.reply(), request, client.send))
    await asyncio.sleep(1)
    task.cancel()
    await task
    assert (request.outcome, request.error_code) == ("broken", "deadline_exceeded")
    assert len(client.messages) == reads
