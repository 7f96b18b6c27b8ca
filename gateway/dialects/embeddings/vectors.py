"""Vectors as numbers and as base64 of little-endian float32, and the checks that a reply's vectors must pass.

Law: base64 -> numbers -> base64 gives the same bytes, for a float32 is exactly a JSON number of Python's; and what is
not converted is not changed. Raises nothing but UpstreamFault("malformed").
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Sequence
from math import isfinite
from typing import Final

from gateway.core.errors import UpstreamFault
from gateway.dialects.embedding import Floats, Form

_SWAPPED: Final = sys.byteorder == "big"
_RANGES: Final[dict[Form, tuple[int, int]]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "binary": (-128, 127),
    "ubinary": (0, 255),
}


def unpacked(text: str) -> bytes:
    """The float32 of base64."""
    try:
        packed = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        raise _malformed("a vector is not base64") from None
    if len(packed) % 4:
        raise _malformed("a vector is not made of 4-byte numbers")
    return packed


def base64_of(vector: Floats) -> str:
    """A vector as base64."""
    if isinstance(vector, bytes):
        return b64encode(vector).decode("ascii")
    numbers = array("f", vector)
    # What is beyond float32 has become an infinity.
    if not isfinite(sum(numbers)):
        raise _malformed("a number is beyond float32")
    if _SWAPPED:
        numbers.byteswap()
    return b64encode(numbers).decode("ascii")


def numbers_of(vector: Floats) -> list[float]:
    """A vector as numbers."""
    if not isinstance(vector, bytes):
        return vector
    numbers = array("f")
    numbers.frombytes(vector)
    if _SWAPPED:
        numbers.byteswap()
    # The sum is finite when all are: one look instead of one for each.
    if not isfinite(sum(numbers)):
        raise _malformed("a vector holds what is no number")
    return numbers.tolist()


def checked(vectors: Sequence[Floats], due: int) -> tuple[Floats, ...]:
    """The vectors, if there is one for each input and all are of one length."""
    if len(vectors) != due:
        raise _malformed(f"{len(vectors)} vectors for {due} inputs")
    lengths = {len(vector) // 4 if isinstance(vector, bytes) else len(vector) for vector in vectors}
    if len(lengths) > 1 or 0 in lengths:
        raise _malformed("vectors of different lengths" if len(lengths) > 1 else "a vector without numbers")
    return tuple(vectors)


def checked_integers(form: Form, vectors: Sequence[list[int]], due: int) -> tuple[list[int], ...]:
    """The same for the other forms."""
    if len(vectors) != due:
        raise _malformed(f"{len(vectors)} vectors for {due} inputs")
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1 or 0 in lengths:
        raise _malformed("vectors of different lengths" if len(lengths) > 1 else "a vector without numbers")
    low, high = _RANGES[form]
    if any(min(vector) < low or max(vector) > high for vector in vectors):
        raise _malformed(f"numbers that are not {form}")
    return tuple(vectors)


def in_order(indices: Sequence[int | None], due: int) -> list[int]:
    """The place of each item by the index that the provider wrote, or by where it stands when it wrote none."""
    order = [place if index is None else index for place, index in enumerate(indices)]
    if sorted(order) != list(range(due)):
        raise _malformed(f"{len(order)} vectors, whose indices are not those of {due} inputs")
    places = [0] * due
    for place, index in enumerate(order):
        places[index] = place
    return places


def _malformed(why: str) -> UpstreamFault:
    return UpstreamFault("malformed", f"The provider's reply is not one of embeddings: {why}.")
