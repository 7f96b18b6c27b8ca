"""What usage costs. The prices themselves are generated: price_table.py.

Law: money is whole picodollars until the last step, which rounds up to millionths of a dollar, so that nothing with a
price is free.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.providers.catalog import CATALOG, pinned_names
from gateway.providers.price_table import TABLE

_MICRO: Final = 1_000_000
_LONG: Final = 6
"""A row with so many numbers more has a second five for long prompts."""


class Price(msgspec.Struct, frozen=True):
    """Of one token, in picodollars. long: what holds from so many tokens of input on."""

    input: int
    cached: int
    write_5m: int
    write_1h: int
    output: int
    long_from: int = 0
    long: Price | None = None


@lru_cache(4096)
def price(provider: str, model: str) -> Price | None:
    """The price of a model, by its name or the name that it is a pin of; None where it is not known. provider: ``
    where none has been chosen: the model's own, by `provider/model` or by its name."""
    if not provider:
        named, slash, rest = model.partition("/")
        if slash and named in TABLE:
            return price(named, rest)
        return next((found for vendor in TABLE if (found := price(vendor, model)) is not None), None)
    rows = TABLE.get(provider)
    if rows is None:
        # A server of one's own sends no bill.
        known = CATALOG.get(provider)
        if known is not None and known.vendors:
            # Who sells the models of their vendors sells them at their vendors' prices.
            return next((found for vendor in known.vendors if (found := price(vendor, model)) is not None), None)
        return Price(0, 0, 0, 0, 0) if known is not None and known.local else None
    for name in pinned_names(model):
        if name in rows:
            return _read(rows[name])
    return None


def cost(provider: str, model: str, usage: Usage) -> int | None:
    """In millionths of a dollar, rounded up; None where the price is not known."""
    found = price(provider, model)
    if found is None:
        return None
    if found.long is not None and usage.input > found.long_from:
        found = found.long
    fresh = max(usage.input - usage.cached - usage.cache_write_5m - usage.cache_write_1h, 0)
    pico = (
        fresh * found.input
        + usage.cached * found.cached
        + usage.cache_write_5m * found.write_5m
        + usage.cache_write_1h * found.write_1h
        + usage.output * found.output
    )
    return -(-pico // _MICRO)


def _read(row: tuple[int, ...]) -> Price:
    usual = Price(row[0], row[1], row[2], row[3], row[4])
    return usual if len(row) <= _LONG else msgspec.structs.replace(usual, long_from=row[5], long=_read(row[_LONG:]))
