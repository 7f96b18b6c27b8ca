"""Patterns that run without backtracking."""

from __future__ import annotations

import pytest

from gateway.policy.pattern import LARGEST, Pattern, PatternError


def test_a_pattern_is_searched_for_anywhere_in_the_text() -> None:
    assert Pattern("code.*").is_in(b"please write code for me")
    assert not Pattern("^code").is_in(b"please write code for me")
    assert Pattern(r"(?i)\bÜBER").is_in("das ist über".encode()) is False
    assert Pattern(r"(?i)über").is_in("das ist ÜBER".encode())


@pytest.mark.parametrize("text", [r"(a)\1", r"(?=a)b", r"(?!a)b", r"(?<=a)b", r"(?<!a)b", r"(?>a+)b", r"a++"])
def test_what_needs_backtracking_is_refused(text: str) -> None:
    """No pattern that is taken can need it: this is why the time is linear, whatever the pattern."""
    with pytest.raises(PatternError) as caught:
        Pattern(text)
    assert str(caught.value)


@pytest.mark.parametrize("text", ["(", "[a", "*a", "a{1001}", "(?P<n", "\\"])
def test_a_pattern_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(PatternError, match=r"\w+"):
        Pattern(text)


@pytest.mark.parametrize("text", [r"(a?){1000}" + "a" * 1000, r"[\x{80}-\x{10FFFF}]{1000}" * 100])
def test_a_pattern_of_too_many_steps_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="too large"):
        Pattern(text)


@pytest.mark.parametrize("text", [r"(a+)+$", r"(\w+\s?)+x", r"(.*a){20}$", r"(a?){300}a{300}", r"^\pL+\d"])
def test_the_steps_of_a_search_are_bounded_by_the_pattern_and_the_text(text: str) -> None:
    """An automaton takes each of its instructions at most once for each byte."""
    assert 0 < Pattern(text).size <= LARGEST


@pytest.mark.parametrize("text", [r"(a+)+$", r"^(a|a)*$", r"(a|aa)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*a){20}$"])
def test_patterns_that_ruin_a_backtracking_engine_end(text: str) -> None:
    """A backtracking engine needs 2^30 steps for the first of these on thirty letters; this text has a megabyte."""
    assert not Pattern(text).is_in(b"a" * (1 << 20) + b"!")


def test_matches_are_counted_up_to_as_many_as_matter() -> None:
    assert Pattern(r"\?").count(b"a? b? c?", 5) == 3
    assert Pattern(r"\?").count(b"?" * 1000, 5) == 5
