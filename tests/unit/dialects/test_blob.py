from __future__ import annotations

import msgspec
import pytest

from gateway.dialects.blob import Blob, BlobWriter, read_blob


class _Holder(msgspec.Struct):
    data: msgspec.Raw


def _raw(body: bytes) -> msgspec.Raw:
    return msgspec.json.decode(body, type=_Holder).data


def test_a_blob_is_a_view_into_the_body() -> None:
    body = b'{"data":"aGVsbG8="}'
    blob = read_blob(_raw(body))
    assert blob is not None
    assert blob.view.obj is body or bytes(blob.view) == b"aGVsbG8="
    assert blob.text() == "aGVsbG8="


def test_a_prefix_is_left_out() -> None:
    blob = read_blob(_raw(b'{"data":"data:image/png;base64,aGk="}'), len("data:image/png;base64,"))
    assert blob is not None
    assert blob.text() == "aGk="


def test_escaped_slashes_are_undone() -> None:
    blob = read_blob(_raw(rb'{"data":"ab\/c\/"}'))
    assert blob is not None
    assert blob.text() == "ab/c/"


@pytest.mark.parametrize(
    "body", [b'{"data":1}', b'{"data":null}', b'{"data":["a"]}', rb'{"data":"a\"b"}', rb'{"data":"\n"}']
)
def test_what_is_no_base64_string_is_no_blob(body: bytes) -> None:
    assert read_blob(_raw(body)) is None


def test_places_are_filled_once_each_and_a_text_that_looks_like_one_stays() -> None:
    writer = BlobWriter()
    first = writer.place(Blob(memoryview(b"AAAA")))
    second = writer.place(Blob(memoryview(b"BBBB")))
    written = writer.encode({"a": first, "b": f"data:x;base64,{second}", "c": "\0blob 7\0"})
    assert msgspec.json.decode(written) == {"a": "AAAA", "b": "data:x;base64,BBBB", "c": "\0blob 7\0"}
