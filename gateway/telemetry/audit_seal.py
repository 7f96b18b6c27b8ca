"""Bodies in the audit log, encrypted: AES-256-GCM, a random nonce for each line, the key named by its id.

Law: what is sealed for one line opens for no other, and not with another key. Imported only where there is a key,
because the library of ciphers is slow to load.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core.key_material import key_id
from gateway.telemetry.audit_line import Content

NONCE_BYTES: Final = 12
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Content)


class Sealed(Exception):
    """Why a line's content cannot be read."""


class Altered(Sealed):
    """The key is at hand, and what was written with it is not there."""


class Seal:
    """Closes contents with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher: Final = AESGCM(key)
        self.key_id: Final = key_id(key)

    def __call__(self, content: Content, line_id: str) -> Content:
        """The same, readable to whoever has the key."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, _ENCODER.encode(content), line_id.encode())
        return Content(
            key=self.key_id, nonce=base64.b64encode(nonce).decode(), sealed=base64.b64encode(sealed).decode()
        )


class KeyRing:
    """Opens contents that were closed with any of several keys."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._ciphers: Final = {key_id(key): AESGCM(key) for key in keys}

    def open(self, content: Content, line_id: str) -> Content:
        """The content as it was. Sealed when there is no key for it, or when it is not what was written."""
        if not content.sealed:
            return content
        cipher = self._ciphers.get(content.key)
        if cipher is None:
            raise Sealed(f"sealed with key {content.key:.8}, which is not at hand")
        try:
            nonce = base64.b64decode(content.nonce, validate=True)
            opened = cipher.decrypt(nonce, base64.b64decode(content.sealed, validate=True), line_id.encode())
            return _DECODER.decode(opened)
        except (InvalidTag, ValueError, binascii.Error, msgspec.MsgspecError):
            raise Altered("not what was written: changed, or another line's") from None
