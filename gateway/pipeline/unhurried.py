"""The layer that lets requests wait while the ledger has no room for their rows: `ledger.on-full: block`.

A ledger that may drop rows has no such layer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Layer, Reply

LONGEST: Final = 10.0
"""Seconds."""


class Room(Protocol):
    """is_full: whether a row would not fit; an attribute, as every request looks at it."""

    is_full: bool

    async def room(self) -> None:
        """Returns when one does."""
        ...


def unhurried(rows: Room) -> Layer:
    """rows: of the ledger."""

    def layer(inner: Handler) -> Handler:
        async def wait(exchange: Exchange) -> Reply:
            try:
                async with asyncio.timeout(LONGEST):
                    await rows.room()
            except TimeoutError:
                raise GatewayError(
                    "ledger_full",
                    "The gateway can keep no further record of requests, and may serve none without. Try again soon.",
                    retry_after=LONGEST,
                ) from None
            return await inner(exchange)

        def handle(exchange: Exchange) -> Awaitable[Reply]:
            return wait(exchange) if rows.is_full else inner(exchange)

        return handle

    return layer
