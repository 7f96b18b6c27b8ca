"""Limits of the gateway: who is counted, in what, in which order, and what a client is told."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from tests.support.asgi_client import Response
from tests.support.house import ALPHA, ANTHROPIC, GEMINI, PROVIDERS, Serve, Served, chat, generate, message
from tests.support.scripted import chat_reply, chat_stream, generate_reply, message_reply, ok, refuse, status, stream

ONE = "/router/one/v1/chat/completions"
TWO = "/router/two/v1/chat/completions"
DIRECT = "/alpha/v1/chat/completions"
AI = "/ai/v1/chat/completions"


def yaml(*, everywhere: str = "", own: str = "", more: str = "") -> str:
    """Routers `one` and `two` before alpha. everywhere: global's rate-limit; own: that of `one`."""
    balance = "load-balance: {chat: {providers: [alpha]}}, retries: {max-retries: 0}"
    text = f"{PROVIDERS}\nrouters:\n  one: {{{balance}{f', rate-limit: {own}' if own else ''}}}\n  two: {{{balance}}}\n"
    return text + (f"global: {{rate-limit: {everywhere}}}\n" if everywhere else "") + more


def serving(serve: Serve, **parts: str) -> Served:
    served = serve(yaml(**parts))
    served.upstream.on(ALPHA, ok())
    return served


def key(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


def left(reply: Response, unit: str = "requests") -> tuple[str, str, str]:
    """Limit, remaining, reset."""
    return tuple(reply.headers[f"x-ratelimit-{name}-{unit}"] for name in ("limit", "remaining", "reset"))  # type: ignore[return-value]


async def statuses(
    served: Served, path: str, count: int, body: dict[str, Any] | None = None, **names: Any
) -> list[int]:
    return [(await served.client.post(path, body or chat(), **names)).status for _ in range(count)]


async def test_a_router_without_limits_sends_no_headers_of_them(serve: Serve) -> None:
    served = serving(serve)
    reply = await served.client.post(ONE, chat())
    assert not [name for name in reply.headers if "ratelimit" in name]


async def test_a_bucket_grants_its_capacity_and_refills(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 3, refill-frequency: 30s}}")
    assert await statuses(served, ONE, 4) == [200, 200, 200, 429]
    await asyncio.sleep(9.9)
    assert await statuses(served, ONE, 1) == [429]
    await asyncio.sleep(0.1)
    assert await statuses(served, ONE, 2) == [200, 429]
    assert len(served.upstream.sent) == 4


async def test_each_reply_says_what_is_left(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 3, refill-frequency: 30s}}")
    assert left(await served.client.post(ONE, chat())) == ("3", "2", "10s")
    assert left(await served.client.post(ONE, chat())) == ("3", "1", "20s")
    await asyncio.sleep(5)
    assert left(await served.client.post(ONE, chat())) == ("3", "0", "25s")
    refused = await served.client.post(ONE, chat())
    assert left(refused) == ("3", "0", "25s")


async def test_an_error_of_the_provider_says_what_is_left_too(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 3, refill-frequency: 30s}}")
    served.upstream.on(ALPHA, status(400))
    reply = await served.client.post(ONE, chat())
    assert reply.status == 400
    assert left(reply) == ("3", "2", "10s")


async def test_a_denial_says_which_limit_whose_it_is_and_when_to_come_back(serve: Serve) -> None:
    served = serving(serve, own="{per-api-key: {capacity: 2, refill-frequency: 15s}}")
    await statuses(served, ONE, 2)
    reply = await served.client.post(ONE, chat())
    assert reply.status == 429
    error = reply.json()["error"]
    assert (error["code"], error["type"]) == ("rate_limited", "rate_limit_error")
    assert "2 requests per 15s, for each API key, on router 'one'" in error["message"]
    assert "the gateway's own, not the provider's" in error["message"]
    assert reply.headers["x-gateway-error"] == "rate_limited"
    assert reply.headers["x-gateway-limit"] == "per-api-key"
    assert (reply.headers["retry-after"], reply.headers["retry-after-ms"]) == ("8", "7500")
    await asyncio.sleep(7.5)
    assert await statuses(served, ONE, 1) == [200]


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/anthropic/v1/messages", message(), "rate_limit_error"),
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent", generate(), "RESOURCE_EXHAUSTED"),
    ],
)
async def test_a_denial_speaks_the_clients_dialect(serve: Serve, path: str, body: dict[str, Any], kind: str) -> None:
    served = serving(serve, everywhere="{total: {capacity: 1, refill-frequency: 10s}}")
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    served.upstream.on(GEMINI, ok(generate_reply()))
    assert (await served.client.post(path, body)).status == 200
    reply = await served.client.post(path, body)
    assert reply.status == 429
    error = reply.json()["error"]
    assert kind in (error.get("type"), error.get("status"))
    assert reply.headers["retry-after"] == "10"


async def test_global_limits_hold_on_every_route_together(serve: Serve) -> None:
    served = serving(serve, everywhere="{total: {capacity: 3, refill-frequency: 1h}}")
    for path in (ONE, TWO, DIRECT):
        assert (await served.client.post(path, chat("alpha/x"))).status == 200
    assert await statuses(served, AI, 1, chat("alpha/x")) == [429]
    assert await statuses(served, ONE, 1) == [429]


async def test_a_routers_limit_is_its_own(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 1, refill-frequency: 1h}}")
    assert await statuses(served, ONE, 2) == [200, 429]
    assert await statuses(served, TWO, 2) == [200, 200]
    assert await statuses(served, DIRECT, 1) == [200]


async def test_the_unified_route_has_its_own(serve: Serve) -> None:
    served = serving(serve, more="unified-api: {rate-limit: {total: {capacity: 2, refill-frequency: 1h}}}")
    assert await statuses(served, AI, 1, chat("alpha/x")) == [200]
    assert await statuses(served, "/v1/chat/completions", 2, chat("alpha/x")) == [200, 429]
    assert await statuses(served, ONE, 1) == [200]


async def test_without_auth_callers_are_told_apart_by_what_they_send(serve: Serve) -> None:
    served = serving(serve, own="{per-api-key: {capacity: 1, refill-frequency: 1h}}")
    assert await statuses(served, ONE, 2, headers=key("sk-alice-000000000000")) == [200, 429]
    assert await statuses(served, ONE, 1, headers=key("sk-bob-00000000000000")) == [200]
    assert await statuses(served, ONE, 1, headers={"x-api-key": "sk-alice-000000000000"}) == [429]
    assert await statuses(served, ONE, 2) == [200, 429], "nobody in particular is counted by address"


def keys_yaml(*callers: str) -> str:
    """`auth` with a key for each caller: `name`, `name team`."""
    lines = []
    for caller in callers:
        name, _, team = caller.partition(" ")
        digest = sha256(f"gk-{name}".encode()).hexdigest()
        lines.append(f"    - {{name: {name}, hash: 'sha256:{digest}'{f', team: {team}' if team else ''}}}")
    return "auth:\n  mode: keys\n  keys:\n" + "\n".join(lines) + "\n"


async def test_with_auth_each_gateway_key_is_counted(serve: Serve) -> None:
    served = serving(serve, own="{per-api-key: {capacity: 1, refill-frequency: 1h}}", more=keys_yaml("alice", "bob"))
    assert await statuses(served, ONE, 2, headers=key("gk-alice")) == [200, 429]
    assert await statuses(served, ONE, 2, headers=key("gk-bob")) == [200, 429]
    assert await statuses(served, ONE, 1, headers=key("gk-mallory")) == [401]


async def test_a_team_shares_what_it_has(serve: Serve) -> None:
    served = serving(
        serve,
        own="{per-team: {capacity: 2, refill-frequency: 1h}}",
        more=keys_yaml("alice red", "bob red", "carol blue", "dave"),
    )
    assert await statuses(served, ONE, 1, headers=key("gk-alice")) == [200]
    assert await statuses(served, ONE, 2, headers=key("gk-bob")) == [200, 429]
    assert await statuses(served, ONE, 1, headers=key("gk-carol")) == [200]
    assert await statuses(served, ONE, 3, headers=key("gk-dave")) == [200, 200, 200], "no team, no limit of a team"


async def test_a_gateway_key_may_have_a_limit_of_its_own_over_all_routes(serve: Serve) -> None:
    more = keys_yaml("alice", "bob").replace(
        "name: alice,", "name: alice, rate-limit: {capacity: 2, refill-frequency: 1h},"
    )
    served = serving(serve, more=more)
    for path in (ONE, DIRECT):
        assert await statuses(served, path, 1, headers=key("gk-alice")) == [200]
    reply = await served.client.post(TWO, chat(), headers=key("gk-alice"))
    assert reply.status == 429
    assert reply.headers["x-gateway-limit"] == "gateway-key"
    assert await statuses(served, ONE, 3, headers=key("gk-bob")) == [200] * 3


async def test_an_end_user_is_the_requests_user_or_the_headers(serve: Serve) -> None:
    served = serving(serve, own="{per-end-user: {capacity: 1, refill-frequency: 1h}}")
    assert await statuses(served, ONE, 2, chat(user="u1")) == [200, 429]
    assert await statuses(served, ONE, 1, headers={"x-end-user": "u1"}) == [429]
    assert await statuses(served, ONE, 1, headers={"x-end-user": "u2"}) == [200]
    assert await statuses(served, ONE, 3) == [200] * 3, "nobody is named, nobody is counted"


async def test_of_several_buckets_all_or_none_are_taken(serve: Serve) -> None:
    own = "{total: [{capacity: 2, refill-frequency: 1s}, {capacity: 3, refill-frequency: 1h}]}"
    served = serving(serve, own=own)
    assert await statuses(served, ONE, 3) == [200, 200, 429]
    await asyncio.sleep(1)
    assert await statuses(served, ONE, 2) == [200, 429]
    reply = await served.client.post(ONE, chat())
    assert "3 requests per 1h" in reply.json()["error"]["message"]
    assert reply.headers["retry-after"] == str(20 * 60 - 1)


async def test_the_headers_tell_of_the_bucket_with_the_least_left(serve: Serve) -> None:
    served = serving(
        serve,
        everywhere="{total: {capacity: 2, refill-frequency: 1m}}",
        own="{total: {capacity: 10, refill-frequency: 10s}}",
    )
    assert left(await served.client.post(ONE, chat())) == ("2", "1", "30s")
    assert left(await served.client.post(TWO, chat())) == ("2", "0", "60s")


async def test_a_refusal_of_the_routers_limit_costs_nothing_of_the_global_one(serve: Serve) -> None:
    served = serving(
        serve,
        everywhere="{total: {capacity: 3, refill-frequency: 1h}}",
        own="{total: {capacity: 1, refill-frequency: 1h}}",
    )
    assert await statuses(served, ONE, 5) == [200, 429, 429, 429, 429]
    assert await statuses(served, TWO, 3) == [200, 200, 429]


async def test_an_answer_from_the_cache_counts_against_the_global_limit_alone(serve: Serve) -> None:
    text = yaml(
        everywhere="{total: {capacity: 4, refill-frequency: 1h}}", own="{total: {capacity: 1, refill-frequency: 1h}}"
    ).replace("  one: {", "  one: {cache: {directive: max-age=60}, ")
    served = serve(text)
    served.upstream.on(ALPHA, ok())
    told = [(await served.client.post(ONE, chat())).headers["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert told == ["0", "2", "1"], "the router's own, which the second and the third did not come to"
    assert len(served.upstream.sent) == 1
    assert await statuses(served, ONE, 1, chat(seed=1)) == [429], "another question is the router's second"
    assert await statuses(served, ONE, 2) == [200, 429], "which was given back to the global limit"


async def test_an_answer_from_the_cache_costs_no_tokens(serve: Serve) -> None:
    text = yaml(everywhere="{total: {capacity: 1000, refill-frequency: 1000s, unit: tokens}}")
    served = serve(text.replace("  one: {", "  one: {cache: {directive: max-age=60}, "))
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(50, 50))))
    assert await statuses(served, ONE, 5, chat(max_tokens=500)) == [200] * 5
    assert len(served.upstream.sent) == 1
    assert await remaining(served) == 900


async def test_what_the_provider_refuses_was_a_request_all_the_same(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 2, refill-frequency: 1h}}")
    served.upstream.on(ALPHA, status(500))
    assert await statuses(served, ONE, 3) == [500, 500, 429]


async def test_a_limit_in_shadow_lets_through_and_tells(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 1, refill-frequency: 1h}, enforce: shadow}")
    first, second = await served.client.post(ONE, chat()), await served.client.post(ONE, chat())
    assert (first.status, second.status) == (200, 200)
    assert "x-gateway-limit-shadow" not in first.headers
    assert second.headers["x-gateway-limit-shadow"] == "total"
    assert "x-ratelimit-remaining-requests" not in second.headers
    labels = {"router": "one", "scope": "total", "unit": "requests"}
    assert await served.metric("gateway_limit_denials_total", **labels, enforced="false") == 1
    assert await served.metric("gateway_limit_denials_total", **labels, enforced="true") == 0


async def test_denials_are_counted(serve: Serve) -> None:
    served = serving(serve, own="{per-end-user: {capacity: 1, refill-frequency: 1h}}")
    await statuses(served, ONE, 3, chat(user="u"))
    labels = {"router": "one", "scope": "per-end-user", "unit": "requests", "enforced": "true"}
    assert await served.metric("gateway_limit_denials_total", **labels) == 2
    assert await served.metric("gateway_errors_total", router="one", code="rate_limited") == 2


async def test_a_limit_outlives_a_reload(serve: Serve) -> None:
    text = {"own": "{total: {capacity: 2, refill-frequency: 1h}}"}
    served = serving(serve, **text)
    assert await statuses(served, ONE, 1) == [200]
    assert await served.rewrite(yaml(**text, more="server: {body-timeout: 5s}"))
    assert await statuses(served, ONE, 2) == [200, 429]


TOKENS = "{total: {capacity: 1000, refill-frequency: 1000s, unit: tokens}}"


async def remaining(served: Served) -> int:
    """Tokens left, seen by a request that takes none and is refused."""
    reply = await served.client.post(ONE, chat(max_tokens=100_000))
    assert reply.status == 413
    return int(reply.headers["x-ratelimit-remaining-tokens"])


async def test_tokens_are_reserved_and_settled_with_what_was_used(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(90, 60))))
    reply = await served.client.post(ONE, chat(max_tokens=500))
    reserved = 1000 - int(reply.headers["x-ratelimit-remaining-tokens"])
    assert 500 < reserved < 540
    assert await remaining(served) == 850


async def test_a_stream_is_settled_at_its_end(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, stream(chat_stream(tokens=(70, 30))))
    await served.client.post(ONE, chat(stream=True, max_tokens=500))
    assert await remaining(served) == 900


@pytest.mark.parametrize("answer", [refuse(), status(500), status(400)])
async def test_what_failed_costs_no_tokens(serve: Serve, answer: Any) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, answer)
    assert (await served.client.post(ONE, chat(max_tokens=500))).status >= 400
    assert await remaining(served) == 1000


async def test_a_reply_without_usage_costs_the_estimate(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, ok(chat_reply(tokens=None)))
    reply = await served.client.post(ONE, chat(max_tokens=500))
    assert await remaining(served) == int(reply.headers["x-ratelimit-remaining-tokens"]) < 500


async def test_a_client_that_leaves_costs_the_estimate(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, stream(chat_stream(["a"] * 50), gap=1))
    async with served.client.stream("POST", ONE, json=chat(stream=True, max_tokens=500)):
        pass
    before = await remaining(served)
    assert 460 < before < 500


async def test_a_stream_that_breaks_costs_what_was_seen_or_the_estimate(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, stream(chat_stream(["a"] * 5), cut_after=3))
    assert (await served.client.post(ONE, chat(stream=True, max_tokens=300))).broken
    assert 660 < await remaining(served) < 700


async def test_usage_beyond_the_estimate_is_charged_and_waited_for(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(1000, 400))))
    assert (await served.client.post(ONE, chat(max_tokens=100))).status == 200
    reply = await served.client.post(ONE, chat(max_tokens=100))
    assert reply.status == 429
    # 400 in debt and then some 110 to wait for, at one a second.
    assert 505 <= int(reply.headers["retry-after"]) <= 530


async def test_a_request_that_can_never_fit_is_told_so(serve: Serve) -> None:
    served = serving(serve, own=TOKENS)
    reply = await served.client.post(ONE, chat(max_tokens=1000))
    assert reply.status == 413
    assert reply.json()["error"]["code"] == "request_exceeds_limit"
    assert "1000 tokens per 1000s" in reply.json()["error"]["message"]
    assert "retry-after" not in reply.headers
    assert reply.headers["x-gateway-limit"] == "total"


async def test_a_length_that_nobody_asked_for_never_makes_a_request_too_large(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 100, refill-frequency: 100s, unit: tokens}}")
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 5))))
    assert await statuses(served, ONE, 1) == [200]
    assert (await served.client.post(ONE, chat(max_tokens=10))).headers["x-ratelimit-remaining-tokens"] != "0"


async def test_estimates_learn_how_a_model_counts(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 1000000, refill-frequency: 1000000s, unit: tokens}}")
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(4000, 50))))
    body = chat("talkative", messages=[{"role": "user", "content": "x" * 8000}])

    async def reserved() -> int:
        reply = await served.client.post(ONE, body)
        # Until the bucket is full again.
        await asyncio.sleep(10_000)
        return 1_000_000 - int(reply.headers["x-ratelimit-remaining-tokens"])

    first = await reserved()
    assert 2390 < first < 2440
    for _ in range(40):
        await reserved()
    assert 3900 < await reserved() < 4150


async def test_dollars_are_counted_in_millionths(serve: Serve) -> None:
    own = "{total: {capacity: 0.01, refill-frequency: 1h, unit: usd}}"
    text = f"routers: {{one: {{rate-limit: {own}, load-balance: {{chat: {{providers: [openai]}}}}}}}}"
    served = serve(text)
    # gpt-4o: 2.50 and 10.00 USD a million. 1000 in and 500 out are 0.0075.
    served.upstream.on("api.openai.com", ok(chat_reply(tokens=(1000, 500))))
    assert await statuses(served, ONE, 2, chat(max_tokens=100)) == [200, 200]
    reply = await served.client.post(ONE, chat(max_tokens=100))
    assert reply.status == 429
    assert "0.01 USD per 1h" in reply.json()["error"]["message"]
    assert await served.metric("gateway_unpriced_requests_total") == 0


async def test_what_has_no_price_is_counted_as_such(serve: Serve) -> None:
    served = serving(serve, own="{total: {capacity: 1, refill-frequency: 1h, unit: usd}}")
    assert await statuses(served, ONE, 3) == [200] * 3
    assert await served.metric("gateway_unpriced_requests_total", router="one", provider="alpha") == 3


async def test_requests_and_tokens_are_told_of_side_by_side(serve: Serve) -> None:
    tokens = "per-end-user: {capacity: 1000, refill-frequency: 10s, unit: tokens}"
    served = serving(serve, own=f"{{total: {{capacity: 10, refill-frequency: 10s}}, {tokens}}}")
    reply = await served.client.post(ONE, chat(max_tokens=90, user="u"))
    assert left(reply)[:2] == ("10", "9")
    assert left(reply, "tokens")[0] == "1000"
    assert int(left(reply, "tokens")[1]) < 910
