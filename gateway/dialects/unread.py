"""Which members of a request nobody has read.

A reader decodes a body into Structs that name what it knows; the rest is stepped over. Here the same Structs say what
that rest was. Mostly there is none, and one decode into their strict twins proves it; else each object is decoded once
more, into its keys alone.
"""

from __future__ import annotations

import operator
from functools import reduce
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

Members = dict[str, "Members | None"]
"""The members of an object. None: whatever is in it is known, or read by somebody else."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_NULL: Final = b"null"
_LIMIT: Final = 64
"""Names that are told; a body made to have millions of them is not worth more."""


class Shape:
    """What a Struct knows of an object."""

    __slots__ = ("decoder", "members")

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        self.members = _members(struct)
        self.decoder = msgspec.json.Decoder(_strict(struct))


def shape_of(struct: type[msgspec.Struct]) -> Shape:
    """The members of a Struct, and of the Structs in it, as they are named in JSON."""
    return Shape(struct)


def unread(body: bytes | msgspec.Raw, shape: Shape, at: str = "") -> tuple[str, ...]:
    """Names of members that the shape does not have, with dots and indices for depth. A member that is null asks for
    nothing. The body must have been decoded before: this raises what msgspec raises."""
    try:
        shape.decoder.decode(body)
    except msgspec.ValidationError:
        found: list[str] = []
        _walk(body, shape.members, at, found)
        return tuple(found[:_LIMIT])
    return ()


def _members(struct: type[msgspec.Struct]) -> Members:
    hints = get_type_hints(struct)
    return {field.encode_name: _nested(hints[field.name]) for field in msgspec.structs.fields(struct)}


def _nested(hint: object) -> Members | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _members(hint)
    if get_origin(hint) in (list, Union, UnionType):
        for inner in get_args(hint):
            if (members := _nested(inner)) is not None:
                return members
    return None


def _strict(hint: Any) -> Any:
    """The type that takes the same, and no unknown member in any object of its own. What has no such object is not
    even decoded."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        hints = get_type_hints(hint)
        return msgspec.defstruct(
            hint.__name__,
            [
                (
                    field.encode_name,
                    _strict(inner) if _nested(inner := hints[field.name]) else msgspec.Raw,
                    msgspec.Raw(),
                )
                for field in msgspec.structs.fields(hint)
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
    if get_origin(hint) is list:
        return list[_strict(get_args(hint)[0])]  # type: ignore[misc]
    if get_origin(hint) in (Union, UnionType):
        return reduce(operator.or_, map(_strict, get_args(hint)))
    return hint


def _walk(body: bytes | msgspec.Raw, shape: Members, at: str, found: list[str]) -> None:
    members = _OBJECT.decode(body)
    if members.keys() - shape.keys():
        found.extend(
            at + name for name, value in members.items() if name not in shape and bytes(memoryview(value)[:5]) != _NULL
        )
    for name, value in members.items():
        nested = shape.get(name)
        if nested is None or len(found) >= _LIMIT:
            continue
        opening = memoryview(value)[0]
        if opening == 0x7B:
            _walk(value, nested, f"{at}{name}.", found)
        elif opening == 0x5B:
            for index, item in enumerate(_ARRAY.decode(value)):
                if memoryview(item)[0] == 0x7B:
                    _walk(item, nested, f"{at}{name}[{index}].", found)
