from __future__ import annotations

import pytest

from gateway.config.scalars import plain_scalar


@pytest.mark.parametrize(
    "text",
    ["no", "on", "yes", "off", "y", "012", "1:30", "2026-11-21", "1_000", "0b1", "+", "-", ".", "1e", "0x", "0o8",
     ".inf", ".nan", "1e999", "9" * 19, "1.2.3", "NULL ", "tRue", "<<", "=", "0o" + "7" * 40],
)  # fmt: skip
def test_it_is_text(text: str) -> None:
    assert plain_scalar(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("0", 0), ("-7", -7), ("+7", 7),
     ("0x1F", 31), ("0o17", 15), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1.5E-2", -0.015)],
)  # fmt: skip
def test_it_is_a_value(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)
