from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.usage import Estimate, Usage
from gateway.policy.limits import (
    Unit,
    name_of_caller,
    name_of_credential,
    name_of_user,
    price_wanted,
    rule,
    tokens_wanted,
)
from gateway.policy.token_bucket import Rate

MINUTE = 60_000_000


def price(provider: str, model: str, usage: Usage) -> int | None:
    """A millionth of a dollar a token of input, ten of output; nobody knows `secret`."""
    return None if model == "secret" else 1000 * (usage.input + 10 * usage.output)


@pytest.mark.parametrize(
    ("unit", "capacity", "said"),
    [
        ("requests", 100, "100 requests per 1m, for each team, on router 'a'"),
        ("tokens", 5, "5 tokens per 1m, for each team, on router 'a'"),
        ("usd", 2_500_000, "2.5 USD per 1m, for each team, on router 'a'"),
    ],
)
def test_a_limit_in_words(unit: Unit, capacity: int, said: str) -> None:
    made = rule("per-team", unit, Rate(capacity, MINUTE), shadow=False, tag="a", place="router 'a'", period="1m")
    assert made.said == said
    assert made.prefix.startswith("{a}per-team:")


def test_different_limits_have_different_buckets() -> None:
    made = [
        rule(scope, unit, Rate(capacity, MINUTE), shadow=False, tag=tag, place="", period="")
        for scope in ("per-team", "total")
        for unit in ("requests", "tokens", "usd")
        for capacity in (1, 2)
        for tag in ("a", "/global")
    ]
    assert len({one.prefix for one in made}) == len(made)


@given(st.text(), st.text())
def test_two_callers_never_share_a_name(one: str, other: str) -> None:
    assert (name_of_caller(one) == name_of_caller(other)) == (one == other)
    assert (name_of_user(one) == name_of_user(other)) == (one == other)


@given(st.text())
def test_a_name_is_short_and_plain_and_no_hash_tag(text: str) -> None:
    for name in (name_of_caller(text), name_of_user(text), name_of_credential(text.encode("utf-8", "replace"))):
        assert len(name) <= 64
        assert name.isascii()
        assert not set(name) & set("{} \n")


def test_a_credential_is_not_in_its_name() -> None:
    assert "sk-alice" not in name_of_credential(b"sk-alice")
    assert "alice@example.com" not in name_of_user("alice@example.com")


def test_what_a_client_allows_is_reserved_in_full() -> None:
    assert tokens_wanted(Rate(100, MINUTE), Estimate(10, 10, 500, said=True)) == 510


@pytest.mark.parametrize(("estimate", "wanted"), [((10, 50), 60), ((10, 500), 100), ((200, 500), 200)])
def test_a_guess_at_the_output_never_makes_a_request_too_large(estimate: tuple[int, int], wanted: int) -> None:
    assert tokens_wanted(Rate(100, MINUTE), Estimate(estimate[0], *estimate)) == wanted


def test_a_price_is_reserved_like_tokens() -> None:
    rate = Rate(1000, MINUTE)
    assert price_wanted(rate, Estimate(10, 10, 20), "m", price) == 210
    assert price_wanted(rate, Estimate(10, 10, 500), "m", price) == 1000
    assert price_wanted(rate, Estimate(10, 10, 500, said=True), "m", price) == 5010
    assert price_wanted(rate, Estimate(2000, 2000, 500), "m", price) == 2000


def test_nothing_is_reserved_where_the_price_is_not_known() -> None:
    assert price_wanted(Rate(1000, MINUTE), Estimate(10, 10, 20, said=True), "secret", price) == 0
