"""An object of a request, member by member, in camelCase or in snake_case.

google-genai writes some members in snake_case and Google accepts both, so both are read. What was not asked for is
named at the end: nothing of a request is stepped over in silence. Values are views into the body until a decoder is
put to them, so megabytes of base64 are not copied on the way down.
"""

from __future__ import annotations

import re
from typing import Final, Protocol, TypeVar

import msgspec

from gateway.core.errors import GatewayError

T = TypeVar("T", covariant=True)

Members = dict[str, msgspec.Raw]


class Decoder(Protocol[T]):
    def decode(self, buf: msgspec.Raw, /) -> T: ...


# Google's JSON has 64-bit integers as strings and takes whole floats for integers.
TEXT: Final = msgspec.json.Decoder(str)
FLAG: Final = msgspec.json.Decoder(bool)
WHOLE: Final = msgspec.json.Decoder(int, strict=False)
NUMBER: Final = msgspec.json.Decoder(float, strict=False)
TEXTS: Final = msgspec.json.Decoder(list[str])
MEMBERS: Final = msgspec.json.Decoder(Members)
OBJECTS: Final = msgspec.json.Decoder(list[Members])

_NULL: Final = msgspec.Raw(b"null")
_SNAKE: Final = re.compile(r"_([a-z0-9])")
_LIMIT: Final = 64
"""Names of unread members that are told; a body made to have millions of them is not worth more."""


def camel(name: str) -> str:
    """`system_instruction` as `systemInstruction`."""
    return _SNAKE.sub(lambda match: match[1].upper(), name) if "_" in name else name


class Fields:
    """path: where the object stands in the body, with a final dot, or `` for the body itself. unread: gathers, for
    the whole request, the names of what nobody asked for."""

    __slots__ = ("_members", "_unread", "path")

    def __init__(self, members: Members, path: str, unread: list[str]) -> None:
        self._members = {camel(name): value for name, value in members.items() if value != _NULL}
        self._unread = unread
        self.path = path

    def take(self, name: str, decoder: Decoder[T]) -> T | None:
        """The member, None where it is missing or null. Raises GatewayError `invalid_request` where it is of another
        type."""
        raw = self._members.pop(name, None)
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            said, _, below = str(error).partition(" - at `$")
            param = f"{self.path}{name}{below.rstrip('`')}"
            raise GatewayError("invalid_request", f"`{param}`: {said}.", param=param) from None

    def raw(self, name: str) -> msgspec.Raw | None:
        """The member as it stands in the body."""
        return self._members.pop(name, None)

    def nested(self, name: str) -> Fields | None:
        """The member that is an object."""
        members = self.take(name, MEMBERS)
        return None if members is None else Fields(members, f"{self.path}{name}.", self._unread)

    def each(self, name: str) -> list[Fields]:
        """The objects of the member that is an array."""
        objects = self.take(name, OBJECTS) or ()
        return [Fields(one, f"{self.path}{name}[{at}].", self._unread) for at, one in enumerate(objects)]

    def left(self) -> list[str]:
        """Names of the members that are still there."""
        return list(self._members)

    def leave(self) -> None:
        """Name all that is still there as unread."""
        room = _LIMIT - len(self._unread)
        self._unread.extend(f"{self.path}{name}" for name in list(self._members)[: max(room, 0)])
        self._members = {}
