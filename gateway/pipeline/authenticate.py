"""Who is calling: the gateway key in a request, and what its caller may use."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Layer, Reply


class Caller(msgspec.Struct, frozen=True):
    """A known caller. routers: the ones it may use, None for every route."""

    name: str
    team: str
    routers: frozenset[str] | None


def authenticate(callers: Mapping[bytes, Caller]) -> Layer:
    """Demand a gateway key. callers: by the SHA-256 digest of their key.

    A look-up by digest compares nothing of the key itself, so its timing says nothing about it.
    """

    def layer(inner: Handler) -> Handler:
        async def handle(exchange: Exchange) -> Reply:
            caller = callers.get(sha256(exchange.credential).digest())
            if caller is None:
                raise GatewayError(
                    "invalid_api_key",
                    "No gateway key was sent (authorization: Bearer ..., x-api-key or x-goog-api-key)."
                    if not exchange.credential
                    else "The gateway key is not known.",
                )
            if caller.routers is not None and exchange.router not in caller.routers:
                raise GatewayError("access_denied", f"The key {caller.name!r} may not use this route.")
            exchange.caller = caller.name
            exchange.team = caller.team
            return await inner(exchange)

        return handle

    return layer
