"""The built-in provider `echo`: it says back what it was told, inside the process.

What lives here: EchoTransport, which speaks OpenAI's chat and models API as a Transport. The law: it
has no failures of its own making and no magic words; a request that OpenAI would refuse is refused
in OpenAI's shape, and all else is answered the same way each time. The text of replies is made in
echo_reply.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.core.clock import Clock
from gateway.core.exchange import Headers
from gateway.upstream.echo_reply import Answer, ChatRequest, answer, describe_whole, iterate_events
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

MODEL: Final = "echo"

_JSON: Final = (b"content-type", b"application/json")
_SSE: Final = (b"content-type", b"text/event-stream")
_decode: Final = msgspec.json.Decoder(ChatRequest).decode
_encode: Final = msgspec.json.Encoder().encode


class EchoTransport:
    """A Transport that opens no connection. Reply ids and times come from the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        path = urlsplit(request.url).path
        if path.endswith("/chat/completions"):
            if request.method != "POST":
                return _refuse(request, 405, f"Not allowed to {request.method} on {path}.")
            return self._answer(request)
        if request.method == "GET" and path.endswith("/models"):
            return _whole(request, 200, _encode({"object": "list", "data": [_describe_model(MODEL)]}))
        if request.method == "GET" and "/models/" in path:
            return _whole(request, 200, _encode(_describe_model(path.rpartition("/models/")[2])))
        return _refuse(request, 404, f"Unknown request URL: {request.method} {path}.")

    async def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, request: UpstreamRequest) -> UpstreamReply:
        try:
            asked = _decode(request.body)
        except (msgspec.DecodeError, msgspec.ValidationError) as problem:
            return _refuse(request, 400, f"We could not parse the body of your request: {problem}.")
        if not asked.messages:
            return _refuse(request, 400, "Invalid 'messages': empty array.", param="messages")
        self._count += 1
        created = int(self._clock.wall())
        said = answer(asked, reply_id=f"chatcmpl-echo-{created}-{self._count}", created=created)
        if not asked.stream:
            return _whole(request, 200, _encode(describe_whole(said)))
        wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return _streamed([_SSE], _encode_events(said, with_usage=wants_usage))


async def _encode_events(said: Answer, *, with_usage: bool) -> AsyncIterator[bytes]:
    for event in iterate_events(said, with_usage=with_usage):
        yield b"data: %b\n\n" % _encode(event)
    yield b"data: [DONE]\n\n"


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _close() -> None:
    """A reply made in memory holds nothing."""


def _streamed(headers: Headers, chunks: AsyncIterator[bytes], status: int = 200) -> UpstreamReply:
    return UpstreamReply(status, headers, None, chunks, _close)


def _whole(request: UpstreamRequest, status: int, body: bytes) -> UpstreamReply:
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    if request.streamed:
        return _streamed(headers, _once(body), status)
    return UpstreamReply(status, headers, body)


def _refuse(request: UpstreamRequest, status: int, message: str, param: str | None = None) -> UpstreamReply:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return _whole(request, status, _encode({"error": error}))


def _describe_model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "router-gateway"}
