"""A small document, read whole over the transport that reaches the providers. Never on the path of a request that can
do without it; bounded in time and size. And one that is posted, of whose answer the status is all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.upstream.transport import Transport, UpstreamReply, UpstreamRequest

TIMEOUT: Final = 5.0
"""Seconds for all of it."""

MAX_SIZE: Final = 1 << 20
_HEADERS: Final = (("accept", "application/json"), ("accept-encoding", "identity"))


class FetchError(Exception):
    """Why there is no document. The message has no address and no credential."""


class Answer(msgspec.Struct, frozen=True):
    """headers: names in lower case."""

    status: int
    headers: Headers
    body: bytes


async def fetch(transport: Transport, url: str) -> bytes:
    """The body of a 200; no redirect is followed. FetchError."""
    answer = await ask(transport, "GET", url, _HEADERS)
    if answer.status != 200:
        raise FetchError(f"the answer is {answer.status}, not 200")
    return answer.body


async def ask(
    transport: Transport, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> Answer:
    """Whatever is answered, read whole; no redirect is followed. FetchError where nothing is."""
    request = UpstreamRequest(method, url, list(headers), body, True, TIMEOUT, silence=2 * TIMEOUT)
    reply: UpstreamReply | None = None
    try:
        async with asyncio.timeout(TIMEOUT):
            reply = await transport.send(request)
            return Answer(reply.status, reply.headers, await _read(reply))
    except TimeoutError:
        raise FetchError(f"no answer within {TIMEOUT:g} s") from None
    except (UpstreamFault, ValueError) as failure:
        raise FetchError(str(failure) or type(failure).__name__) from None
    finally:
        if reply is not None and reply.close is not None:
            await reply.close()


async def post(transport: Transport, url: str, headers: Sequence[tuple[str, str]], body: bytes, limit: float) -> int:
    """The status by which a document is taken, within `limit` seconds; no redirect is followed, and what the answer
    says is not read. FetchError where there is none."""
    request = UpstreamRequest("POST", url, list(headers), body, True, limit, silence=2 * limit)
    reply: UpstreamReply | None = None
    try:
        async with asyncio.timeout(limit):
            reply = await transport.send(request)
            return reply.status
    except TimeoutError:
        raise FetchError(f"no answer within {limit:g} s") from None
    except (UpstreamFault, ValueError) as failure:
        raise FetchError(str(failure) or type(failure).__name__) from None
    finally:
        if reply is not None and reply.close is not None:
            await reply.close()


async def _read(reply: UpstreamReply) -> bytes:
    if reply.body is not None:
        return reply.body
    parts: list[bytes] = []
    size = 0
    assert reply.chunks is not None
    async for chunk in reply.chunks:
        size += len(chunk)
        if size > MAX_SIZE:
            raise FetchError(f"it is larger than {MAX_SIZE} bytes")
        parts.append(chunk)
    return b"".join(parts)
