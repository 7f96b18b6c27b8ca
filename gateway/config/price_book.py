"""From `prices` of routers.yaml to the prices that hold."""

from __future__ import annotations

from gateway.config.spec import Spec
from gateway.providers.prices import PriceBook


def price_book(spec: Spec) -> PriceBook:
    """The shipped prices, and what the config says of them."""
    return PriceBook()
