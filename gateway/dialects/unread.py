"""Which members of a request nobody has read.

A reader decodes a body into Structs that name what it knows; the rest is stepped over. Here the same Structs say what
that rest was: each object is decoded once more, into its keys alone, with its values left as they are.
"""

from __future__ import annotations

from types import UnionType
from typing import Final, Union, get_args, get_origin, get_type_hints

import msgspec

Shape = dict[str, "Shape | None"]
"""The members of an object. None: whatever is in it is known, or read by somebody else."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_NULL: Final = msgspec.Raw(b"null")
_LIMIT: Final = 64
"""Names that are told; a body made to have millions of them is not worth more."""


def shape_of(struct: type[msgspec.Struct]) -> Shape:
    """The members of a Struct, and of the Structs in it, as they are named in JSON."""
    hints = get_type_hints(struct)
    return {field.encode_name: _nested(hints[field.name]) for field in msgspec.structs.fields(struct)}


def unread(body: bytes | msgspec.Raw, shape: Shape, at: str = "") -> tuple[str, ...]:
    """Names of members that the shape does not have, with dots and indices for depth. A member that is null asks for
    nothing. The body must have been decoded before: this raises what msgspec raises."""
    found: list[str] = []
    _walk(body, shape, at, found)
    return tuple(found[:_LIMIT])


def _nested(hint: object) -> Shape | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return shape_of(hint)
    if get_origin(hint) in (list, Union, UnionType):
        for inner in get_args(hint):
            if (shape := _nested(inner)) is not None:
                return shape
    return None


def _walk(body: bytes | msgspec.Raw, shape: Shape, at: str, found: list[str]) -> None:
    members = _OBJECT.decode(body)
    if members.keys() - shape.keys():
        found.extend(at + name for name, value in members.items() if name not in shape and value != _NULL)
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
