"""Arguments as objects, and ids that are made up."""

from __future__ import annotations

import pytest

from gateway.dialects.tool_calls import arguments_of, made_call_id, wrapped_arguments


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", b"{}"),
        (" ", b"{}"),
        ('{"a": [1, {}]}', b'{"a": [1, {}]}'),
        ("[]", None),
        ('{"a"', None),
        ("3", None),
        ('{"a": 1} x', None),
        ('{"a":' * 5000, None),
    ],
)
def test_arguments_are_an_object_or_malformed(text: str, found: bytes | None) -> None:
    raw = arguments_of(text)
    assert (None if raw is None else bytes(raw)) == found


def test_malformed_arguments_stand_in_an_object() -> None:
    assert bytes(wrapped_arguments('{"a')) == b'{"arguments":"{\\"a"}'


def test_an_id_is_the_same_each_time_and_fits_every_dialect() -> None:
    made = made_call_id("9qX3/aM+", "f", b"{}", 1)
    assert made == "call_9qX3aM_1"
    assert made_call_id("", "f", b"{}", 0) == made_call_id("", "f", b"{}", 0)
    assert made_call_id("", "f", b"{}", 0) != made_call_id("", "f", b'{"a":1}', 0)
    assert len(made_call_id("x" * 100, "f", b"", 99)) <= 40
