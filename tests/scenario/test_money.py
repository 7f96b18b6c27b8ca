"""What requests cost and what they save: whose price, counted when, and who is told."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.support.asgi_client import Response
from tests.support.house import ALPHA, ANTHROPIC, BETA, GAMMA, OPENAI, PROVIDERS, Serve, Served, chat, message
from tests.support.scripted import chat_reply, chat_stream, message_reply, ok, refuse, status, stream

ONE = "/router/one/v1/chat/completions"
PRICES = """
prices:
  alpha/*: {input: 1, output: 2}
  beta/*: {input: 10, output: 20}
"""


def yaml(*providers: str, prices: str = PRICES, top: str = "", **more: str) -> str:
    """Router `one` before these providers, in their order. more: further members of the router."""
    members = {"load-balance": f"{{default: {{strategy: priority, providers: [{', '.join(providers)}]}}}}"}
    members |= {name.replace("_", "-"): value for name, value in more.items()}
    inner = ", ".join(f"{name}: {value}" for name, value in members.items())
    return f"{PROVIDERS}{prices}{top}\nrouters:\n  one: {{{inner}}}\n"


def used(tokens_in: int = 1000, tokens_out: int = 500) -> dict[str, Any]:
    return chat_reply(tokens=(tokens_in, tokens_out))


async def health(served: Served) -> dict[str, Any]:
    page: dict[str, Any] = (await served.client.get("/health")).json()
    return page


async def cost(served: Served, **labels: str) -> float:
    return await served.metric("gateway_cost_usd_total", **labels)


async def saved(served: Served, by: str) -> float:
    return await served.metric("gateway_saved_usd_total", by=by)


async def test_the_cost_is_that_of_the_target_that_answered(serve: Serve) -> None:
    served = serve(yaml("alpha", "beta"))
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, ok(used()))
    assert (await served.client.post(ONE, chat("m"))).status == 200
    assert await cost(served) == await cost(served, router="one", provider="beta") == 0.02
    assert (await health(served))["total_cost"] == "0.02"


async def test_an_attempt_that_failed_costs_nothing(serve: Serve) -> None:
    served = serve(yaml("alpha"))
    served.upstream.on(ALPHA, status(400))
    assert (await served.client.post(ONE, chat("m"))).status == 400
    assert await cost(served) == 0
    assert (await health(served))["unpriced_requests"] == 0


async def test_a_stream_costs_what_it_says_in_its_end(serve: Serve) -> None:
    served = serve(yaml("alpha"))
    served.upstream.on(ALPHA, stream(chat_stream(["word "] * 5, tokens=(1000, 500))))
    reply = await served.client.post(ONE, chat("m", stream=True))
    assert reply.status == 200
    assert await cost(served) == 0.002


async def test_a_price_that_is_not_known_is_no_cost_of_zero(serve: Serve) -> None:
    served = serve(yaml("gamma"))
    served.upstream.on(GAMMA, ok(used()))
    for _ in range(3):
        assert (await served.client.post(ONE, chat("m"))).status == 200
    assert await cost(served) == 0
    assert await served.metric("gateway_unpriced_requests_total", router="one", provider="gamma") == 3
    assert (await health(served))["unpriced_requests"] == 3
    [line] = served.log("price not known")
    assert (line["provider"], line["model"]) == ("gamma", "m")


async def test_what_is_billed_in_no_tokens_has_no_price(serve: Serve) -> None:
    served = serve(yaml("alpha"))
    served.upstream.on(ALPHA, ok({"created": 1, "data": [{"url": "http://x"}]}))
    reply = await served.client.post("/router/one/v1/images/generations", {"model": "m", "prompt": "A cat"})
    assert reply.status == 200
    assert await served.metric("gateway_unpriced_requests_total") == 1


async def test_nothing_is_priced_where_nobody_asks_for_money(serve: Serve) -> None:
    served = serve(yaml("gamma", prices=""))
    served.upstream.on(GAMMA, ok(used()))
    assert (await served.client.post(ONE, chat("m"))).status == 200
    assert await served.metric("gateway_unpriced_requests_total") == 0
    assert served.gateway.house.spec.prices is None


@pytest.mark.parametrize("tokens", [(-5, 3), (10**12, 3), (3, 10**9)])
async def test_a_count_that_cannot_be_is_not_billed(serve: Serve, tokens: tuple[int, int]) -> None:
    served = serve(yaml("alpha"))
    served.upstream.on(ALPHA, ok(used(*tokens)))
    assert (await served.client.post(ONE, chat("m"))).status == 200
    assert await served.metric("gateway_requests_without_usage_total") == 1
    # What was thought before the provider spoke: a dozen tokens in, some hundreds out.
    assert 0 < await cost(served) < 0.01


async def test_a_kept_answer_saves_what_it_cost(serve: Serve) -> None:
    served = serve(yaml("alpha", cache="{directive: max-age=60}"))
    served.upstream.on(ALPHA, ok(used()))
    for _ in range(3):
        assert (await served.client.post(ONE, chat("m"))).status == 200
    assert await cost(served) == 0.002
    assert await saved(served, "cache") == 0.004
    assert (await health(served))["total_saved"] == "0.004"


async def test_who_follows_a_stream_that_is_fetched_saves_what_it_cost(serve: Serve) -> None:
    served = serve(yaml("alpha", cache="{directive: max-age=60}"))
    served.upstream.on(ALPHA, stream(chat_stream(["word "] * 5, tokens=(1000, 500)), gap=1.0))
    asked = chat("m", stream=True, stream_options={"include_usage": True})
    replies: list[Response] = await asyncio.gather(*(served.client.post(ONE, asked) for _ in range(3)))
    assert [reply.headers["x-gateway-cache"] for reply in replies].count("hit") == 2
    assert await cost(served) == 0.002
    assert await saved(served, "cache") == 0.004


async def test_of_a_batch_of_embeddings_what_was_kept_is_saved(serve: Serve) -> None:
    served = serve(yaml("alpha", cache="{directive: max-age=60}"))

    def embedded(count: int, tokens: int) -> Any:
        data = [{"object": "embedding", "index": index, "embedding": [0.5]} for index in range(count)]
        return ok({"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": tokens}})

    path = "/router/one/v1/embeddings"
    served.upstream.on(ALPHA, embedded(1, 1000))
    assert (await served.client.post(path, {"model": "e", "input": ["aaaa"]})).status == 200
    served.upstream.on(ALPHA, embedded(1, 3000))
    assert (await served.client.post(path, {"model": "e", "input": ["aaaa", "bbbb"]})).status == 200
    assert await cost(served) == 0.004
    assert await saved(served, "cache") == 0.001
    assert (await served.client.post(path, {"model": "e", "input": ["aaaa", "bbbb"]})).status == 200
    assert await saved(served, "cache") == 0.005


async def test_a_free_key_costs_nothing_and_saves_the_list_price(serve: Serve) -> None:
    keys = "[{name: gift, value: '${env:ALPHA_1}', free: true}, {name: own, value: '${env:ALPHA_2}'}]"
    text = yaml("alpha").replace("models: ['*'], keys: ['${env:ALPHA_1}']}", f"models: ['*'], keys: {keys}}}", 1)
    served = serve(text)
    served.upstream.on(ALPHA, ok(used()))
    for _ in range(2):
        assert (await served.client.post(ONE, chat("m"))).status == 200
    assert await cost(served) == 0.002
    assert await saved(served, "free-key") == 0.002


async def test_a_cheaper_model_saves_the_difference_to_the_one_asked_for(serve: Serve) -> None:
    text = """
prices: {}
routers:
  one:
    load-balance: {chat: {strategy: priority, providers: [openai/gpt-4o-mini]}}
"""
    served = serve(text)
    served.upstream.on(OPENAI, ok(used(1000, 1000)))
    assert (await served.client.post(ONE, chat("gpt-4o"))).status == 200
    # 2.50 and 10 USD for a million, against 0.15 and 0.60.
    assert await cost(served) == 0.00075
    assert await saved(served, "target") == 0.0125 - 0.00075
    assert (await served.client.post(ONE, chat("nobody-knows-this"))).status == 200
    assert (await health(served))["total_saved"] == "0.01175"


async def test_a_dearer_model_saves_nothing(serve: Serve) -> None:
    served = serve("prices: {}\nrouters: {one: {load-balance: {chat: {providers: [openai/gpt-4o]}}}}")
    served.upstream.on(OPENAI, ok(used()))
    assert (await served.client.post(ONE, chat("gpt-4o-mini"))).status == 200
    assert (await health(served))["total_saved"] == "0.00"


async def test_parts_of_the_usage_have_prices_of_their_own(serve: Serve) -> None:
    served = serve("prices: {}\nrouters: {one: {load-balance: {chat: {providers: [anthropic]}}}}")
    usage = {
        "input_tokens": 700, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 200, "output_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 100},
    }  # fmt: skip
    served.upstream.on(ANTHROPIC, ok({**message_reply(), "usage": usage}))
    assert (await served.client.post("/router/one/v1/messages", message())).status == 200
    assert await cost(served) == 0.003255


async def test_an_own_price_bounds_a_limit_in_dollars(serve: Serve) -> None:
    limit = "{total: {capacity: 0.003, refill-frequency: 1d, unit: usd}}"
    served = serve(yaml("alpha", rate_limit=limit))
    served.upstream.on(ALPHA, ok(used()))
    found = [(await served.client.post(ONE, chat("alpha/m", max_tokens=10))).status for _ in range(3)]
    assert found == [200, 200, 429]


@pytest.mark.parametrize("model", ["m", "alpha/m", "auto"])
async def test_a_price_that_only_the_config_knows_is_reserved(serve: Serve, model: str) -> None:
    """Requests at the same time do not pass a limit because their model is no vendor's own."""
    limit = "{total: {capacity: 0.003, refill-frequency: 1d, unit: usd}}"
    served = serve(yaml("alpha", rate_limit=limit, virtual_models="{auto: [{to: alpha/m}]}"))
    served.upstream.on(ALPHA, ok(used(), delay=1.0))
    body = chat(model, max_tokens=600)
    found = await asyncio.gather(*(served.client.post(ONE, body) for _ in range(5)))
    assert sorted(reply.status for reply in found) == [200, 200, 429, 429, 429]


# The strategy `cost`, and who may ask for it.


def by_cost(prices: str = PRICES, strategy: str = "cost", **more: str) -> str:
    return yaml("beta", "alpha", "gamma", prices=prices, **more).replace("strategy: priority", f"strategy: {strategy}")


def answering(served: Served) -> Served:
    for host in (ALPHA, BETA, GAMMA):
        served.upstream.on(host, ok(used()))
    return served


async def who(served: Served, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> str:
    reply = await served.client.post(ONE, body or chat("m"), headers or {})
    assert reply.status == 200, reply.text
    return str(reply.headers["x-gateway-provider"])


async def test_the_cheapest_is_asked_and_what_has_no_price_last(serve: Serve) -> None:
    served = answering(serve(by_cost()))
    assert [await who(served) for _ in range(4)] == ["alpha"] * 4
    served.upstream.on(ALPHA, refuse())
    assert await who(served) == "beta"
    served.upstream.on(BETA, refuse())
    assert await who(served) == "gamma"


async def test_what_is_cheapest_depends_on_the_request(serve: Serve) -> None:
    prices = """
prices:
  alpha/*: {input: 1, output: 100}
  beta/*: {input: 10, output: 1}
"""
    served = answering(serve(by_cost(prices)))
    long_prompt = chat("m", max_tokens=1)
    long_prompt["messages"][0]["content"] = "word " * 4000
    assert await who(served, long_prompt) == "alpha"
    assert await who(served, chat("m", max_tokens=4000)) == "beta"


async def test_among_equals_the_faster_is_asked(serve: Serve) -> None:
    prices = "\nprices: {alpha/*: {input: 1}, beta/*: {input: 1}, gamma/*: {input: 2}}\n"
    served = answering(serve(by_cost(prices)))
    served.upstream.on(BETA, ok(used(), delay=5.0))
    found = [await who(served) for _ in range(12)]
    assert set(found) <= {"alpha", "beta"}
    assert found.count("alpha") > found.count("beta")


async def test_models_are_chosen_by_cost(serve: Serve) -> None:
    text = """
routers:
  one: {load-balance: {chat: {strategy: model-cost, models: [openai/gpt-4o, openai/gpt-4o-mini]}}}
"""
    served = serve(text)
    served.upstream.on(OPENAI, ok())
    reply = await served.client.post(ONE, chat("any"))
    assert reply.headers["x-gateway-model"] == "gpt-4o-mini"


async def test_a_client_may_ask_for_what_the_router_allows(serve: Serve) -> None:
    served = answering(serve(by_cost(strategy="priority", optimize_for="{}")))
    assert await who(served) == "beta"
    assert await who(served, headers={"x-gateway-optimize-for": "cost"}) == "alpha"
    assert await who(served, chat("m", optimize_for="cost")) == "alpha"
    assert "optimize_for" not in served.upstream.last.json()
    assert served.upstream.last.json() == chat("m")
    assert "x-gateway-optimize-for" not in served.upstream.last.headers
    served.upstream.on(BETA, ok(used(), delay=9.0))
    speedy = [await who(served, chat("m", optimize_for="speed")) for _ in range(12)]
    assert speedy.count("beta") < 6


async def test_the_header_counts_before_the_field(serve: Serve) -> None:
    served = answering(serve(by_cost(strategy="priority", optimize_for="{allow: [cost]}")))
    asked = chat("m", optimize_for="speed")
    assert await who(served, asked, {"x-gateway-optimize-for": "Cost"}) == "alpha"


async def test_a_router_has_a_default(serve: Serve) -> None:
    served = answering(serve(by_cost(strategy="priority", optimize_for="{default: cost, allow: []}")))
    assert await who(served) == "alpha"


@pytest.mark.parametrize(
    ("body", "headers", "param"),
    [
        (chat("m", optimize_for="speed"), {}, "optimize_for"),
        (chat("m", optimize_for=5), {}, "optimize_for"),
        (chat("m", optimize_for=None), {}, "optimize_for"),
        (chat("m"), {"x-gateway-optimize-for": "beauty"}, "x-gateway-optimize-for"),
    ],
)
async def test_what_may_not_be_asked_for_is_refused(
    serve: Serve, body: dict[str, Any], headers: dict[str, str], param: str
) -> None:
    served = answering(serve(by_cost(optimize_for="{allow: [cost]}")))
    reply = await served.client.post(ONE, body, headers)
    assert reply.status == 400
    error = reply.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request", param)
    assert "cost" in error["message"]
    assert not served.upstream.sent


async def test_where_nobody_may_choose_the_field_is_the_providers(serve: Serve) -> None:
    served = answering(serve(by_cost(strategy="priority")))
    assert await who(served, chat("m", optimize_for="cost"), {"x-gateway-optimize-for": "cost"}) == "beta"
    assert served.upstream.last.json()["optimize_for"] == "cost"


async def test_the_figures_of_a_day_add_up_exactly(serve: Serve) -> None:
    served = serve(yaml("alpha", prices="\nprices: {alpha/*: {input: '0.0001', output: '0.0003'}}\n"))
    served.upstream.on(ALPHA, ok(used(1, 1)))
    for _ in range(10):
        await who(served)
    # 0.4 nano-USD each, rounded up.
    assert Decimal((await health(served))["total_cost"]) == Decimal("0.00000001")
