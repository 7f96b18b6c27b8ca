from __future__ import annotations

from binascii import crc32
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.dialects.eventstream import EventStream, Framed
from tests.support.eventstream import frame, message

# docs.aws.amazon.com/transcribe, "Event stream encoding": the shortest message there is.
EMPTY = bytes.fromhex("000000100000000005c248eb7d98c8ff")


def _read(chunks: list[bytes]) -> list[Framed]:
    stream = EventStream()
    return [framed for chunk in chunks for framed in stream.feed(chunk)]


def test_the_shortest_message_is_read() -> None:
    assert _read([EMPTY]) == [Framed(b"")]


def test_an_event_has_its_name_and_payload() -> None:
    assert _read([frame("contentBlockDelta", b'{"a":1}')]) == [Framed(b'{"a":1}', "contentBlockDelta", "event")]


def test_an_exception_has_its_type() -> None:
    found = _read([frame("", b'{"message":"slow down"}', exception="throttlingException")])
    assert found == [Framed(b'{"message":"slow down"}', "throttlingException", "exception")]


def test_an_error_has_its_code_and_message() -> None:
    sent = message({":message-type": "error", ":error-code": "InternalError", ":error-message": "oh"}, b"")
    assert _read([sent]) == [Framed(b"", "InternalError", "error", "oh")]


def test_headers_of_every_type_are_stepped_over() -> None:
    values = [
        b"\x01a\x00", b"\x01b\x01", b"\x01c\x02\x07", b"\x01d\x03\x00\x07", b"\x01e\x04\x00\x00\x00\x07",
        b"\x01f\x05" + bytes(8), b"\x01g\x06\x00\x02xy", b"\x01h\x08" + bytes(8), b"\x01i\x09" + bytes(16),
        b"\x0b:event-type\x07\x00\x02hi",
    ]  # fmt: skip
    head = b"".join(values)
    prelude = pack(">II", 16 + len(head), len(head))
    body = prelude + pack(">I", crc32(prelude)) + head
    assert _read([body + pack(">I", crc32(body))]) == [Framed(b"", "hi", "event")]


@given(payloads=st.lists(st.binary(max_size=40), max_size=4), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_cuts_do_not_matter(payloads: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(frame("x", payload) for payload in payloads)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    chunks = [whole[a:b] for a, b in pairwise(edges)]
    assert _read(chunks) == [Framed(payload, "x", "event") for payload in payloads]


@pytest.mark.parametrize("at", [1, 6, 9, 14, 30, -2])
def test_a_damaged_message_is_malformed(at: int) -> None:
    sent = bytearray(frame("contentBlockDelta", b'{"a":1}'))
    sent[at] ^= 0x10
    with pytest.raises(UpstreamFault) as caught:
        _read([bytes(sent)])
    assert caught.value.kind == "malformed"


def test_an_impossible_length_is_malformed_and_not_waited_for() -> None:
    prelude = pack(">II", 2**31, 0)
    with pytest.raises(UpstreamFault, match="length"):
        _read([prelude + pack(">I", crc32(prelude)) + bytes(4)])


@given(block=st.binary(max_size=200))
def test_no_bytes_raise_anything_else(block: bytes) -> None:
    try:
        _read([block, EMPTY])
    except UpstreamFault as fault:
        assert fault.kind == "malformed"  # noqa: PT017


def test_an_unfinished_message_is_known() -> None:
    stream = EventStream()
    stream.feed(EMPTY[:7])
    assert stream.cut
    stream.feed(EMPTY[7:])
    assert not stream.cut
