from __future__ import annotations

import pytest

from gateway.core.usage import Usage


def test_the_total_counts_no_part_twice() -> None:
    usage = Usage(input=100, output=20, cached=60, cache_write_5m=10, cache_write_1h=5, reasoning=8, audio_input=3)
    assert usage.total == 120


def test_nothing_is_nothing() -> None:
    assert Usage().total == 0


def test_usage_is_a_value() -> None:
    assert Usage(input=1) == Usage(input=1)
    with pytest.raises(AttributeError):
        Usage().input = 2  # type: ignore[misc]
