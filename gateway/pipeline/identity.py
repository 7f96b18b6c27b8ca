"""Whose a request is: one answer for limits and for the cache."""

from __future__ import annotations

from gateway.core.exchange import Exchange
from gateway.policy.limits import name_of_caller, name_of_credential


def identity_of(exchange: Exchange) -> str:
    """The gateway key's name; without one, a hash of the credential that the client sent; without that, its address.
    Which of the three it is stands in front."""
    if exchange.caller:
        return f"key:{name_of_caller(exchange.caller)}"
    if exchange.credential:
        return name_of_credential(exchange.credential)
    return f"address:{name_of_caller(exchange.client)}"


def end_user(exchange: Exchange) -> str:
    """The end user behind the caller, as the request names it: in its body, or in `x-end-user`; ``."""
    if exchange.call.user:
        return exchange.call.user
    for name, value in exchange.headers:
        if name == b"x-end-user":
            return value.decode("latin-1").strip()
    return ""
