"""From `prices` of routers.yaml to the prices that hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from gateway.config.spec import ModelPrice, Spec
from gateway.providers.price import WORDS
from gateway.providers.prices import Override, PriceBook

FIELDS: Final = {word: word.replace("-", "_") for word in WORDS}
"""What may have a price, and its field in a ModelPrice."""


def price_book(spec: Spec) -> PriceBook:
    """The shipped prices, and what the config says of them."""
    return PriceBook(list(overrides(spec.prices or {})))


def overrides(prices: Mapping[str, ModelPrice]) -> Iterator[Override]:
    """What is said, by provider and model; of a provider alone it holds for all its models."""
    for name, said in prices.items():
        provider, _, model = name.partition("/")
        dollars = dollars_of(said)
        factor = None if said.factor is None else Decimal(str(said.factor))
        yield Override(provider, model or "*", dollars or None, factor)


def dollars_of(said: ModelPrice) -> dict[str, Decimal]:
    """The prices, by their words."""
    return {
        word: Decimal(str(amount)) for word, field in FIELDS.items() if (amount := getattr(said, field)) is not None
    }
