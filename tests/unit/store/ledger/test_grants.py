"""What may be entered into a balance."""

from __future__ import annotations

import pytest

from gateway.core.money import NANO
from gateway.policy.budget import MOST
from gateway.store.ledger.grants import Change, NotGranted, check_balance, granted_amount
from gateway.store.ledger.protocol import Balance, Consumer

ML = Consumer("team", "ml")


@pytest.mark.parametrize(
    ("change", "text", "nano"),
    [
        ("add", "50", 50 * NANO),
        ("add", "-12.5", -12_500_000_000),
        ("set", "0", 0),
        ("set", "0.000000001", 1),
        ("add", "8000000", 2 * MOST),
    ],
)
def test_an_amount_is_exact(change: Change, text: str, nano: int) -> None:
    assert granted_amount(change, text) == nano


@pytest.mark.parametrize(
    ("change", "text", "said"),
    [
        ("add", "0.0000000001", "exact to the billionth"),
        ("add", "12345678", "at most 4000000.00"),
        ("add", "1e3", "is no amount"),
        ("add", "٣", "is no amount"),
        ("add", "1\n", "is no amount"),
        ("add", "-0.0", "Nothing is no change"),
        ("set", "-0.01", "not set below zero"),
    ],
)
def test_what_is_no_amount_says_why(change: Change, text: str, said: str) -> None:
    with pytest.raises(NotGranted, match=said):
        granted_amount(change, text)


@pytest.mark.parametrize(
    ("change", "amount", "before"),
    [
        ("add", MOST, None),
        ("set", MOST, Balance(ML, MOST, 0, 0.0)),
        ("add", 1, Balance(ML, MOST, 1, 0.0)),
        ("add", -2 * MOST, Balance(ML, MOST, 0, 0.0)),
        ("add", 5, Balance(ML, 0, MOST, 0.0)),
    ],
)
def test_a_balance_may_reach_its_bounds(change: Change, amount: int, before: Balance | None) -> None:
    check_balance(change, amount, before)


@pytest.mark.parametrize(
    ("change", "amount", "before"),
    [
        ("add", MOST + 1, None),
        ("set", MOST + 1, Balance(ML, 0, 0, 0.0)),
        ("add", 1, Balance(ML, MOST, 0, 0.0)),
        ("add", -1, Balance(ML, 0, MOST, 0.0)),
    ],
)
def test_and_not_go_beyond(change: Change, amount: int, before: Balance | None) -> None:
    with pytest.raises(NotGranted, match=r"at most 4000000\.00 USD"):
        check_balance(change, amount, before)
