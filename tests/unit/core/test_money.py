from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.money import dollars_of, in_dollars, micro_of, nano_of


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (10_000_000, "0.01"),
        (1_500_000_000, "1.50"),
        (12_345_678_901, "12.345678901"),
        (-5_000_000_000, "-5.00"),
    ],
)
def test_dollars_as_people_read_them(nano: int, text: str) -> None:
    assert in_dollars(nano) == text


@given(st.integers(-(10**20), 10**20))
def test_nothing_is_lost_on_the_way_to_dollars_and_back(nano: int) -> None:
    assert nano_of(dollars_of(nano)) == nano_of(Decimal(in_dollars(nano))) == nano


@given(st.integers(0, 10**18))
def test_millionths_are_rounded_up(nano: int) -> None:
    assert 0 <= micro_of(nano) * 1000 - nano < 1000


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_an_amount_is_a_number(amount: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        nano_of(Decimal(amount))
