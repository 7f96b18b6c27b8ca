"""Chunks cut anywhere become whole server-sent events."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.dialects.frames import Frames
from gateway.dialects.sse import COMMENT, Event, events

pieces = st.sampled_from(
    [b"data: a\n", b"data:b\r\n", b"event: e\n", b": c\n", b"\n", b"\r\n", b"\r", b"x", b"\xef\xbb\xbf"]
)
streams = st.lists(pieces, max_size=12).map(b"".join) | st.binary(max_size=30)


def run(chunks: list[bytes]) -> list[Event]:
    frames = Frames()
    return [event for chunk in chunks for event in frames.feed(chunk)] + frames.end()


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        ([b"data: a\n\n"], [Event(b"a")]),
        ([b"data: a\n", b"\n"], [Event(b"a")]),
        ([b"data: a\r\n\r", b"\ndata: b\r\n\r\n"], [Event(b"a"), Event(b"b")]),
        ([b"data: a\n\ndata: b\n\nda", b"ta: c\n\n"], [Event(b"a"), Event(b"b"), Event(b"c")]),
        ([b"event: e\ndata: a\ndata: b\n\n"], [Event(b"a\nb", b"e")]),
        ([b"\xef\xbb\xbfdata: a\n\n"], [Event(b"a")]),
        ([b": keep-alive\n\n", b"data: a"], [Event(b"a")]),
        ([b"\n\n", b""], []),
    ],
)
def test_events(chunks: list[bytes], found: list[Event]) -> None:
    assert run(chunks) == found


def test_an_event_that_does_not_end_is_malformed() -> None:
    frames = Frames()
    for _ in range(16):
        assert frames.feed(b"x" * 1024 * 1024) == []
    with pytest.raises(UpstreamFault):
        frames.feed(b"x")


@given(streams, st.lists(st.integers(0), max_size=8))
def test_how_the_bytes_were_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    bounds = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    cut = run([stream[start:end] for start, end in itertools.pairwise(bounds)])
    assert cut == run([stream])
    assert [event.data for event in cut] == [event.data for event in events(stream + b"\n\n")]


def test_comments_are_told_of_where_they_are_asked_for() -> None:
    frames = Frames(comments=True)
    assert frames.feed(b": one\n\n: two\ndata: a\n") == [COMMENT]
    assert frames.feed(b"\n:\n: three\n\n\n") == [Event(b"a"), COMMENT]
