"""What a client would rather have: a cheap answer or a quick one, where its router lets it choose.

Lives here: the layer that reads the wish and takes it out of the request, and the handler that goes by it. The layer
stands before the cache: an answer that is kept is cheap and quick, whoever it was fetched for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Layer, Reply
from gateway.dialects.splice import without_text

HEADER: Final = b"x-gateway-optimize-for"
FIELD: Final = "optimize_for"


def prefer(allowed: Collection[str]) -> Layer:
    """The layer of a router that lets its clients choose among these."""
    return lambda inner: partial(_read, frozenset(allowed), inner)


async def _read(allowed: frozenset[str], inner: Handler, exchange: Exchange) -> Reply:
    wish, place = _wish(exchange)
    if place:
        if wish not in allowed:
            may = ", ".join(sorted(allowed)) or "nothing"
            raise GatewayError(
                "invalid_request", f"{place!r} is not one of what may be asked for here: {may}.", param=place
            )
        exchange.optimize_for = wish
    return await inner(exchange)


def _wish(exchange: Exchange) -> tuple[str, str]:
    """What is asked for, and where it says so; the header counts before the field, which goes in any case."""
    wish = place = ""
    if not exchange.call.multipart and b'"optimize_for"' in exchange.body:
        exchange.body, said = without_text(exchange.body, FIELD)
        if said is not None:
            wish, place = said, FIELD
    for name, value in exchange.headers:
        if name == HEADER:
            return value.decode("latin-1").strip().lower(), HEADER.decode()
    return wish, place


class Preference:
    """A handler for each wish, and the usual one."""

    __slots__ = ("_by_wish", "_usual")

    def __init__(self, usual: Handler, by_wish: Mapping[str, Handler]) -> None:
        self._usual = usual
        self._by_wish = by_wish

    async def __call__(self, exchange: Exchange) -> Reply:
        return await self._by_wish.get(exchange.optimize_for, self._usual)(exchange)
