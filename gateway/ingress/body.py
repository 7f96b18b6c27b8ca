"""Reading a request's body: bounded in size, and no further than it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.core.errors import Disconnected, GatewayError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]


async def read_body(receive: Receive, declared: bytes | None, limit: int) -> bytes:
    """The whole body. declared: the content-length header. limit: bytes. How long it may take is the
    caller's to watch.

    Raises GatewayError (`body_too_large`, `invalid_request`) or Disconnected.
    """
    length = -1
    if declared is not None:
        if not declared.isdigit():
            raise GatewayError("invalid_request", "The content-length header is not a number.", param="content-length")
        # So many digits are too large without being counted, which Python would refuse to do.
        length = int(declared) if len(declared) < 16 else limit + 1
        if length > limit:
            raise _too_large(limit)
        if length == 0:
            return b""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    # A server may say "more" of a body that is already here whole.
    if len(body) == length or not message.get("more_body", False):
        return body
    return await _read_rest(receive, body, length, limit)


async def _read_rest(receive: Receive, first: bytes, length: int, limit: int) -> bytes:
    parts = [first]
    size = len(first)
    while size != length:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _too_large(limit: int) -> GatewayError:
    return GatewayError(
        "body_too_large",
        f"The request body is larger than {limit} bytes, the most this gateway takes (server.max-body-size).",
        headers=((b"connection", b"close"),),
    )


def cut_short() -> GatewayError:
    """What to answer where reading a body raised Disconnected. Servers say the same of a client that has left as of a
    body that breaks off or whose chunks are framed wrongly, and the sender of those may be listening yet."""
    return GatewayError(
        "malformed_body",
        "The request body ended before its end, or its chunks are framed wrongly.",
        headers=((b"connection", b"close"),),
    )
