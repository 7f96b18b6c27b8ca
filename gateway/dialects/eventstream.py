"""AWS's binary event stream: messages with a prelude, headers, a payload and two checksums.

Lives here: where messages end, and what is in one. Bytes may be cut anywhere. Law: nothing but UpstreamFault is raised,
and no message is given out whose checksum is wrong.

Source: docs.aws.amazon.com/transcribe, Event stream encoding (the same for `application/vnd.amazon.eventstream`
everywhere); botocore 1.44, eventstream.py; 2026-11.
"""

from __future__ import annotations

from binascii import crc32
from struct import Struct, error
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault

CONTENT_TYPE: Final = b"application/vnd.amazon.eventstream"

_PRELUDE: Final = Struct(">III")
_SHORT: Final = Struct(">H")
_WORD: Final = Struct(">I")
_LEAST: Final = 16
_LIMIT: Final = 24 * 1024 * 1024
_HEADERS_LIMIT: Final = 128 * 1024
_STRING: Final = 7
_BYTES: Final = 6
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Sizes of the header types that are not of variable length."""


class Framed(msgspec.Struct, frozen=True, gc=False):
    """One message. kind: `event`, `exception` or `error`. name: its event type, exception type or error code.
    said: of an error, its message."""

    payload: bytes
    name: str = ""
    kind: str = "event"
    said: str = ""


class EventStream:
    """Fed with every chunk, in order."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> list[Framed]:
        """The messages that are now whole. Raises UpstreamFault("malformed")."""
        held = self._held
        held += chunk
        found: list[Framed] = []
        at = 0
        while len(held) - at >= _LEAST:
            size, headers, checksum = _PRELUDE.unpack_from(held, at)
            if crc32(held[at : at + 8]) != checksum:
                raise _malformed("the checksum of a prelude is wrong")
            if not _LEAST <= size <= _LIMIT or headers > min(size - _LEAST, _HEADERS_LIMIT):
                raise _malformed("a message says an impossible length")
            if len(held) - at < size:
                break
            found.append(_message(bytes(held[at : at + size]), headers))
            at += size
        if at:
            del held[:at]
        return found

    @property
    def cut(self) -> bool:
        """Whether bytes of an unfinished message are held."""
        return len(self._held) > 0


def _message(frame: bytes, headers: int) -> Framed:
    if crc32(frame[:-4]) != _WORD.unpack_from(frame, len(frame) - 4)[0]:
        raise _malformed("the checksum of a message is wrong")
    said = _headers(frame, 12, 12 + headers)
    kind = said.get(":message-type", "event")
    name = said.get({"exception": ":exception-type", "error": ":error-code"}.get(kind, ":event-type"), "")
    return Framed(frame[12 + headers : -4], name, kind, said.get(":error-message", ""))


def _headers(frame: bytes, at: int, end: int) -> dict[str, str]:
    """The headers whose values are text."""
    found: dict[str, str] = {}
    try:
        while at < end:
            size = frame[at]
            name = frame[at + 1 : at + 1 + size].decode("utf-8", "replace")
            at += 1 + size
            kind = frame[at]
            at += 1
            if kind in (_STRING, _BYTES):
                (size,) = _SHORT.unpack_from(frame, at)
                at += 2
                if kind == _STRING:
                    found[name] = frame[at : at + size].decode("utf-8", "replace")
                at += size
            else:
                at += _FIXED[kind]
    except (IndexError, KeyError, error):
        raise _malformed("the headers of a message cannot be read") from None
    if at != end:
        raise _malformed("the headers of a message are longer than they say")
    return found


def _malformed(why: str) -> UpstreamFault:
    return UpstreamFault("malformed", f"The provider's event stream is damaged: {why}.")
