"""The floor: the least that a Python gateway on these libraries can do, and the measure of ours.

Bare ASGI under granian; the body is decoded, `model` rewritten, the request sent on with pyreqwest and the reply
relayed as it comes. No routing, no limits, no log, no metrics, no watch for the client's disconnect. A yardstick, not a
design.

Environment: FLOOR_WHOLE and FLOOR_STREAM, the origins of the two upstreams.
Run: python -m granian --interface asgi --no-ws --loop uvloop --workers 1 --port 8099 benchmarks.floor:app
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from pyreqwest.client import Client, ClientBuilder

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WHOLE = os.environ.get("FLOOR_WHOLE", "http://127.0.0.1:18100")
STREAM = os.environ.get("FLOOR_STREAM", "http://127.0.0.1:18101")
UPSTREAM_HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-floor"}
STREAM_HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}
decode = msgspec.json.Decoder(dict).decode
encode = msgspec.json.Encoder().encode
clients: list[Client] = []


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return await live(receive, send)
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    request = decode(b"".join(parts))
    request["model"] = request["model"].split("/", 1)[1]
    relay = relay_stream if request.get("stream") else relay_whole
    return await relay(scope["path"], encode(request), send)


async def relay_whole(path: str, body: bytes, send: Send) -> None:
    reply = await clients[0].post(WHOLE + path).headers(UPSTREAM_HEADERS).body_bytes(body).build().send()
    content = bytes(await reply.bytes())
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def relay_stream(path: str, body: bytes, send: Send) -> None:
    call = clients[0].post(STREAM + path).headers(UPSTREAM_HEADERS).body_bytes(body)
    # With the default buffer the first token would come with the last.
    async with call.streamed_read_buffer_limit(0).build_streamed() as reply:
        await send(STREAM_HEAD)
        read = reply.body_reader.read_chunk
        while (chunk := await read()) is not None:
            await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def live(receive: Receive, send: Send) -> None:
    async with ClientBuilder().build() as client:
        clients.append(client)
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
