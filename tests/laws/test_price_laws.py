"""What holds of every price: nothing is negative, more is never cheaper, and what is rounded is rounded once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.usage import Usage
from gateway.providers.price import WORDS, Price, flat, scaled

AMOUNTS = st.decimals(min_value=0, max_value=1000, places=6, allow_nan=False, allow_infinity=False)
TOKENS = st.integers(0, 10_000_000)
USAGES = st.builds(Usage, *[TOKENS] * len(Usage.__struct_fields__))
"""Of any shape, parts above their whole included."""


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """A price with input, and with whatever else."""
    said = draw(st.dictionaries(st.sampled_from(WORDS), AMOUNTS))
    return flat({**said, "input": draw(AMOUNTS)})


@given(prices(), USAGES)
def test_a_cost_is_whole_and_not_negative(price: Price, usage: Usage) -> None:
    cost = price.cost(usage)
    assert isinstance(cost, int)
    assert cost >= 0


@given(prices(), TOKENS, TOKENS, st.integers(1, 1000))
def test_more_tokens_never_cost_less(price: Price, taken: int, said: int, more: int) -> None:
    assert price.cost(Usage(taken + more, said)) >= price.cost(Usage(taken, said))
    assert price.cost(Usage(taken, said + more)) >= price.cost(Usage(taken, said))


@given(AMOUNTS, AMOUNTS, TOKENS, TOKENS)
def test_a_sum_is_exact_and_rounded_up(taken_at: Decimal, said_at: Decimal, taken: int, said: int) -> None:
    exact = (Fraction(taken_at) * taken + Fraction(said_at) * said) * 1000
    cost = flat({"input": taken_at, "output": said_at}).cost(Usage(taken, said))
    assert 0 <= cost - exact < 1


@given(prices(), USAGES)
def test_the_whole_price_is_the_price_of_one(price: Price, usage: Usage) -> None:
    assert scaled(price, Decimal(1), "").cost(usage) == price.cost(usage)


@given(AMOUNTS, USAGES)
def test_what_has_one_price_costs_it_whatever_its_parts(amount: Decimal, usage: Usage) -> None:
    bare = Usage(usage.input, usage.output)
    parts = min(usage.cached + usage.cache_write_5m + usage.cache_write_1h, usage.input)
    of_input = msgspec.structs.replace(bare, cached=parts)
    price = flat({"input": amount, "output": amount})
    assert price.cost(of_input) == price.cost(bare)
