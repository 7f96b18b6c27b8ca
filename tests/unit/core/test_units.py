from __future__ import annotations

import re

import pytest

from gateway.core.units import DURATION, SIZE, seconds, size_in_bytes

DURATIONS = [
    ("0", 0.0), ("0s", 0.0), ("250ms", 0.25), ("1ms", 0.001), ("1s", 1.0), ("1.5s", 1.5), ("5m", 300.0), ("1h", 3600.0),
    ("30d", 2_592_000.0), ("0.5h", 1800.0),
]  # fmt: skip
SIZES = [
    ("0", 0), ("17", 17), ("17B", 17), ("64KiB", 65_536), ("32MiB", 33_554_432), ("1GiB", 1_073_741_824),
    ("1KB", 1000), ("2MB", 2_000_000), ("3GB", 3_000_000_000),
]  # fmt: skip
NO_DURATIONS = ["", "5", "s", "-1s", "+1s", "1 s", "1S", "1sec", "1m30s", ".5s", "5.s", "1e3s", "1s\n", "١s", "inf"]  # noqa: RUF001
NO_SIZES = ["", "B", "-1B", "1.5MiB", "1 KiB", "1kb", "1kib", "1TiB", "1KiBs", "1KiB\n", "١KiB", "0x10"]  # noqa: RUF001


@pytest.mark.parametrize(("text", "value"), DURATIONS)
def test_a_duration_is_seconds(text: str, value: float) -> None:
    assert seconds(text) == value
    assert re.search(DURATION, text)


@pytest.mark.parametrize(("text", "value"), SIZES)
def test_a_size_is_bytes(text: str, value: int) -> None:
    assert size_in_bytes(text) == value
    assert re.search(SIZE, text)


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 250ms"):
        seconds(text)


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 64KiB"):
        size_in_bytes(text)


@pytest.mark.parametrize("text", [text for text in NO_DURATIONS if not text.endswith("\n")])
def test_the_schemas_pattern_refuses_the_same_durations(text: str) -> None:
    assert not re.search(DURATION, text)


@pytest.mark.parametrize("text", [text for text in NO_SIZES if not text.endswith("\n")])
def test_the_schemas_pattern_refuses_the_same_sizes(text: str) -> None:
    assert not re.search(SIZE, text)
