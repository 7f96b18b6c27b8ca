"""The layer that gives a request its place in a trace, before anything is decided about it.

A gateway without `traces` has no such layer. What the spans say is telemetry's.
"""

from __future__ import annotations

from collections.abc import Awaitable

from gateway.core.exchange import Exchange, Handler, Layer, Reply
from gateway.policy.sampling import Sampling


def traced(sampling: Sampling) -> Layer:
    def layer(inner: Handler) -> Handler:
        begin = sampling.begin

        def handle(exchange: Exchange) -> Awaitable[Reply]:
            exchange.span = begin(exchange.headers)
            return inner(exchange)

        return handle

    return layer
