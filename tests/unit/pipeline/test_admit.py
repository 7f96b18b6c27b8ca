"""What the layer asks of a store, and what it makes of the answers, a store that is away included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.core.errors import REFUSED, GatewayError
from gateway.core.exchange import Attempt, Call, Exchange, Reply
from gateway.core.usage import Room, Usage
from gateway.pipeline.admit import REMEMBERED, Counting, Gate, admit
from gateway.pipeline.settlement import Settlement
from gateway.policy.estimate import Estimator
from gateway.policy.limits import Rule, Scope, Unit, rule
from gateway.policy.token_bucket import Rate
from gateway.store.protocol import Decider, Grant, Standing, StoreDown, Take
from gateway.telemetry.metrics import Metrics

FULL = Standing(9, 1.0, 0.0)


class Store:
    """Grants, or does what it is told; remembers what it was asked."""

    hold = None

    def __init__(self, answer: Callable[[Sequence[Take]], Grant] | None = None) -> None:
        self.asked: list[tuple[Take, ...]] = []
        self.changes: list[tuple[list[tuple[Take, int]], Decider]] = []
        self._answer = answer or (lambda takes: Grant(True, (FULL,) * len(takes)))

    async def take(self, takes: Sequence[Take]) -> Grant:
        self.asked.append(tuple(takes))
        return self._answer(takes)

    def settle(self, changes: Sequence[tuple[Take, int]], by: Decider = "store") -> None:
        self.changes.append((list(changes), by))


def away(takes: Sequence[Take]) -> Grant:
    raise StoreDown("The store does not answer: look at it.")


def limit(scope: Scope, unit: Unit = "requests", capacity: int = 1000, *, shadow: bool = False) -> Rule:
    return rule(scope, unit, Rate(capacity, 1_000_000), shadow=shadow, tag="r", place="router 'r'", period="1s")


def exchange(**members: Any) -> Exchange:
    call = Call("openai", "chat", "/chat/completions", model="m", max_tokens=100)
    made = Exchange("1", "POST", "/", b"", [], b"x" * 40, call, "r", 0.0, 0.0, client="10.0.0.1")
    for name, value in members.items():
        setattr(made, name, value)
    return made


async def served(exchange: Exchange) -> Reply:
    exchange.attempts = [Attempt("p", "m", "m", "k", 0.0)]
    return Reply(200, [], b"{}")


async def through(store: Store, request: Exchange, *rules: Rule, inner: Any = served, **more: Any) -> Reply:
    counting = Counting(store, Estimator(), lambda provider, model, usage: usage.total * 1000, Metrics())
    return await admit(rules, counting, **more)(inner)(request)


def settle(request: Exchange, **members: Any) -> None:
    for name, value in members.items():
        setattr(request, name, value)
    Settlement(lambda: 0.0, Metrics())(request)


async def test_no_credential_is_in_the_name_of_a_bucket() -> None:
    store = Store()
    for members in ({"caller": "alice"}, {"credential": b"sk-secret-000"}, {}):
        await through(store, exchange(**members), limit("per-api-key"))
    names = [takes[0].key for takes in store.asked]
    assert len(set(names)) == 3
    assert not [name for name in names if "sk-secret" in name]
    assert all(name.startswith("{r}per-api-key:requests:") for name in names)


async def test_a_caller_cannot_be_taken_for_an_address_or_a_credential() -> None:
    store = Store()
    gate = admit([limit("per-api-key")], Counting(store, Estimator(), lambda *_: None, Metrics()))(served)
    for members in ({"caller": "10.0.0.1"}, {}, {"credential": b"10.0.0.1"}):
        await gate(exchange(**members))
    assert len({takes[0].key for takes in store.asked}) == 3


async def test_a_million_callers_are_not_remembered() -> None:
    store = Store()
    gate = Gate([limit("per-api-key")], {}, Counting(store, Estimator(), lambda *_: None, Metrics()))
    for number in range(REMEMBERED + 10):
        await gate.admit(served, exchange(client=f"10.{number}"))
    assert len(gate._known) <= REMEMBERED


async def test_a_store_that_is_away_is_a_503_and_never_the_callers_fault() -> None:
    with pytest.raises(GatewayError) as caught:
        await through(Store(away), exchange(), limit("total"))
    assert (caught.value.code, caught.value.status, caught.value.retry_after) == ("store_unavailable", 503, 1.0)
    assert "look at it" not in caught.value.message, "that is for operators"


async def test_while_nobody_counts_nothing_is_settled() -> None:
    store = Store(lambda takes: Grant(True, (FULL,) * len(takes), "open"))
    request = exchange()
    await through(store, request, limit("total", "tokens"))
    settle(request, usage=Usage(1, 1))
    assert store.changes == []


@pytest.mark.parametrize("by", ["store", "local"])
async def test_what_was_not_used_goes_back_to_where_it_was_taken(by: Decider) -> None:
    store = Store(lambda takes: Grant(True, (FULL,) * len(takes), by))
    request = exchange()
    await through(store, request, limit("total"), limit("total", "tokens"), limit("total", "usd"))
    settle(request, usage=Usage(20, 30), cost=49_001)
    requests, tokens, dollars = store.asked[0]
    assert (requests.amount, tokens.amount, dollars.amount) == (1, 110, 110)
    assert store.changes == [([(tokens, 60), (dollars, 60)], by)]


async def test_of_a_shadow_bucket_without_room_nothing_is_given_back() -> None:
    store = Store(lambda takes: Grant(True, (FULL, Standing(0, 5.0, 5.0))))
    request = exchange()
    reply = await through(store, request, limit("total", "tokens"), limit("total", "tokens", 5, shadow=True))
    assert (b"x-gateway-limit-shadow", b"total") in reply.headers
    settle(request, usage=Usage(20, 30))
    assert [take.rate.capacity for take, _ in store.changes[0][0]] == [1000]


@pytest.mark.parametrize("code", sorted(REFUSED))
async def test_a_refusal_further_in_gives_everything_back(code: str) -> None:
    async def refuse(exchange: Exchange) -> Reply:
        raise GatewayError(code, "No.")

    store = Store()
    request = exchange()
    with pytest.raises(GatewayError):
        await through(store, request, limit("total"), limit("total", "tokens"), inner=refuse)
    settle(request, outcome="error", error_code=code)
    requests, tokens = store.asked[0]
    assert store.changes == [([(tokens, 110)], "store"), ([(requests, 1)], "store")]


async def test_an_error_that_is_no_refusal_has_been_a_request() -> None:
    store = Store()
    request = exchange()
    await through(store, request, limit("total"))
    settle(request, outcome="error", error_code="upstream_failed")
    assert store.changes == []


async def test_the_limit_that_takes_longest_is_told() -> None:
    store = Store(lambda takes: Grant(False, (Standing(0, 9.0, 2.0), Standing(0, 9.0, 7.25), FULL)))
    with pytest.raises(GatewayError) as caught:
        await through(store, exchange(), limit("per-api-key"), limit("total", capacity=5), limit("total", "tokens"))
    assert caught.value.retry_after == 7.25
    assert "5 requests per 1s, for all together" in caught.value.message
    headers = dict(caught.value.headers)
    assert headers[b"x-gateway-limit"] == b"total"
    assert headers[b"retry-after-ms"] == b"7250"


async def test_what_is_left_is_noted_and_told_by_the_edge() -> None:
    request = exchange()
    reply = await through(Store(), request, limit("total"), limit("total", "tokens"))
    assert reply.headers == []
    assert request.requests_left == request.tokens_left == Room(1000, 9, 1.0)


async def test_the_limits_of_a_key_are_asked_together_with_the_others() -> None:
    store = Store()
    own = {"alice": (limit("gateway-key"),)}
    await through(store, exchange(caller="alice"), limit("total"), of_keys=own)
    await through(store, exchange(caller="bob"), limit("total"), of_keys=own)
    assert [len(takes) for takes in store.asked] == [2, 1]


async def test_who_is_counted_nowhere_is_asked_for_nothing() -> None:
    store = Store()
    await through(store, exchange(), limit("per-end-user"), limit("per-team"))
    assert store.asked == []
