"""An entry as bytes, and bytes that are no entry."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.usage import Usage
from gateway.store.cache_entry import COMPRESSED_FROM, Entry, decode, encode

SMALL = Entry(1.5, "events", [(b"content-type", b"text/event-stream")], b"data: \xff\n\n", Usage(9, 3, 1), told=True)


def large(body: bytes) -> Entry:
    return msgspec.structs.replace(SMALL, body=body)


@pytest.mark.parametrize("entry", [SMALL, large(b""), large(b"word " * 10_000), large(bytes(range(256)) * 8)])
def test_what_is_kept_comes_back(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


def test_large_bodies_are_compressed_where_that_saves_something() -> None:
    assert len(encode(large(b"word " * 10_000))) < 1000
    noise = bytes((n * n * 7919 + (n >> 3)) & 255 for n in range(COMPRESSED_FROM - 1))
    assert len(encode(large(noise))) > len(noise)


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"null", encode(SMALL)[:-1], encode(SMALL) + b"x", encode(large(b"word " * 10_000))[:-20]],
)
def test_what_is_damaged_is_nothing(value: bytes) -> None:
    assert decode(value) is None


def test_a_body_whose_compression_is_cut_is_nothing() -> None:
    version, packed, entry = msgspec.msgpack.decode(encode(large(b"word " * 10_000)))
    assert packed
    entry[3] = entry[3][:-3]
    assert decode(msgspec.msgpack.encode([version, packed, entry])) is None


def test_what_another_version_wrote_is_nothing() -> None:
    version, packed, entry = msgspec.msgpack.decode(encode(SMALL))
    assert decode(msgspec.msgpack.encode([version, packed, entry])) is not None
    assert decode(msgspec.msgpack.encode([version + 1, packed, entry])) is None
