"""Money is whole billionths of a US dollar: nano-USD. Nothing here rounds without saying which way.

A price of one token may be less than one of these, so prices are kept finer (providers/prices.py) and a cost is rounded
up once, when it is made.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

NANO: Final = 1_000_000_000
"""Nano-USD in a dollar."""
MICRO: Final = 1_000
"""Nano-USD in a millionth of a dollar, the unit of rate limits."""


def nano_of(dollars: Decimal) -> int:
    """Dollars as nano-USD, rounded up. ValueError for what is no finite number."""
    if not dollars.is_finite():
        raise ValueError("an amount of money is a finite number")
    scaled = dollars * NANO
    whole = int(scaled)
    return whole + (scaled > whole)


def dollars_of(nano: int) -> Decimal:
    """Nano-USD as dollars, exactly."""
    return Decimal(nano).scaleb(-9)


def in_dollars(nano: int) -> str:
    """Nano-USD as people and JSON read dollars: exactly, without an exponent, at least two places."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO)
    return f"{sign}{whole}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


def micro_of(nano: int) -> int:
    """Nano-USD in millionths of a dollar, rounded up."""
    return -(-nano // MICRO)
