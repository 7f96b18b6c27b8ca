from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.ingress.admin.listener import Listener
from gateway.ingress.body import Receive, Scope, Send
from gateway.telemetry.log import Log
from tests.support.loopback import unused_port

pytestmark = pytest.mark.real_time


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def listening(port: int, host: str = "127.0.0.1") -> AsyncIterator[io.StringIO]:
    written = io.StringIO()
    listener = Listener(answer, host, port, None, Log(lambda: 0.0, "json", "info", written))
    await listener.open()
    try:
        yield written
    finally:
        await listener.close()


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    reply = await reader.read()
    writer.close()
    return reply


async def test_it_answers_until_it_is_closed() -> None:
    port = unused_port()
    async with listening(port) as written:
        reply = await ask(port)
        assert reply.startswith(b"HTTP/1.1 200")
        assert b"server:" not in reply.lower()
        assert json.loads(written.getvalue())["event"] == "the admin API listens"
    with pytest.raises(ConnectionRefusedError):
        await ask(port)


async def test_two_workers_share_a_port() -> None:
    port = unused_port()
    async with listening(port) as first, listening(port) as second:
        assert "cannot" not in first.getvalue() + second.getvalue()


async def test_a_port_that_cannot_be_had_is_told_and_ends_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        async with listening(port) as written:
            line = json.loads(written.getvalue())
    assert (line["event"], line["port"]) == ("the admin API cannot listen", port)
