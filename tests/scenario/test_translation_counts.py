"""Counting tokens before a provider of another dialect: its own count, or an estimate that says so."""

from __future__ import annotations

import pytest

from tests.support.house import ANTHROPIC, GEMINI, Serve, generate, message
from tests.support.scripted import ok, status

MIXED = """
routers:
  anthropic: {load-balance: {chat: {providers: [anthropic]}}}
  gemini: {load-balance: {chat: {providers: [gemini]}}}
  openai: {load-balance: {chat: {providers: [openai]}}}
  mistral: {load-balance: {chat: {providers: [mistral]}}}
"""
COUNT = "/v1/messages/count_tokens"


async def test_gemini_counts_for_an_anthropic_client(serve: Serve) -> None:
    served = serve(MIXED)
    served.upstream.on(GEMINI, ok({"totalTokens": 31, "totalBillableCharacters": 90}))
    body = message("gemini-2.5-flash", system="Be brief.", tools=[{"name": "f", "input_schema": {"type": "object"}}])
    reply = await served.client.post(f"/router/gemini{COUNT}", body)
    assert (reply.status, reply.json()) == (200, {"input_tokens": 31})
    assert served.upstream.last.path == "/v1beta/models/gemini-2.5-flash:countTokens"
    sent = served.upstream.last.json()["generateContentRequest"]
    assert sent["model"] == "models/gemini-2.5-flash"
    assert sent["contents"][0]["parts"] == [{"text": "Hi"}]
    assert sent["tools"]
    assert "x-gateway-estimate" not in reply.headers
    # A count is no usage.
    assert await served.metric("gateway_tokens_total") == 0


@pytest.mark.parametrize("wrapped", [False, True])
async def test_anthropic_counts_for_a_gemini_client(serve: Serve, wrapped: bool) -> None:
    served = serve(MIXED)
    served.upstream.on(ANTHROPIC, ok({"input_tokens": 17}))
    asked = generate(generationConfig={"maxOutputTokens": 5, "temperature": 0.5})
    body = {"generateContentRequest": {"model": "models/claude-sonnet-4-5", **asked}} if wrapped else asked
    reply = await served.client.post("/router/anthropic/v1beta/models/claude-sonnet-4-5:countTokens", body)
    assert (reply.status, reply.json()) == (200, {"totalTokens": 17})
    assert served.upstream.last.path == COUNT
    assert set(served.upstream.last.json()) == {"model", "messages"}


@pytest.mark.parametrize(
    ("path", "body", "member"),
    [
        (COUNT, message("mistral-small-latest"), "input_tokens"),
        ("/v1beta/models/mistral-small-latest:countTokens", generate(), "totalTokens"),
        ("/v1/responses/input_tokens", {"model": "mistral-small-latest", "input": "Hi"}, "input_tokens"),
    ],
)
async def test_who_does_not_count_is_estimated_and_the_reply_says_so(
    serve: Serve, path: str, body: object, member: str
) -> None:
    served = serve(MIXED)
    reply = await served.client.post(f"/router/mistral{path}", body)
    assert reply.status == 200
    assert reply.json()[member] > 0
    assert reply.headers["x-gateway-estimate"] == "true"
    assert served.upstream.sent == []


async def test_a_longer_request_is_estimated_at_more(serve: Serve) -> None:
    served = serve(MIXED)
    counts = []
    for text in ("x" * 10, "x" * 1000):
        body = message("mistral-small-latest", messages=[{"role": "user", "content": text}])
        counts.append((await served.client.post(f"/router/mistral{COUNT}", body)).json()["input_tokens"])
    assert counts[1] > counts[0] + 200


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (COUNT, message("gpt-4o", system="Be brief.", temperature=0.5), {"input_tokens": 9}),
        ("/v1beta/models/gpt-4o:countTokens", generate(), {"totalTokens": 9}),
    ],
)
async def test_openai_counts_for_others(serve: Serve, path: str, body: object, told: object) -> None:
    served = serve(MIXED)
    served.upstream.on("api.openai.com", ok({"object": "response.input_tokens", "input_tokens": 9}))
    reply = await served.client.post(f"/router/openai{path}", body)
    assert (reply.status, reply.json()) == (200, told)
    assert served.upstream.last.path == "/v1/responses/input_tokens"
    assert {"model", "input"} <= set(served.upstream.last.json()) <= {"model", "input", "instructions"}
    assert "x-gateway-estimate" not in reply.headers


async def test_others_count_for_a_client_of_responses(serve: Serve) -> None:
    served = serve(MIXED)
    served.upstream.on(ANTHROPIC, ok({"input_tokens": 17}))
    asked = {"model": "claude-sonnet-4-5", "input": "Hi"}
    reply = await served.client.post("/router/anthropic/v1/responses/input_tokens", asked)
    assert reply.json() == {"object": "response.input_tokens", "input_tokens": 17}
    assert served.upstream.last.path == COUNT


async def test_openai_s_own_count_passes_through(serve: Serve) -> None:
    served = serve(MIXED)
    served.upstream.on("api.openai.com", ok({"object": "response.input_tokens", "input_tokens": 9}))
    reply = await served.client.post("/router/openai/v1/responses/input_tokens", {"model": "gpt-4o", "input": "Hi"})
    assert reply.json()["input_tokens"] == 9
    assert served.upstream.last.path == "/v1/responses/input_tokens"


async def test_a_request_that_cannot_be_read_is_not_estimated(serve: Serve) -> None:
    served = serve(MIXED)
    reply = await served.client.post(f"/router/openai{COUNT}", {"model": "gpt-4o", "messages": 7})
    assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_request")


async def test_a_model_that_nobody_has_is_not_estimated(serve: Serve) -> None:
    served = serve(MIXED)
    reply = await served.client.post(f"/router/mistral{COUNT}", message("claude-9-unheard-of"))
    assert reply.headers["x-gateway-error"] == "no_eligible_target"


async def test_a_count_that_fails_is_tried_elsewhere(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {strategy: priority, providers: [anthropic, gemini]}}}}")
    served.upstream.on(ANTHROPIC, status(500))
    served.upstream.on(GEMINI, ok({"totalTokens": 31}))
    reply = await served.client.post(f"/router/r{COUNT}", message("claude-sonnet-4-5"))
    assert reply.json() == {"input_tokens": 31}
