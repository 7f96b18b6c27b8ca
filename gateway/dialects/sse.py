"""Server-sent events as the WHATWG grammar has them: where events end, and what is in one.

Bytes in, values out; the grammar of what the events mean is each tap's own. Lines end in LF, CRLF or
CR; a blank line ends an event; one space after the colon is not part of the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

BOM: Final = b"\xef\xbb\xbf"
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)")


class Event(msgspec.Struct, frozen=True, gc=False):
    """data: the lines of the event's data, joined by LF. event: its name, or empty. id: or empty."""

    data: bytes
    event: bytes = b""
    id: bytes = b""


def last_boundary(buffer: bytes | bytearray, start: int = 0) -> int:
    """Index just after the last complete event, 0 when there is none. Looks no further back than `start`.

    A final CR that may be half of a CRLF does not end an event yet.
    """
    size = len(buffer)
    end = max(buffer.rfind(b"\n\n", start), buffer.rfind(b"\r\r", start)) + 2
    mixed = buffer.rfind(b"\n\r", start, size - 1) + 2
    end = max(end, mixed)
    if end < 2:
        return 0
    if end < size and buffer[end - 1] == 0x0D and buffer[end] == 0x0A:
        end += 1
    return end


def spans(block: bytes) -> Iterator[bytes]:
    """The block cut after each blank line. The pieces together are the block."""
    at = 0
    for match in _EVENT_END.finditer(block):
        yield block[at : match.end()]
        at = match.end()
    if at < len(block):
        yield block[at:]


COMMENT: Final = Event(b"", b":")
"""Stands for a comment between two events."""


def events(block: bytes, at_start: bool = True, comments: bool = False) -> Iterator[Event]:
    """The events of a block that ends with a blank line; what follows the last one is not an event.

    at_start: the block is the first of its stream, so a byte order mark in front of it is stepped over. comments: those
    that stand by themselves are told of, as COMMENT.
    """
    if at_start and block.startswith(BOM):
        block = block[3:]
    lines: list[bytes] = []
    name = identity = b""
    commented = False
    for line in block.splitlines():
        if not line:
            if lines:
                yield Event(b"\n".join(lines), name, identity)
            elif commented and comments:
                yield COMMENT
            lines, name, commented = [], b"", False
            continue
        field, colon, value = line.partition(b":")
        if colon and value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
        elif field == b"id" and b"\0" not in value:
            identity = value
        elif not field and colon:
            commented = True
