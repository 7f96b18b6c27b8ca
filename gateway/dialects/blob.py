"""Base64 that is carried across a translation without being read.

A picture may be megabytes. It is decoded from the client's JSON as a view, and copied once: into the body that goes
upstream.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

_SLICE: Final = 64 * 1024
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=_-]*")
_PLACE: Final = re.compile(rb"\\u0000blob ([0-9]+)\\u0000")


class Blob(msgspec.Struct, frozen=True, gc=False):
    """Base64 text, as ASCII. A view into a JSON document in which nothing of it was escaped."""

    view: memoryview

    def __len__(self) -> int:
        return len(self.view)

    def text(self) -> str:
        """A copy."""
        return str(self.view, "utf-8", "replace")


def read_blob(raw: msgspec.Raw, start: int = 0) -> Blob | None:
    """The Blob of a JSON string that was decoded as Raw, without a copy. start: characters to leave out in front
    (`data:image/png;base64,`). None where it is no string, or is escaped and not base64."""
    view = memoryview(raw)
    if not view or view[0] != 0x22:
        return None
    inner = view[1 + start : -1]
    if not _is_escaped(inner):
        return Blob(inner)
    # Some encoders write `/` as `\/`.
    text: str = msgspec.json.decode(raw)
    return Blob(memoryview(text[start:].encode())) if _BASE64.fullmatch(text, start) else None


def _is_escaped(view: memoryview) -> bool:
    # A memoryview cannot be searched but by a regular expression, which takes ten times as long as this.
    return any(b"\\" in bytes(view[at : at + _SLICE]) for at in range(0, len(view), _SLICE))


class BlobWriter:
    """Encodes a tree in which Blobs stand as values: `place(blob)` gives the string to put there, alone or behind a
    prefix (`data:image/png;base64,`)."""

    __slots__ = ("_blobs",)

    def __init__(self) -> None:
        self._blobs: list[Blob] = []

    def place(self, blob: Blob) -> str:
        """What stands for the blob in the tree."""
        self._blobs.append(blob)
        return f"\0blob {len(self._blobs) - 1}\0"

    def encode(self, tree: object, encode: Callable[[object], bytes] = msgspec.json.encode) -> bytes:
        """The tree as JSON, each place filled. A text of the client's that looks like a place and is none stays."""
        flat = encode(tree)
        blobs = self._blobs
        if not blobs:
            return flat
        pieces: list[bytes | memoryview] = []
        at = 0
        for match in _PLACE.finditer(flat):
            number = int(match[1])
            if number < len(blobs):
                pieces += (flat[at : match.start()], blobs[number].view)
                at = match.end()
        pieces.append(flat[at:])
        return b"".join(pieces)
