from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError
from gateway.dialects.multipart import boundary_of, fields, is_multipart


def part(name: bytes, value: bytes) -> bytes:
    return b'--B\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"


def test_a_value_is_found_by_position() -> None:
    body = b"preamble\r\n" + part(b"a", b"1") + part(b"b", b"") + b"--B--"
    found = {name: body[start:end] for name, start, end in fields(body, b"multipart/form-data; boundary=B")}
    assert found == {"a": b"1", "b": b""}


def test_a_value_that_is_too_long_to_be_one_is_stepped_over() -> None:
    body = part(b"a", b"x" * 5000) + part(b"b", b"2") + b"--B--"
    assert [name for name, _, _ in fields(body, b"multipart/form-data; boundary=B")] == ["b"]


def test_parts_are_bounded() -> None:
    body = part(b"a", b"1") * 300 + b"--B--"
    with pytest.raises(GatewayError):
        list(fields(body, b"multipart/form-data; boundary=B"))


def test_the_content_type_is_read_whatever_its_case() -> None:
    assert is_multipart(b"Multipart/Form-Data; boundary=x")
    assert not is_multipart(b"application/json")
    assert boundary_of(b'multipart/form-data; Boundary="a b"') == b"a b"
