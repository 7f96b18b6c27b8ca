"""Calls of functions and what answers them: ids may be left out, and results are objects.

A call without an id is known by its place; a result without one answers the first call of its function that has no
answer yet.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.tool_calls import members_of

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
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


def response_of(text: str, error: bool) -> msgspec.Raw:
    """A tool's text as the object that Gemini wants: itself where it is one, else under `output` or `error`."""
    members = members_of(text)
    if members is not None and not error and not _is_single(members):
        return msgspec.Raw(text.encode())
    value = text if members is None else msgspec.Raw(text.encode())
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
