"""What is kept of an answer, as bytes that any store can hold.

MessagePack, and the version of this format in front: what another version of the gateway has written reads as nothing
kept, never as an error. Bodies are compressed where that saves something.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from gateway.core.exchange import Headers
from gateway.core.usage import Usage
from gateway.dialects.replay.forms import Form

COMPRESSED_FROM: Final = 2048
"""Bytes. Smaller bodies are kept as they are: compressing them costs more than it saves."""
_VERSION: Final = 1
_WORTH_IT: Final = 0.9
_LEVEL: Final = 1
_LARGEST: Final = 64 * 1024 * 1024


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """created: Unix seconds at the end of the reply. headers: those worth keeping, content type among them. told: a
    stream tells its usage itself, because the client that it was fetched for had asked it to."""

    created: float
    form: Form
    headers: Headers
    body: bytes
    usage: Usage | None = None
    told: bool = False


class _Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    version: int
    packed: bool
    entry: Entry


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Stored)


def encode(entry: Entry) -> bytes:
    packed = False
    if len(entry.body) >= COMPRESSED_FROM:
        body = zlib.compress(entry.body, _LEVEL)
        if len(body) < len(entry.body) * _WORTH_IT:
            packed = True
            entry = msgspec.structs.replace(entry, body=body)
    return _ENCODER.encode(_Stored(_VERSION, packed, entry))


def decode(value: bytes) -> Entry | None:
    """None for bytes that are not an entry of this version."""
    try:
        stored = _DECODER.decode(value)
        if stored.version != _VERSION:
            return None
        if not stored.packed:
            return stored.entry
        reader = zlib.decompressobj()
        body = reader.decompress(stored.entry.body, _LARGEST)
        # A body whose checksum has not been reached is cut, or larger than any that was ever written.
        return msgspec.structs.replace(stored.entry, body=body) if reader.eof else None
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError):
        return None
