"""Calls of tools where providers have them otherwise than most: arguments as an object, and no ids.

Lives here: JSON text as an object, and ids that are made up. They say nothing but which call is meant, and are the same
each time the same bytes are read.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import msgspec

_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EMPTY: Final = msgspec.Raw(b"{}")


def made_call_id(reply: str, name: str, arguments: bytes, number: int) -> str:
    """The id of a reply's call, for clients whose dialects demand one that no other turn of the conversation has.
    reply: what tells the reply from others, where there is something. number: which call of the reply it is."""
    base = _ODD.sub("", reply)[:24] or f"{zlib.crc32(name.encode() + arguments):08x}"
    return f"call_{base}_{number}"


def members_of(text: str) -> dict[str, msgspec.Raw] | None:
    """The members of the object that this JSON is; None where it is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return _OBJECT.decode(text.encode("utf-8", "replace"))
    except (msgspec.MsgspecError, RecursionError):
        return None


def arguments_of(text: str) -> msgspec.Raw | None:
    """A model's arguments as an object; None where the text is no object."""
    if not text.strip():
        return _EMPTY
    return msgspec.Raw(text.encode("utf-8", "replace")) if members_of(text) is not None else None


def wrapped_arguments(text: str) -> msgspec.Raw:
    """Malformed arguments as an object, for a provider that takes nothing else."""
    return msgspec.Raw(msgspec.json.encode({"arguments": text}))
