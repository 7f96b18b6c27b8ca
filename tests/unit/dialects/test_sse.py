from __future__ import annotations

import pytest

from gateway.dialects.sse import Event, events, last_boundary, spans


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b"", 0),
        (b"data: x\n", 0),
        (b"data: x\n\n", 9),
        (b"data: x\n\ndata: y", 9),
        (b"data: x\r\n\r\n", 11),
        (b"data: x\r\n\r", 0),
        (b"data: x\r\r", 9),
        (b"data: x\r\r\ndata", 10),
        (b"data: x\n\r\ndata", 10),
        (b"data: x\r\n\r\ndata: y\n\nz", 20),
    ],
)
def test_where_the_last_whole_event_ends(buffer: bytes, end: int) -> None:
    assert last_boundary(buffer) == end


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (b"data: x\n\n", [Event(b"x")]),
        (b"data:x\r\ndata:  y\r\n\r\n", [Event(b"x\n y")]),
        (b": ping\n\n", []),
        (b"event: a\ndata: 1\nid: 7\n\ndata: 2\n\n", [Event(b"1", b"a", b"7"), Event(b"2", b"", b"7")]),
        (b"\xef\xbb\xbfdata: x\n\n", [Event(b"x")]),
        (b"event: a\n\ndata: 2\r\r", [Event(b"2")]),
        (b"data\n\n", [Event(b"")]),
        (b"data: cut", []),
        (b"retry: 5\nunknown: z\ndata: x\n\n", [Event(b"x")]),
    ],
)
def test_what_is_in_a_block(block: bytes, found: list[Event]) -> None:
    assert list(events(block)) == found


def test_a_mark_in_the_middle_of_a_stream_is_part_of_the_name() -> None:
    assert list(events(b"\xef\xbb\xbfdata: x\n\n", at_start=False)) == []


def test_spans_are_the_block() -> None:
    block = b"data: 1\n\n\r\n\r\ndata: 2\r\n\r\nrest"
    assert b"".join(spans(block)) == block
