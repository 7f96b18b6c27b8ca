"""A request to an ASGI application in the same process and on the same loop.

What lives here: the scope of a request, and `ask`, which reads a reply to its end. Clients that leave, stall or send in
pieces are the test-suite's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import unquote

import msgspec
from starlette.types import ASGIApp, Message, Scope

RawHeaders = Sequence[tuple[bytes, bytes]]


class Answer(msgspec.Struct, frozen=True):
    """A reply, read to its end. headers: by lower-case name. whole: False when the application broke it off. head_at,
    end_at: by the clock that was handed in."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    head_at: float
    end_at: float


def http_scope(method: str, target: bytes, headers: RawHeaders, address: str = "127.0.0.1") -> Scope:
    """The scope of a request. target: raw path and query."""
    raw_path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "client": (address, 50_000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }


async def ask(app: ASGIApp, scope: Scope, body: bytes, now: Callable[[], float]) -> Answer:
    """Send a request whole and read the reply as fast as it comes."""
    status = 0
    headers: dict[str, str] = {}
    pieces: list[bytes] = []
    whole = False
    head_at = 0.0
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            # The client stays: whoever waits for it to leave is cancelled with the reply's end.
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, whole, head_at
        if message["type"] == "http.response.start":
            status, head_at = message["status"], now()
            for name, value in message.get("headers", ()):
                headers[name.decode("latin-1")] = value.decode("latin-1")
            return
        pieces.append(message.get("body", b""))
        whole = not message.get("more_body", False)

    await app(scope, receive, send)
    return Answer(status, headers, b"".join(pieces), whole, head_at, now())
