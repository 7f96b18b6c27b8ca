"""What the dialects' replays have in common: JSON objects, events, and how pieces of a stream add up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.dialects.sse import events

Members = dict[str, object]

_OBJECT: Final = msgspec.json.Decoder(Members)
_LIST: Final = msgspec.json.Decoder(list[Members])
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
encode: Final = msgspec.json.encode

# Said once, or said again as it was: everything else that is text comes in pieces.
_SAID: Final = frozenset(
    ("role", "id", "type", "name", "index", "object", "model", "format", "finish_reason", "native_finish_reason")
)


class Unfoldable(Exception):
    """These bytes are not a complete answer that can be given in the other form."""


def read_object(body: bytes) -> Members:
    try:
        return _OBJECT.decode(body)
    except _UNREADABLE:
        raise Unfoldable("not a JSON object") from None


def read_list(body: bytes) -> list[Members]:
    try:
        return _LIST.decode(body)
    except _UNREADABLE:
        raise Unfoldable("not a JSON array of objects") from None


def read_events(body: bytes) -> Iterator[Members]:
    """The events of a stream that are JSON objects, in order."""
    for event in events(body):
        if event.data[:1] == b"{":
            try:
                yield _OBJECT.decode(event.data)
            except _UNREADABLE:
                # A bad event among good ones was skipped by whoever read the stream first.
                continue


def write_event(payload: Members, name: str = "") -> bytes:
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + encode(payload) + b"\n\n"


def objects(value: object) -> list[Members]:
    """The objects of a list; none where it is not one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def object_of(value: object) -> Members:
    return value if isinstance(value, dict) else {}


def add(whole: Members, piece: Members) -> None:
    """Add a piece of a stream to what has come: text to text, lists to lists (by `index` where their items have one),
    objects member by member; the last value of everything else counts, and null counts for nothing."""
    for name, value in piece.items():
        old = whole.get(name)
        if value is None:
            whole.setdefault(name, None)
        elif old is None:
            whole[name] = _copied(value)
        elif isinstance(value, str) and isinstance(old, str) and name not in _SAID:
            whole[name] = old + value
        elif isinstance(value, dict) and isinstance(old, dict):
            add(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            _extend(old, value)
        elif value != "" or not isinstance(old, str):
            whole[name] = value


def _extend(old: list[object], more: list[object]) -> None:
    for item in more:
        index = item.get("index") if isinstance(item, dict) else None
        if isinstance(item, dict) and isinstance(index, int):
            place = next((o for o in old if isinstance(o, dict) and o.get("index") == index), None)
            if place is not None:
                add(place, item)
                continue
        old.append(_copied(item))


def _copied(value: object) -> object:
    """Containers that may be added to must not be those of the piece they came in."""
    if isinstance(value, dict):
        copy: Members = {}
        add(copy, value)
        return copy
    if isinstance(value, list):
        items: list[object] = []
        _extend(items, value)
        return items
    return value
