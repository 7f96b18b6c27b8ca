"""Calls of functions: their ids, which Gemini may leave out, and their arguments and results, which must be objects.

A call without an id is known by its place; a result without one answers the first call of its function that has none
yet. Ids that are made up say nothing but that, and are the same each time the same bytes are read.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import msgspec

_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_EMPTY: Final = msgspec.Raw(b"{}")
_SINGLE: Final = ("output", "result", "error")
"""Members of a response that alone stand for the whole of it."""


class Calls:
    """The calls of a conversation, in order."""

    __slots__ = ("_made", "_open")

    def __init__(self) -> None:
        self._made = 0
        self._open: list[tuple[str, str]] = []

    def called(self, identity: str, name: str) -> str:
        """The id of a call."""
        self._made += 1
        identity = identity or f"call_{self._made}"
        self._open.append((identity, name))
        return identity

    def answered(self, identity: str, name: str) -> tuple[str, str]:
        """Id and name of the call that a result is for."""
        for at, (known, called) in enumerate(self._open):
            if known == identity if identity else called == name:
                del self._open[at]
                return known, name or called
        self._made += 1
        return identity or f"call_{self._made}", name


def reply_call_id(response: str, name: str, arguments: bytes, number: int) -> str:
    """The id of a reply's call, for clients whose dialects demand one that no other turn of the conversation has.
    response: the reply's id, where it has one. number: which call of the reply it is."""
    base = _ODD.sub("", response)[:24] or f"{zlib.crc32(name.encode() + arguments):08x}"
    return f"call_{base}_{number}"


def is_object(text: str) -> bool:
    """Whether this is the JSON of an object."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        _OBJECT.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def arguments_of(text: str) -> msgspec.Raw | None:
    """What stands under `args`; None where the text is no object."""
    if not text.strip():
        return _EMPTY
    return msgspec.Raw(text.encode()) if is_object(text) else None


def response_of(text: str, error: bool) -> msgspec.Raw:
    """A tool's text as the object that Gemini wants: itself where it is one, else under `output` or `error`."""
    whole = is_object(text)
    if whole and not error and not _is_single(_OBJECT.decode(text)):
        return msgspec.Raw(text.encode())
    value = msgspec.Raw(text.encode()) if whole else text
    return msgspec.Raw(msgspec.json.encode({"error" if error else "output": value}))


def text_of(response: msgspec.Raw) -> tuple[str, bool]:
    """What a tool said, and whether it was an error. Raises msgspec.ValidationError where it is no object."""
    members = _OBJECT.decode(response)
    if not members:
        return "", False
    if not _is_single(members):
        return str(memoryview(response), "utf-8", "replace"), False
    ((name, value),) = members.items()
    try:
        text = _TEXT.decode(value)
    except msgspec.ValidationError:
        text = str(memoryview(value), "utf-8", "replace")
    return text, name == "error"


def _is_single(members: dict[str, msgspec.Raw]) -> bool:
    return len(members) == 1 and next(iter(members)) in _SINGLE
