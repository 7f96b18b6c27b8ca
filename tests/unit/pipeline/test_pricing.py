"""What an exchange that is over has cost: every way in which one can end."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest

from gateway.core.exchange import Attempt, Call, Exchange, Operation, Outcome, Spared
from gateway.core.usage import Usage
from gateway.pipeline.pricing import Pricing
from gateway.policy.estimate import Estimator
from gateway.providers.prices import CONFIGURED, LOCAL, SHIPPED, Override, PriceBook
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics

BOOK = PriceBook([Override("p", "m", {"input": Decimal(1), "output": Decimal(10)})])
CENT = 10_000_000


class House:
    """A pricing with what it tells."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.output = io.StringIO()
        self.price = Pricing(BOOK, Estimator(), self.metrics, Log(lambda: 0.0, "json", "debug", self.output))

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        return {labels: value for found, labels, value in self.metrics.samples() if found == name}


def exchange(operation: Operation = "chat", asked: str = "m", method: str = "POST", **members: Any) -> Exchange:
    call = Call("openai", operation, "/x", model=asked)
    made = Exchange("1", method, "/", b"", [], b"x" * 400, call, "r", 0.0, 0.0, provider="p", model="m", label="m")
    made.attempts = [Attempt("p", "m", "m", "k", 0.0, first_byte=1.0)]
    for name, value in members.items():
        setattr(made, name, value)
    return made


def priced(made: Exchange) -> Exchange:
    House().price(made)
    return made


def test_tokens_at_the_price_of_who_answered() -> None:
    made = priced(exchange(usage=Usage(1000, 900)))
    assert (made.cost, made.price_source, made.saved, made.saved_by) == (CENT, CONFIGURED, 0, "")


def test_a_price_of_the_table_says_so() -> None:
    made = priced(exchange(usage=Usage(1000, 0), provider="openai", model="gpt-4o"))
    assert (made.cost, made.price_source) == (2_500_000, SHIPPED)


@pytest.mark.parametrize(
    ("outcome", "usage", "cost"),
    [
        ("ok", Usage(1000, 900), CENT),
        ("broken", Usage(1000, 0), 1_000_000),
        ("disconnected", Usage(1000, 0), 1_000_000),
        ("error", Usage(1000, 900), 0),
        ("error", None, 0),
    ],
)
def test_the_outcome_says_what_is_billed(outcome: Outcome, usage: Usage | None, cost: int) -> None:
    assert priced(exchange(outcome=outcome, usage=usage)).cost == cost


def test_who_left_before_the_provider_spoke_of_tokens_pays_the_estimate() -> None:
    # 400 bytes are a hundred tokens, and 400 are usually said.
    made = priced(exchange(outcome="disconnected"))
    assert made.cost == 100 * 1000 + 400 * 10_000
    assert made.estimate is not None


def test_who_left_between_two_attempts_pays_nothing() -> None:
    failed = Attempt("p", "m", "m", "k", 0.0, fault="connect")
    assert priced(exchange(outcome="disconnected", attempts=[failed])).cost == 0


def test_where_nobody_was_asked_nothing_is_paid() -> None:
    assert priced(exchange(attempts=[])).cost == 0


def test_what_nobody_knows_is_none_and_told_once() -> None:
    house = House()
    for _ in range(3):
        made = exchange(usage=Usage(1, 1), provider="q", label="other")
        house.price(made)
        assert (made.cost, made.price_source) == (None, "")
    assert house.samples("gateway_unpriced_requests_total") == {("r", "q", "other"): 3}
    assert house.output.getvalue().count("price not known") == 1
    assert house.samples("gateway_cost_usd_total") == {}


@pytest.mark.parametrize(
    ("operation", "method", "usage", "cost"),
    [
        ("images", "POST", None, None),
        ("audio", "POST", None, None),
        ("rerank", "POST", None, None),
        ("other", "POST", None, None),
        ("other", "GET", None, 0),
        ("models", "GET", None, 0),
        ("count-tokens", "POST", None, 0),
        ("moderations", "POST", Usage(), 0),
        ("images", "POST", Usage(1000, 900), CENT),
        ("embeddings", "POST", Usage(1000), 1_000_000),
    ],
)
def test_what_is_billed_in_other_units_has_no_price(
    operation: Operation, method: str, usage: Usage | None, cost: int | None
) -> None:
    assert priced(exchange(operation, method=method, usage=usage)).cost == cost


def test_a_server_of_ones_own_costs_nothing_whatever_it_does() -> None:
    made = priced(exchange("images", provider="ollama", model="x"))
    assert (made.cost, made.price_source) == (0, LOCAL)


def test_a_kept_answer_saves_what_it_has_used() -> None:
    made = priced(exchange(attempts=[], usage=Usage(), spared=Spared("p", "m", Usage(1000, 900))))
    assert (made.cost, made.saved, made.saved_by) == (0, CENT, "cache")


def test_who_follows_saves_what_the_other_uses() -> None:
    leader = exchange(usage=Usage(1000, 900))
    made = priced(exchange(attempts=[], usage=Usage(), spared=leader))
    assert (made.cost, made.saved) == (0, CENT)


@pytest.mark.parametrize("spared", [Spared("p", "m", None), Spared("q", "m", Usage(1, 1)), Spared("", "", Usage(1))])
def test_what_is_not_known_of_a_kept_answer_saves_nothing(spared: Spared) -> None:
    made = priced(exchange(attempts=[], usage=Usage(), spared=spared))
    assert (made.cost, made.saved, made.saved_by) == (0, 0, "")


def test_a_free_key_saves_the_list_price() -> None:
    house = House()
    free = Attempt("p", "m", "m", "k", 0.0, first_byte=1.0, free=True)
    made = exchange(usage=Usage(1000, 900), attempts=[free])
    house.price(made)
    assert (made.cost, made.price_source, made.saved, made.saved_by) == (0, CONFIGURED, CENT, "free-key")
    assert house.metrics.total_saved == CENT
    assert house.samples("gateway_saved_usd_total") == {("r", "free-key"): 0.01}
    assert house.samples("gateway_cost_usd_total") == {}


def test_what_is_kept_in_part_and_asked_with_a_free_key_saves_both() -> None:
    house = House()
    free = Attempt("p", "m", "m", "k", 0.0, first_byte=1.0, free=True)
    made = exchange(usage=Usage(1000, 900), attempts=[free], spared=Spared("p", "m", Usage(1000)))
    house.price(made)
    assert (made.cost, made.saved, made.saved_by) == (0, CENT + 1_000_000, "cache")
    assert house.samples("gateway_saved_usd_total") == {("r", "cache"): 0.001, ("r", "free-key"): 0.01}


@pytest.mark.parametrize(
    ("asked", "saved"),
    [
        ("openai/gpt-4o", 2_500_000 + 9_000_000 - CENT),
        ("gpt-4o", 1_500_000),
        ("gpt-4o-mini", 0),
        ("nobody", 0),
        ("", 0),
    ],
)
def test_a_cheaper_model_saves_the_difference(asked: str, saved: int) -> None:
    made = priced(exchange(asked=asked, usage=Usage(1000, 900)))
    assert (made.cost, made.saved) == (CENT, saved)
    assert made.saved_by == ("target" if saved else "")
