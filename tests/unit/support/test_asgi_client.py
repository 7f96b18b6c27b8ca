from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.asgi_client import AsgiClient, Message
from tests.support.virtual_time import elapsed

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def echo(scope: Any, receive: Receive, send: Send) -> None:
    """Answers with what it got; `/broken` without an end."""
    pieces = []
    while True:
        message = await receive()
        pieces.append(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
    await send(
        {"type": "http.response.body", "body": scope["raw_path"] + b"?" + scope["query_string"], "more_body": True}
    )
    await send({"type": "http.response.body", "body": b"|".join(pieces), "more_body": scope["raw_path"] == b"/broken"})


async def test_the_path_and_the_pieces_of_the_body_arrive_as_given() -> None:
    reply = await AsgiClient(echo).request("POST", "/a%2Fb//c?x=%20", body=[b"one", b"two"], gap=3)
    assert reply.body == b"/a%2Fb//c?x=%20one|two"
    assert reply.headers["x-a"] == "1, 2"
    assert not reply.broken
    assert elapsed() == 3


async def test_json_is_encoded_and_told_of() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        seen.update(scope)
        await echo(scope, receive, send)

    reply = await AsgiClient(app, {"X-All": "1"}).post("/", {"a": 1}, {"X-One": "2"})
    assert reply.body == b'/?{"a":1}'
    headers = dict(seen["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert (headers[b"content-length"], headers[b"x-all"], headers[b"x-one"]) == (b"7", b"1", b"2")


async def test_a_reply_without_an_end_is_broken() -> None:
    assert (await AsgiClient(echo).get("/broken")).broken


async def test_what_the_app_raises_is_raised() -> None:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await AsgiClient(app).get("/")


async def endless(scope: Any, receive: Receive, send: Send) -> None:
    """Sends a piece a second until the client has left."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    gone = asyncio.create_task(_gone(receive))
    while not gone.done():
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(1)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_a_client_leaves_in_the_middle_of_a_stream() -> None:
    async with AsgiClient(endless).stream("GET", "/") as connection:
        assert connection.status == 200
        async for chunk in connection:
            assert chunk == b"x"
            break
        await asyncio.sleep(2.5)
    assert connection.ended
    assert not connection.complete


async def test_a_client_that_does_not_read_blocks_the_sender() -> None:
    connection = AsgiClient(endless).connect("GET", "/", window=3)
    await connection.head()
    await asyncio.sleep(100)
    assert connection.unread == 3
    await connection.disconnect()
