"""Limits, cache and money on one route: who is asked first, and that what one refuses costs nothing of the others.

global limits -> cache -> the router's limits -> budget -> provider
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from gateway.store.protocol import Take
from tests.support.asgi_client import Response
from tests.support.house import ALPHA, PROVIDERS, Serve, Served, chat
from tests.support.scripted import chat_reply, ok, status

ONE: Final = "/router/one/v1/chat/completions"
EVERYWHERE: Final = 20
OWN: Final = 10
TOKENS: Final = 100_000
CENTS: Final = 5
"""What each of them has to give, in a month: requests, requests, tokens, and cents of a budget."""


def config(directive: str = "max-age=60", *, own: int = OWN, everywhere: int = EVERYWHERE, cents: int = CENTS) -> str:
    """A token of output is a tenth of a cent."""
    return f"""{PROVIDERS}
prices: {{alpha/*: {{input: 0, output: 1000}}}}
global: {{rate-limit: {{total: {{capacity: {everywhere}, refill-frequency: 30d}}}}}}
routers:
  one:
    load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}
    retries: {{max-retries: 0}}
    cache: {{directive: '{directive}'}}
    rate-limit:
      total:
        - {{capacity: {own}, refill-frequency: 30d}}
        - {{capacity: {TOKENS}, unit: tokens, refill-frequency: 30d}}
    budget: {{amount: '0.0{cents}', window: month}}
"""


def serving(serve: Serve, text: str) -> Served:
    served = serve(text)
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10))))
    return served


async def ask(served: Served, question: str, cents: int = 1) -> Response:
    """A question whose answer may cost so many cents."""
    body = chat("big", max_tokens=10 * cents, messages=[{"role": "user", "content": question}])
    return await served.client.post(ONE, body)


def code(reply: Response) -> Any:
    return reply.json()["error"]["code"]


async def left(served: Served) -> tuple[int, int, int, int]:
    """Of the global limit, of the router's requests and tokens, and of the budget, in cents."""
    limits: Any = served.gateway.house.stores.limits
    of: dict[str, int] = {}
    for table in limits._tables.values():
        for key, bucket in table.items():
            grant = await limits.take([Take(key, bucket.rate, 0)])
            of[key.split(":")[0] + key.split(":")[1]] = grant.standings[0].remaining
    spent = await served.metric("gateway_budget_spent_ratio")
    return (
        of.get("{/global}totalrequests", EVERYWHERE),
        of.get("{one}totalrequests", OWN),
        of.get("{one}totaltokens", TOKENS),
        round(CENTS * (1 - spent)),
    )


async def test_an_answer_that_is_fetched_is_taken_of_all_and_one_that_is_kept_of_the_global_limit(serve: Serve) -> None:
    served = serving(serve, config())
    assert (await ask(served, "one")).headers["x-gateway-cache"] == "miss"
    assert await left(served) == (EVERYWHERE - 1, OWN - 1, TOKENS - 20, CENTS - 1)
    assert (await ask(served, "one")).headers["x-gateway-cache"] == "hit"
    assert await left(served) == (EVERYWHERE - 2, OWN - 1, TOKENS - 20, CENTS - 1)


async def test_what_the_budget_refuses_is_given_back_by_the_limits(serve: Serve) -> None:
    served = serving(serve, config())
    for _ in range(2 * EVERYWHERE):
        assert code(await ask(served, "much", cents=CENTS + 1)) == "budget_exceeded"
    assert await left(served) == (EVERYWHERE, OWN, TOKENS, CENTS)
    assert served.upstream.sent == []
    assert (await ask(served, "little")).status == 200


async def test_what_the_router_s_limit_refuses_costs_nothing_of_the_global_one_and_of_the_budget(serve: Serve) -> None:
    served = serving(serve, config(own=1))
    assert (await ask(served, "one")).status == 200
    for number in range(2 * EVERYWHERE):
        assert code(await ask(served, f"another {number}")) == "rate_limited"
    assert await left(served) == (EVERYWHERE - 1, 0, TOKENS - 20, CENTS - 1)


async def test_what_the_global_limit_refuses_is_asked_of_nobody_else_the_cache_included(serve: Serve) -> None:
    served = serving(serve, config(everywhere=1))
    assert (await ask(served, "one")).status == 200
    for question in ("one", "another"):
        reply = await ask(served, question)
        assert (code(reply), reply.headers.get("x-gateway-cache")) == ("rate_limited", None)
    assert await left(served) == (0, OWN - 1, TOKENS - 20, CENTS - 1)


async def test_an_answer_is_kept_for_those_who_have_no_room_for_a_new_one(serve: Serve) -> None:
    served = serving(serve, config(own=1))
    assert (await ask(served, "one")).status == 200
    assert (await ask(served, "another")).status == 429
    assert (await ask(served, "one")).headers["x-gateway-cache"] == "hit"
    served = serving(serve, config(cents=1))
    assert (await ask(served, "one")).status == 200
    assert code(await ask(served, "another")) == "budget_exceeded"
    assert (await ask(served, "one")).headers["x-gateway-cache"] == "hit"


async def test_what_fails_at_the_provider_was_a_request_and_costs_no_tokens_and_no_money(serve: Serve) -> None:
    served = serve(config())
    served.upstream.on(ALPHA, status(500))
    assert (await ask(served, "one")).status == 500
    assert await left(served) == (EVERYWHERE - 1, OWN - 1, TOKENS, CENTS)


@pytest.mark.parametrize("cents", [1, 2])
async def test_a_refresh_that_the_budget_refuses_is_given_back_too(serve: Serve, cents: int) -> None:
    served = serving(serve, config("max-age=60, stale-while-revalidate=600", cents=cents))
    assert (await ask(served, "one")).status == 200
    await asyncio.sleep(100)
    assert (await ask(served, "one")).headers["x-gateway-cache"] == "stale"
    await asyncio.sleep(1)
    # The client was answered, and nobody but it was at the global limit.
    everywhere, own, _, _ = await left(served)
    assert (everywhere, own) == (EVERYWHERE - 2, OWN - cents)
