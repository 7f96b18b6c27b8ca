"""Whose policies count: a router's own, else the global ones, else what is usual; and those of /ai."""

from __future__ import annotations

import pytest

from tests.support.house import ALPHA, BETA, GROQ, OPENAI, PROVIDERS, Serve, chat
from tests.support.scripted import chat_stream, hang, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

ONE = "/router/one/v1/chat/completions"
TWO = "/router/two/v1/chat/completions"
AI = "/ai/v1/chat/completions"
YAML = (
    PROVIDERS
    + """
global:
  timeouts: {first-token: 3s}
  retries: {max-retries: 0}
  model-mappings: {house: alpha/global-model}
unified-api:
  timeouts: {first-token: 7s}
  retries: {strategy: constant, min-delay: 2s, max-retries: 1}
routers:
  one: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}
  two:
    load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}
    timeouts: {first-token: 5s}
    retries: {max-retries: 1}
    model-mappings: {house: alpha/router-model}
"""
)


@pytest.mark.parametrize(
    ("path", "model", "seconds"),
    [(ONE, "x", 3), (TWO, "alpha/x", 5), ("/alpha/v1/chat/completions", "x", 3), (AI, "alpha/x", 7)],
)
async def test_the_nearest_timeouts_count(serve: Serve, path: str, model: str, seconds: float) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, hang())
    reply = await served.client.post(path, chat(model, stream=True))
    assert reply.status == 504
    assert elapsed() == seconds


@pytest.mark.parametrize(("path", "attempts"), [(ONE, 1), (TWO, 2), ("/alpha/v1/chat/completions", 1), (AI, 2)])
async def test_the_nearest_retries_count(serve: Serve, path: str, attempts: int) -> None:
    served = serve(YAML)
    model = "alpha/x" if path == AI else "x"
    reply = await served.client.post(path, chat(model))
    assert reply.status == 502
    assert len(served.upstream.sent) == attempts


async def test_the_delay_of_ai_s_retries_is_its_own(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, refuse(), ok())
    assert (await served.client.post(AI, chat("alpha/x"))).status == 200
    assert elapsed() == 2


@pytest.mark.parametrize(("path", "asked"), [(ONE, "global-model"), (TWO, "router-model"), (AI, "global-model")])
async def test_the_nearest_mapping_counts(serve: Serve, path: str, asked: str) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(path, chat("house"))).status == 200
    assert served.upstream.hosts() == [ALPHA]
    assert served.upstream.last.json()["model"] == asked


async def test_ai_may_have_a_balance_of_its_own(serve: Serve) -> None:
    balance = "{chat: {strategy: priority, providers: [beta, alpha]}}"
    served = serve(f"{PROVIDERS}\nunified-api: {{load-balance: {balance}}}\n")
    served.upstream.on(BETA, status(500))
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(AI, chat("anything"))).status == 200
    assert served.upstream.hosts() == [BETA, ALPHA]


async def test_ai_asks_every_provider_that_has_the_model(serve: Serve) -> None:
    text = """
providers:
  openai: {models: [shared]}
  groq: {models: [shared]}
"""
    served = serve(text + "routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    served.upstream.on(OPENAI, status(500))
    served.upstream.on(GROQ, status(500))
    await served.client.post(AI, chat("shared"))
    assert set(served.upstream.hosts()) == {OPENAI, GROQ}


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
async def test_a_stream_of_few_words_about_usage_is_still_counted(serve: Serve, options: object) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, stream(chat_stream(tokens=(4, 2))))
    reply = await served.client.post(ONE, chat(stream=True, stream_options=options))
    assert served.upstream.last.json()["stream_options"] == {"include_usage": True}
    assert reply.body == b"".join(chat_stream())
    assert await served.metric("gateway_tokens_total", kind="output") == 2


@pytest.mark.parametrize("code", [204, 304])
async def test_a_reply_without_a_body_has_none(serve: Serve, code: int) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, status(code, b""))
    reply = await served.client.request("DELETE", "/alpha/v1/files/1")
    if code == 204:
        assert (reply.status, reply.body) == (204, b"")
        assert "content-length" not in reply.headers
    assert not reply.broken


async def test_a_head_request_has_a_head_alone(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, ok(b""))
    reply = await served.client.request("HEAD", "/alpha/v1/files/1")
    assert (reply.status, reply.body) == (200, b"")
    assert served.upstream.last.request.method == "HEAD"
