"""Keys of ciphers and of keyed hashes, as a config writes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

KEY_BYTES: Final = 32


def key_bytes(text: str) -> bytes:
    """KEY_BYTES from base64, with or without padding, of either alphabet. ValueError, which does not say the text."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        read = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None
    if len(read) != KEY_BYTES:
        raise ValueError(f"it has {len(read)} bytes, not {KEY_BYTES}")
    return read


def key_id(key: bytes) -> str:
    """A short name of a key, by which it is found again and from which it cannot be told."""
    return hashlib.sha256(b"router-gateway key id\0" + key).hexdigest()[:8]
