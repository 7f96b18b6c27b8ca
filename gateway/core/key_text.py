"""The text of a gateway key: `gw_`, 256 bits in base 62, and a checksum.

    gw_ <43 of 0-9 A-Z a-z> <6 of the same>

Letters and digits alone, so that a double click takes all of it; a fixed prefix and a checksum, so that a scanner
that looks for secrets in sources knows one for certain. The checksum protects nothing: it tells a key that was cut
or mistyped from one that was never made. Chance comes from whoever makes the key.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

PREFIX: Final = "gw_"
BITS: Final = 256
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6
_SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_LENGTH + _CHECK_LENGTH}}}")


def key_text(bits: int) -> str:
    """The key of 256 random bits. ValueError when there are more."""
    if not 0 <= bits < 1 << BITS:
        raise ValueError(f"a key has {BITS} bits")
    body = PREFIX + _in_base_62(bits, _LENGTH)
    return body + _checksum(body)


def is_key_text(text: str) -> bool:
    """Whether it is such a key, whole: shape and checksum."""
    return _SHAPE.fullmatch(text) is not None and _checksum(text[:-_CHECK_LENGTH]) == text[-_CHECK_LENGTH:]


def _checksum(body: str) -> str:
    return _in_base_62(zlib.crc32(body.encode("ascii")), _CHECK_LENGTH)


def _in_base_62(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
