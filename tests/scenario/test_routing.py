"""Who is asked: strategies, models, mappings, pins, and the URLs that lead to a provider."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.support.house import (
    ALPHA,
    ANTHROPIC,
    BARE,
    BETA,
    DEEPSEEK,
    GAMMA,
    GEMINI,
    GROQ,
    HOUSE,
    MISTRAL,
    OPENAI,
    PROVIDERS,
    Serve,
    chat,
    generate,
    message,
)
from tests.support.scripted import generate_reply, message_reply, ok, status, stream
from tests.support.virtual_time import elapsed

CHAT = "/v1/chat/completions"


def balance(strategy: str, targets: str, more: str = "", key: str = "providers") -> str:
    return f"{PROVIDERS}\nrouters: {{r: {{load-balance: {{chat: {{strategy: {strategy}, {key}: {targets}}}}}{more}}}}}"


@pytest.mark.parametrize("strategy", ["weighted", "provider-weighted"])
async def test_weighted_shares_are_exact(serve: Serve, strategy: str) -> None:
    served = serve(balance(strategy, "[{provider: alpha, weight: '0.7'}, {provider: beta, weight: '0.3'}]"))
    served.upstream.on(ALPHA, ok())
    served.upstream.on(BETA, ok())
    for hundred in range(1, 11):
        for _ in range(10):
            await served.client.post(f"/router/r{CHAT}", chat())
        assert Counter(served.upstream.hosts()) == {ALPHA: 7 * hundred, BETA: 3 * hundred}


async def test_three_weights_are_exact_over_a_hundred_at_once(serve: Serve) -> None:
    targets = "[{provider: alpha, weight: 50}, {provider: beta, weight: 30}, {provider: gamma, weight: 20}]"
    served = serve(balance("weighted", targets))
    for host in (ALPHA, BETA, GAMMA):
        served.upstream.on(host, ok(delay=1))
    await asyncio.gather(*(served.client.post(f"/router/r{CHAT}", chat()) for _ in range(100)))
    assert Counter(served.upstream.hosts()) == {ALPHA: 50, BETA: 30, GAMMA: 20}
    assert elapsed() == 1


async def test_a_weight_of_nothing_gets_nothing_until_it_is_alone(serve: Serve) -> None:
    served = serve(balance("weighted", "[{provider: alpha, weight: 0}, {provider: beta, weight: 1}]"))
    served.upstream.on(ALPHA, ok())
    served.upstream.on(BETA, *[ok()] * 10, status(500))
    for _ in range(10):
        await served.client.post(f"/router/r{CHAT}", chat())
    assert set(served.upstream.hosts()) == {BETA}
    reply = await served.client.post(f"/router/r{CHAT}", chat())
    assert (reply.status, reply.headers["x-gateway-provider"]) == (200, "alpha")


async def test_weights_over_models_of_one_provider(serve: Serve) -> None:
    targets = "[{provider: openai/gpt-4o, weight: 3}, {provider: openai/gpt-4.1, weight: 1}]"
    served = serve(balance("model-weighted", targets, key="models"))
    served.upstream.on(OPENAI, ok())
    for _ in range(40):
        await served.client.post(f"/router/r{CHAT}", chat("anything"))
    assert Counter(call.json()["model"] for call in served.upstream.sent) == {"gpt-4o": 30, "gpt-4.1": 10}


@pytest.mark.parametrize("strategy", ["latency", "balanced-latency"])
async def test_latency_prefers_the_quick_one(serve: Serve, strategy: str) -> None:
    served = serve(balance(strategy, "[alpha, beta]"))
    served.upstream.on(ALPHA, ok(delay=2))
    served.upstream.on(BETA, ok(delay=0.1))
    for _ in range(20):
        await served.client.post(f"/router/r{CHAT}", chat())
    assert Counter(served.upstream.hosts()) == {ALPHA: 1, BETA: 19}


async def test_latency_of_streams_is_the_first_event_s_and_apart_from_whole_replies(serve: Serve) -> None:
    served = serve(balance("latency", "[alpha, beta]"))
    served.upstream.on(ALPHA, lambda request, _: stream(first_delay=0.1, gap=5) if request.streamed else ok(delay=9))
    served.upstream.on(BETA, lambda request, _: stream(first_delay=3) if request.streamed else ok(delay=1))
    for _ in range(6):
        await served.client.post(f"/router/r{CHAT}", chat(stream=True))
    assert Counter(served.upstream.hosts()) == {ALPHA: 5, BETA: 1}
    served.upstream.sent.clear()
    for _ in range(6):
        await served.client.post(f"/router/r{CHAT}", chat())
    assert Counter(served.upstream.hosts()) == {ALPHA: 1, BETA: 5}


async def test_a_target_that_fails_fast_does_not_look_quick(serve: Serve) -> None:
    text = balance("latency", "[alpha, beta]").replace("alpha: {", "alpha: {breaker: {consecutive-failures: 1000}, ")
    served = serve(text)
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, ok(delay=1))
    for _ in range(15):
        assert (await served.client.post(f"/router/r{CHAT}", chat())).status == 200
    assert len(served.upstream.to(ALPHA)) <= 3


async def test_priority_goes_down_the_list_only_when_it_must(serve: Serve) -> None:
    targets = "[{provider: alpha, priority: 2}, {provider: beta, priority: 1}, {provider: gamma, priority: 2}]"
    served = serve(balance("priority", targets))
    served.upstream.on(BETA, ok(), status(500))
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(GAMMA, ok())
    await served.client.post(f"/router/r{CHAT}", chat())
    assert served.upstream.hosts() == [BETA]
    await served.client.post(f"/router/r{CHAT}", chat())
    assert served.upstream.hosts() == [BETA, BETA, ALPHA, GAMMA]


async def test_least_busy_spreads_what_is_under_way(serve: Serve) -> None:
    served = serve(balance("least-busy", "[alpha, beta, gamma]"))
    served.upstream.on(ALPHA, ok(delay=100))
    served.upstream.on(BETA, ok(delay=1))
    served.upstream.on(GAMMA, ok(delay=1))
    first = [asyncio.create_task(served.client.post(f"/router/r{CHAT}", chat())) for _ in range(9)]
    await asyncio.sleep(0)
    await asyncio.sleep(2)
    assert Counter(served.upstream.hosts()) == {ALPHA: 3, BETA: 3, GAMMA: 3}
    second = [asyncio.create_task(served.client.post(f"/router/r{CHAT}", chat())) for _ in range(6)]
    await asyncio.gather(*first, *second)
    assert Counter(served.upstream.hosts()) == {ALPHA: 3, BETA: 6, GAMMA: 6}


async def test_a_mapping_says_what_a_model_is_called_elsewhere(serve: Serve) -> None:
    more = ", model-mappings: {gpt-4o: [mistral/mistral-large-latest, groq/openai/gpt-oss-120b]}"
    served = serve(balance("priority", "[openai, mistral, groq]", more))
    served.upstream.on(OPENAI, status(500))
    served.upstream.on(MISTRAL, status(500))
    served.upstream.on(GROQ, ok())
    body = b'{ "messages":[] ,"model" : "gpt-4o", "x":{"of":"gpt-4o"} }'
    reply = await served.client.post(f"/router/r{CHAT}", body=body)
    assert reply.status == 200
    assert served.upstream.hosts() == [OPENAI, MISTRAL, GROQ]
    assert [call.body for call in served.upstream.sent] == [
        body,
        body.replace(b' "gpt-4o"', b' "mistral-large-latest"'),
        body.replace(b' "gpt-4o"', b' "openai/gpt-oss-120b"'),
    ]
    assert reply.headers["x-gateway-model"] == "openai/gpt-oss-120b"


async def test_an_entry_s_own_model_is_asked_for_whatever_the_client_names(serve: Serve) -> None:
    served = serve(balance("priority", "[{provider: alpha, model: in-house}]"))
    served.upstream.on(ALPHA, ok())
    await served.client.post(f"/router/r{CHAT}", chat("gpt-4o"))
    assert served.upstream.last.json() == chat("in-house")


async def test_provider_and_model_pin_both(serve: Serve) -> None:
    served = serve(balance("priority", "[alpha, beta]"))
    served.upstream.on(BETA, ok())
    reply = await served.client.post(f"/router/r{CHAT}", chat("beta/some-model"))
    assert reply.status == 200
    assert served.upstream.hosts() == [BETA]
    assert served.upstream.last.json() == chat("some-model")


async def test_a_pin_does_not_fail_over_to_others(serve: Serve) -> None:
    served = serve(balance("priority", "[alpha, beta]", ", retries: {max-retries: 1}"))
    served.upstream.on(BETA, status(500))
    served.upstream.on(ALPHA, ok())
    reply = await served.client.post(f"/router/r{CHAT}", chat("beta/some-model"))
    assert reply.status == 500
    assert set(served.upstream.hosts()) == {BETA}


async def test_a_dated_version_is_kept_as_written(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, ok())
    await served.client.post(f"/ai{CHAT}", chat("gpt-4o-2024-08-06"))
    assert served.upstream.last.json()["model"] == "gpt-4o-2024-08-06"


async def test_a_model_of_another_vendor_is_not_sent_to_one_that_cannot_have_it(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {strategy: priority, providers: [mistral, openai]}}}}")
    served.upstream.on(OPENAI, ok())
    await served.client.post(f"/router/r{CHAT}", chat("gpt-9-unheard-of"))
    assert served.upstream.hosts() == [OPENAI]


async def test_a_closed_list_refuses_other_models(serve: Serve) -> None:
    text = PROVIDERS.replace("models: ['*'], keys: ['${env:ALPHA_1}']", "models: [m1], models-closed: true", 1)
    served = serve(text + "routers: {r: {load-balance: {chat: {providers: [alpha]}}}}")
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(f"/router/r{CHAT}", chat("m1"))).status == 200
    reply = await served.client.post(f"/router/r{CHAT}", chat("m2"))
    assert reply.status == 503
    assert "alpha: does not serve this model" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("model", "host", "asked"),
    [
        ("gpt-4o", OPENAI, "gpt-4o"),
        ("gpt-9-unheard-of", OPENAI, "gpt-9-unheard-of"),
        ("o9-mini", OPENAI, "o9-mini"),
        ("mistral-large-9", MISTRAL, "mistral-large-9"),
        ("deepseek-chat", DEEPSEEK, "deepseek-chat"),
        ("groq/llama-3.3-70b-versatile", GROQ, "llama-3.3-70b-versatile"),
        ("openai/gpt-4o", OPENAI, "gpt-4o"),
        ("groq/openai/gpt-oss-120b", GROQ, "openai/gpt-oss-120b"),
    ],
)
@pytest.mark.parametrize("path", [f"/ai{CHAT}", "/ai/chat/completions", CHAT])
async def test_the_provider_is_found_from_the_model(serve: Serve, model: str, host: str, asked: str, path: str) -> None:
    served = serve(BARE)
    served.upstream.on(host, ok())
    reply = await served.client.post(path, chat(model))
    assert reply.status == 200
    assert served.upstream.hosts() == [host]
    assert served.upstream.last.json()["model"] == asked


async def test_a_model_that_nobody_has_is_not_found(serve: Serve) -> None:
    served = serve(BARE)
    reply = await served.client.post(f"/ai{CHAT}", chat("zebra-9000"))
    assert reply.status == 404
    error = reply.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "zebra-9000" in error["message"]
    assert served.upstream.sent == []


@pytest.mark.parametrize("path", ["/ai/v1/messages", "/v1/messages", "/router/m/v1/messages", "/anthropic/v1/messages"])
async def test_messages_go_to_a_provider_of_their_dialect(serve: Serve, path: str) -> None:
    served = serve("routers: {m: {load-balance: {chat: {strategy: priority, providers: [openai, anthropic]}}}}")
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    reply = await served.client.post(path, message(), {"anthropic-version": "2026-10-21"})
    assert reply.status == 200
    sent = served.upstream.last
    assert (sent.host, sent.path) == (ANTHROPIC, "/v1/messages")
    assert sent.headers["x-api-key"] == "sk-ant-0000000000000000"
    assert sent.headers["anthropic-version"] == "2026-10-21"
    assert "authorization" not in sent.headers


async def test_an_anthropic_version_is_sent_when_the_client_sent_none(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    await served.client.post("/ai/v1/messages", message())
    assert served.upstream.last.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(
    "path", ["/v1beta/models", "/v1/models", "/ai/v1beta/models", "/gemini/v1beta/models", "/router/g/v1beta/models"]
)
@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent?alt=sse", "countTokens"])
async def test_gemini_has_its_model_in_the_path(serve: Serve, path: str, action: str) -> None:
    served = serve("routers: {g: {load-balance: {chat: {providers: [gemini]}}}}")
    served.upstream.on(GEMINI, ok(generate_reply()))
    reply = await served.client.post(f"{path}/gemini-2.5-flash:{action}", generate())
    assert reply.status == 200
    version = "v1beta" if "v1beta" in path else "v1"
    assert served.upstream.last.path == f"/{version}/models/gemini-2.5-flash:{action}"
    assert served.upstream.last.headers["x-goog-api-key"].startswith("AIza")


async def test_a_gemini_model_is_mapped_in_the_path(serve: Serve) -> None:
    served = serve(
        "routers: {g: {load-balance: {chat: {providers: [gemini]}}, model-mappings: {fast: gemini/gemini-2.5-flash}}}"
    )
    served.upstream.on(GEMINI, ok(generate_reply()))
    body = b'{"contents":[] }'
    await served.client.post("/router/g/v1beta/models/fast:generateContent", body=body)
    assert served.upstream.last.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert served.upstream.last.body == body


async def test_a_default_router_serves_v1(serve: Serve) -> None:
    served = serve(HOUSE + "default-router: solo\n")
    served.upstream.on(ALPHA, ok())
    reply = await served.client.post(CHAT, chat("whatever"))
    assert (reply.status, reply.headers["x-gateway-router"]) == (200, "solo")
    served.upstream.on(OPENAI, ok())
    assert "x-gateway-router" not in (await served.client.post(f"/ai{CHAT}", chat("openai/gpt-4o"))).headers


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/v1/v1/messages", "api.anthropic.com"),
        ("/v1/v1/models/gemini-2.5-flash:generateContent", "generativelanguage.googleapis.com"),
        ("/v1/v1beta/models/gemini-2.5-flash:generateContent", "generativelanguage.googleapis.com"),
        ("/ai/v1/v1/messages", "api.anthropic.com"),
        ("/ai/v1/v1beta/models/gemini-2.5-flash:generateContent", "generativelanguage.googleapis.com"),
        ("/router/clde/v1/v1/messages", "api.anthropic.com"),
    ],
)
async def test_a_version_that_an_sdk_puts_behind_v1_is_the_one(serve: Serve, path: str, host: str) -> None:
    served = serve(f"{HOUSE}  clde: {{load-balance: {{chat: {{providers: [anthropic]}}}}}}\n")
    served.upstream.on(host, ok())
    await served.client.post(path, {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [], "contents": []})
    assert served.upstream.hosts() == [host]
    assert "/v1/v1" not in served.upstream.last.url


@pytest.mark.parametrize("path", ["/router/duo/v1/chat/completions", "/router/duo/chat/completions"])
async def test_v1_in_front_of_the_api_path_is_optional(serve: Serve, path: str) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(path, chat())).status == 200
    assert served.upstream.last.url == "http://alpha.test/v1/chat/completions"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/openai/v1/files/file-1?a=%20b&c", "https://api.openai.com/v1/files/file-1?a=%20b&c"),
        ("/openai/files", "https://api.openai.com/v1/files"),
        ("/alpha/v1/x/y%20z", "http://alpha.test/v1/x/y%20z"),
        ("/alpha/", "http://alpha.test/v1/"),
    ],
)
async def test_a_provider_s_own_route_takes_any_method_and_path(serve: Serve, method: str, path: str, url: str) -> None:
    served = serve()
    for host in (OPENAI, ALPHA):
        served.upstream.on(host, ok({"ok": True}))
    reply = await served.client.request(method, path, json=None if method == "GET" else {"a": 1})
    assert (reply.status, reply.json()) == (200, {"ok": True})
    assert (served.upstream.last.request.method, served.upstream.last.url) == (method, url)
    assert served.upstream.last.key != ""


async def test_nothing_is_rewritten_on_a_provider_s_own_route(serve: Serve) -> None:
    served = serve(HOUSE + "global: {model-mappings: {gpt-4o: openai/gpt-4.1}}\n")
    served.upstream.on(OPENAI, ok())
    body = b'{"model":"openai/gpt-4o","messages":[]}'
    await served.client.post(f"/openai{CHAT}", body=body)
    assert served.upstream.last.body == body


async def test_embeddings_have_a_balance_of_their_own(serve: Serve) -> None:
    served = serve(
        PROVIDERS + "routers: {r: {load-balance: {chat: {providers: [alpha]}, embeddings: {providers: [beta]}}}}"
    )
    served.upstream.on(ALPHA, ok())
    served.upstream.on(BETA, ok({"object": "list", "data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}))
    await served.client.post("/router/r/v1/embeddings", {"model": "m", "input": "x"})
    await served.client.post(f"/router/r{CHAT}", chat())
    assert served.upstream.hosts() == [BETA, ALPHA]
    assert await served.metric("gateway_tokens_total", kind="input", provider="beta") == 5


async def test_an_operation_without_a_balance_is_not_served(serve: Serve) -> None:
    served = serve()
    reply = await served.client.post("/router/duo/v1/embeddings", {"model": "m", "input": "x"})
    assert (reply.status, reply.json()["error"]["code"]) == (404, "operation_not_served")


async def test_an_operation_that_no_listed_provider_has_is_not_asked_for_again(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {default: {providers: [echo]}}}}\n")
    reply = await served.client.post("/router/r/v1/embeddings", {"model": "echo", "input": "x"})
    error = reply.json()["error"]
    assert (reply.status, error["code"]) == (404, "operation_not_served"), "SDKs ask again after a 503"
    assert "echo: " in error["message"]


async def test_no_eligible_target_gives_every_reason(serve: Serve) -> None:
    served = serve(
        "routers: {r: {load-balance: {chat: {providers: [openai, anthropic, mistral]}}}}", env={"MISTRAL_API_KEY": "x"}
    )
    reply = await served.client.post(f"/router/r{CHAT}", chat("gpt-9-unheard-of"))
    text = reply.json()["error"]["message"]
    assert reply.status == 503
    assert "openai: no key" in text
    assert "mistral: does not serve this model" in text
    assert "Set OPENAI_API_KEY" in text
    assert reply.headers["x-gateway-error"] == "no_eligible_target"


async def test_a_disabled_provider_is_not_there(serve: Serve) -> None:
    served = serve(BARE.replace("openai", "mistral") + "\nproviders: {openai: {enabled: false}}")
    assert (await served.client.post(f"/openai{CHAT}", chat())).status == 404
    assert (await served.client.post(f"/ai{CHAT}", chat("gpt-4o"))).status == 404
    assert served.upstream.sent == []


async def test_an_entry_may_have_an_address_and_a_key_of_its_own(serve: Serve) -> None:
    served = serve("""
routers:
  r:
    load-balance:
      chat:
        strategy: weighted
        providers:
          - {provider: openai, base-url: 'https://eu.example.test/v1', keys: ['${env:ALPHA_1}']}
          - {provider: openai}
""")
    served.upstream.on("eu.example.test", ok())
    served.upstream.on(OPENAI, ok())
    for _ in range(2):
        await served.client.post(f"/router/r{CHAT}", chat())
    seen = {call.url: call.key for call in served.upstream.sent}
    assert seen == {
        "https://eu.example.test/v1/chat/completions": "alpha-key-1-00000000",
        "https://api.openai.com/v1/chat/completions": "sk-openai-0000000000000000",
    }
