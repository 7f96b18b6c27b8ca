"""What a client is told, kept as it passes: only in routes whose bodies go into the audit log.

Must not: delay a chunk, or hold more of a reply than is kept of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.exchange import Captured, Exchange, Handler, Layer, Reply


def captured(most: int) -> Layer:
    """most: bytes of each reply."""

    def layer(inner: Handler) -> Handler:
        async def handle(exchange: Exchange) -> Reply:
            kept = exchange.captured = Captured(most)
            try:
                reply = await inner(exchange)
            except GatewayError as error:
                if error.provider_body:
                    kept.add(error.provider_body)
                raise
            kept.add(reply.first)
            if reply.rest is not None:
                reply.rest = _Overheard(reply.rest, kept)
            return reply

        return handle

    return layer


class _Overheard:
    """A reply's rest, heard by one more. No generator: there is nothing to close."""

    __slots__ = ("_kept", "_rest")

    def __init__(self, rest: AsyncIterator[bytes], kept: Captured) -> None:
        self._rest: Final = rest
        self._kept: Final = kept

    def __aiter__(self) -> _Overheard:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._rest.__anext__()
        self._kept.add(piece)
        return piece
