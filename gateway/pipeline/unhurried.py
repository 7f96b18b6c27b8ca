"""The layer that lets requests wait while the ledger has no room for their rows: `ledger.on-full: block`.

A ledger that may drop rows has no such layer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Layer, Reply

LONGEST: Final = 10.0
"""Seconds."""


def unhurried(is_full: Callable[[], bool], room: Callable[[], Awaitable[None]]) -> Layer:
    """is_full: whether a row would not fit. room: returns when one does."""

    def layer(inner: Handler) -> Handler:
        async def wait(exchange: Exchange) -> Reply:
            try:
                async with asyncio.timeout(LONGEST):
                    await room()
            except TimeoutError:
                raise GatewayError(
                    "ledger_full",
                    "The gateway can keep no further record of requests, and may serve none without. Try again soon.",
                    retry_after=LONGEST,
                ) from None
            return await inner(exchange)

        def handle(exchange: Exchange) -> Awaitable[Reply]:
            return wait(exchange) if is_full() else inner(exchange)

        return handle

    return layer
