"""What a request may cost: the dearest of those who may answer it, and nothing where nobody has a price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.core.access import Access
from gateway.core.exchange import Call, Exchange, Group, Operation
from gateway.core.usage import Usage
from gateway.pipeline.candidates import Candidates, Entry
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.quote import Quotes
from gateway.policy.estimate import USUAL_OUTPUT, Estimator
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.providers.prices import Override, PriceBook
from gateway.providers.row import Surface
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

BOOK = PriceBook(
    [
        Override("cheap", "*", {"input": Decimal(0), "output": Decimal(1)}),
        Override("dear", "*", {"input": Decimal(0), "output": Decimal(5)}),
        Override("wordy", "*", {"input": Decimal(1000), "output": Decimal(0)}),
    ]
)
BODY = b"x" * 400
"""A hundred tokens."""


class NoTransport:
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("nothing here is sent")

    async def close(self) -> None: ...


def listed(*names: str) -> Candidates:
    """Providers that have any model, in this order."""
    entries = [
        Entry(
            Endpoint(
                name=name,
                title=name,
                origin="http://127.0.0.1:9",
                surfaces=(Surface(dialect="openai", operations=("chat", "embeddings")),),
                auth="bearer",
                pool=KeyPool([], 60.0, 300.0),
                transport=NoTransport(),
                open_models=True,
            ),
            index,
            1,
            0,
            "",
            "",
        )
        for index, name in enumerate(names)
    ]
    return Candidates(entries, {}, lambda model: (), lambda where, model: (TargetLoad(), model))


def asking(operation: Operation = "chat", max_tokens: int | None = 1000) -> Exchange:
    call = Call("openai", operation, "/x", model="m", max_tokens=max_tokens or 0)
    return Exchange("1", "POST", "/", b"", [], BODY, call, "r", 0.0, 0.0)


def quotes(groups: dict[Group, Candidates], chosen: dict[str, Candidates] | None = None) -> Quotes:
    return Quotes(groups, chosen or {}, Estimator(), BOOK)


@pytest.mark.parametrize("names", [("cheap", "dear"), ("dear", "cheap")])
def test_the_dearest_of_those_who_may_answer_counts(names: tuple[str, ...]) -> None:
    assert quotes({"chat": listed(*names)}).of(asking(), "") == 5_000_000


def test_which_is_dearest_depends_on_the_request() -> None:
    found = quotes({"chat": listed("dear", "wordy")})
    assert found.of(asking(max_tokens=10), "") == 100_000_000, "a hundred tokens at a tenth of a cent"
    assert found.of(asking(max_tokens=100_000), "") == 500_000_000


def test_a_length_that_is_not_said_is_the_usual_one() -> None:
    assert quotes({"chat": listed("cheap")}).of(asking(max_tokens=None), "") == USUAL_OUTPUT * 1000


def test_what_has_no_price_does_not_lower_what_has_one() -> None:
    assert quotes({"chat": listed("nobody", "cheap")}).of(asking(), "") == 1_000_000


def test_nothing_is_said_where_nobody_has_a_price() -> None:
    assert quotes({"chat": listed("nobody")}).of(asking(), "") is None


def test_the_list_that_was_chosen_counts_and_the_route_s_own_otherwise() -> None:
    found = quotes({"chat": listed("cheap")}, {"rule": listed("dear")})
    assert found.of(asking(), "rule") == 5_000_000
    assert found.of(asking(), "") == 1_000_000


def test_a_route_s_default_list_is_for_what_has_none_of_its_own() -> None:
    found = quotes({"chat": listed("dear"), "default": listed("wordy")})
    assert found.of(asking("embeddings"), "") == 100_000_000
    assert quotes({"chat": listed("dear")}).of(asking("embeddings"), "") is None


def test_providers_that_the_caller_may_not_use_do_not_count() -> None:
    exchange = asking()
    exchange.access = Access(providers=frozenset(("cheap",)))
    assert quotes({"chat": listed("dear", "cheap")}).of(exchange, "") == 1_000_000


def test_an_estimate_that_was_learned_is_the_one_that_is_quoted() -> None:
    estimator = Estimator()
    found = Quotes({"chat": listed("cheap")}, {}, estimator, BOOK)
    for _ in range(200):
        estimator.learn("m", estimator.estimate(asking().call, BODY), Usage(100, 50))
    said = found.of(asking(max_tokens=None), "")
    assert said is not None
    assert said < 60_000
