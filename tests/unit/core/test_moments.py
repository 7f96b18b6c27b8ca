from __future__ import annotations

import re

import pytest

from gateway.core.moments import MOMENT, end_of, instant_of, instant_text, moment_text

NEW_YEAR = 1_798_761_600.0
"""2027-01-01T00:00Z."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-12-31", NEW_YEAR),
        ("2027-01-01T00:00Z", NEW_YEAR),
        ("2027-01-01T02:00:00+02:00", NEW_YEAR),
        ("2026-12-31T19:00:01-05:00", NEW_YEAR + 1),
        ("2028-02-29", NEW_YEAR + (365 + 31 + 29) * 86400),
    ],
)
def test_a_day_counts_to_its_end_and_a_moment_is_a_moment(text: str, seconds: float) -> None:
    assert re.fullmatch(MOMENT, text)
    assert end_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["2027-02-29", "2027-13-01", "2027-01-01T25:00Z", "2027-01-01T00:00", "0000-01-01", ""]
)
def test_what_no_calendar_has_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the calendar's own words
        end_of(text)


@pytest.mark.parametrize("text", ["2027-1-1", "31.01.2027", "2027-01-31 12:00", "2027-01-31T12:00", "tomorrow"])
def test_what_is_written_otherwise_is_not_taken(text: str) -> None:
    assert not re.fullmatch(MOMENT, text)


def test_a_time_as_text_is_read_as_that_time() -> None:
    assert moment_text(NEW_YEAR + 0.9) == "2027-01-01T00:00:00Z"
    assert end_of(moment_text(1_800_000_000.0)) == 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-01", NEW_YEAR),
        ("2027-01-01T00:00:00.25Z", NEW_YEAR + 0.25),
        ("2027-01-01T01:30+01:30", NEW_YEAR),
        ("7d", NEW_YEAR - 7 * 86400),
        ("0", NEW_YEAR),
    ],
)
def test_an_instant_is_a_beginning_a_moment_or_so_long_ago(text: str, seconds: float) -> None:
    assert instant_of(text, NEW_YEAR) == seconds


@pytest.mark.parametrize("text", ["", "2027", "20270101", "2027-W01-1", "2027-01-01T00:00", "2027-02-30", "7", "-1d"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the calendar's own words
        instant_of(text, NEW_YEAR)


def test_an_instant_as_text_has_milliseconds_where_there_are_any() -> None:
    assert instant_text(NEW_YEAR) == "2027-01-01T00:00:00Z"
    assert instant_text(NEW_YEAR + 0.25) == "2027-01-01T00:00:00.250Z"
    assert instant_of(instant_text(NEW_YEAR + 0.25), 0.0) == NEW_YEAR + 0.25
