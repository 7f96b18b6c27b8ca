"""What a directive allows, and what a request may take back of it."""

from __future__ import annotations

import math

import pytest

from gateway.policy.cache_control import (
    LONGEST,
    Directive,
    Wish,
    decide,
    mistakes,
    read_directive,
    read_wish,
    usable_after_error,
    written,
)


def test_a_directive_is_read() -> None:
    directive = read_directive(" Max-Age=60 , stale-while-revalidate=5,stale-if-error=7, max-stale ")
    assert directive == Directive(60, 5, 7, math.inf)
    assert read_directive("no-store").no_store
    assert read_directive("no-cache, stale-if-error=60").no_cache


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "the directive is empty", "`max-age=3600`, for example"),
        ("max-age", "`max-age` needs a value in seconds", "`max-age=3600`, for example"),
        ("max-age=-1", "`max-age` takes whole seconds that are not negative", "`max-age=3600`, for example"),
        ("max-age=1.5", "`max-age` takes whole seconds that are not negative", "`max-age=3600`, for example"),
        ("max-age=1h", "`max-age` takes whole seconds that are not negative", "`max-age=3600`, for example"),
        ("max-age=٣", "`max-age` takes whole seconds that are not negative", "`max-age=3600`, for example"),
        ("max-age=9999999999", "`max-age` is longer than ten years", ""),
        ("max-age=60, max-age=70", "`max-age` is there twice", "say it once"),
        ("maxage=60", "`maxage` is not a directive known here", "did you mean `max-age`?"),
        ("no-cache=1", "`no-cache` takes no value", ""),
        ("max-age=60,", "there is a comma with nothing beside it", "remove it"),
        (
            "no-store, max-age=60",
            "`no-store` keeps nothing, so nothing can be said beside it",
            "remove it, or all the others",
        ),
    ],
)
def test_nonsense_is_told_with_what_to_do(text: str, message: str, hint: str) -> None:
    assert (message, hint) in list(mistakes(text))
    with pytest.raises(ValueError, match=r"."):
        read_directive(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("max-age=60", 60),
        ("max-age=60, stale-while-revalidate=30", 90),
        ("max-age=60, stale-if-error=600, stale-while-revalidate=30", 660),
        ("max-age=60, max-stale=40", 100),
        ("max-age=60, max-stale", 60),
        ("max-age=60, no-cache", 0),
        ("max-age=60, no-cache, stale-if-error=5", 65),
        ("no-cache", 0),
        ("no-store", 0),
        ("max-age=0", 0),
        (f"max-age={LONGEST}", LONGEST),
    ],
)
def test_an_answer_is_kept_as_long_as_it_may_be_of_use(text: str, seconds: float) -> None:
    assert read_directive(text).kept_for == seconds


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        (b"", Wish()),
        (b"no-store", Wish(no_store=True)),
        (b"No-Cache, max-age=5", Wish(no_cache=True, max_age=5)),
        (b"max-age=5, max-age=3", Wish(max_age=3)),
        (b'max-age="5"', Wish(max_age=5)),
        (b"max-age=soon", Wish(max_age=0)),
        (b"max-age", Wish(max_age=0)),
        (b"max-stale", Wish(max_stale=math.inf)),
        (b"max-stale=x", Wish(max_stale=0)),
        (b"min-fresh=9, stale-if-error=2", Wish(min_fresh=9, stale_if_error=2)),
        (b"no-transform, only-if-cached, x=y, ,", Wish()),
        (b"a" * 600, Wish(no_store=True)),
    ],
)
def test_a_request_s_wish_is_read_and_nonsense_in_it_is_taken_strictly(text: bytes, wish: Wish) -> None:
    assert read_wish(text) == wish


HOUR = read_directive("max-age=60, stale-while-revalidate=30, stale-if-error=600, max-stale=100")


@pytest.mark.parametrize(
    ("age", "verdict"),
    [(0, "fresh"), (59.9, "fresh"), (60, "refresh"), (89.9, "refresh"), (90, "stale"), (160, "stale"), (160.1, "miss")],
)
def test_age_decides(age: float, verdict: str) -> None:
    assert decide(age, HOUR) == verdict


@pytest.mark.parametrize(
    ("wish", "age", "verdict"),
    [
        ("no-store", 1, "miss"),
        ("no-cache", 1, "miss"),
        ("max-age=0", 0, "miss"),
        ("max-age=10", 9, "fresh"),
        ("max-age=10", 10, "miss"),
        ("max-age=10, max-stale=5", 14, "fresh"),
        ("max-age=10, max-stale=5", 16, "miss"),
        ("max-age=1000", 61, "refresh"),
        ("min-fresh=20", 39, "fresh"),
        ("min-fresh=20", 41, "miss"),
        ("max-stale=10", 65, "refresh"),
        ("max-stale=10", 71, "miss"),
        ("max-stale=100000", 161, "miss"),
    ],
)
def test_a_request_only_tightens(wish: str, age: float, verdict: str) -> None:
    assert decide(age, HOUR, read_wish(wish.encode())) == verdict


@pytest.mark.parametrize(
    ("wish", "age", "usable"),
    [
        ("", 660, True),
        ("", 661, False),
        ("stale-if-error=10", 70, True),
        ("stale-if-error=10", 71, False),
        ("stale-if-error=100000", 661, False),
        ("no-cache", 1, False),
        ("no-store", 1, False),
        ("max-age=10", 20, False),
        ("min-fresh=1", 20, False),
    ],
)
def test_an_answer_may_stand_in_for_one_that_could_not_be_fetched(wish: str, age: float, usable: bool) -> None:
    assert usable_after_error(age, HOUR, read_wish(wish.encode())) is usable


def test_no_cache_in_the_file_leaves_only_the_spare() -> None:
    directive = read_directive("max-age=60, no-cache, stale-if-error=10")
    assert decide(0, directive) == "miss"
    assert usable_after_error(65, directive)
    assert not usable_after_error(75, directive)
    assert not usable_after_error(1, read_directive("max-age=60"))


@pytest.mark.parametrize(
    "text",
    ["max-age=60", "max-age=60, stale-while-revalidate=5, stale-if-error=7, max-stale", "no-store", "no-cache", ""],
)
def test_a_directive_is_written_as_it_is_read(text: str) -> None:
    directive = read_directive(text) if text else Directive()
    assert written(directive) == text
