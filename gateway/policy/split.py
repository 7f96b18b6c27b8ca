"""Which side of a split somebody is on: always the same one, and as many on each side as its weight says.

Each side draws a number from a hash of who asks and of its own name, and the smallest in proportion to its weight
wins (weighted rendezvous hashing). Law: a change of weights moves people only onto sides that have gained and off
sides that have lost; a side that is added or removed moves nobody between the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from typing import Final

_BITS: Final = 53
"""As many as a float holds exactly."""


def side_of(salt: str, who: str, sides: Sequence[tuple[str, float]]) -> int:
    """The index of the side that `who` is on. salt: so that two splits fall independently. sides: names with weights,
    at least one of them above 0."""
    best, least = -1, 0.0
    for index, (name, weight) in enumerate(sides):
        if weight > 0:
            drawn = -log(_fraction(salt, who, name)) / weight
            if best < 0 or drawn < least:
                best, least = index, drawn
    return best


def _fraction(salt: str, who: str, name: str) -> float:
    """Above 0, at most 1, evenly spread."""
    text = f"{salt}\0{who}\0{name}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> (64 - _BITS)
    return (number + 1) / (1 << _BITS)
