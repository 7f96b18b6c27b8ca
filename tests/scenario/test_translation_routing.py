"""What a router does with providers of several dialects: who is eligible, what is lost, who stands in, who is next."""

from __future__ import annotations

import pytest

from tests.support.house import ANTHROPIC, GEMINI, MISTRAL, OPENAI, Serve, chat, generate, message
from tests.support.scripted import (
    chat_stream,
    generate_reply,
    generate_stream,
    message_reply,
    message_stream,
    ok,
    refuse,
    sse,
    status,
    stream,
)
from tests.support.speakers import ASKED_CONVERSE, PICTURE

CHAT = "/v1/chat/completions"
BOTH = """
routers:
  r: {load-balance: {chat: {strategy: priority, providers: [anthropic, gemini]}}}
  a: {load-balance: {chat: {providers: [anthropic]}}}
  strict: {on-loss: reject, load-balance: {chat: {strategy: priority, providers: [anthropic, openai]}}}
  cautious: {on-loss: reject, load-balance: {chat: {providers: [anthropic]}}}
  mapped:
    load-balance: {chat: {providers: [anthropic]}}
    model-mappings: {gpt-4o: claude-haiku-4-5}
"""
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
FAILING = [
    pytest.param(refuse(), id="down"),
    pytest.param(status(529, OVERLOADED), id="overloaded"),
    pytest.param(stream(message_stream()[:1], cut_after=0), id="cut-before-an-event"),
    pytest.param(stream([sse(OVERLOADED, "error")]), id="an-error-for-the-first-event"),
]


@pytest.mark.parametrize("failing", FAILING)
async def test_an_openai_client_is_answered_by_gemini_when_anthropic_fails(serve: Serve, failing: object) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, failing)  # type: ignore[arg-type]
    served.upstream.on(GEMINI, stream(generate_stream(["Hel", "lo"])))
    body = chat("gpt-4o", stream=True, seed=7, max_completion_tokens=50)
    reply = await served.client.post(f"/router/r{CHAT}", body)
    assert reply.status == 200
    assert reply.headers["x-gateway-provider"] == "gemini"
    assert reply.headers["x-gateway-model"] == "gemini-3.8-flash"
    assert reply.headers["x-gateway-attempts"] == "2"
    assert served.upstream.hosts() == [ANTHROPIC, GEMINI]
    first, second = (call.json() for call in served.upstream.sent)
    # Each is written from the client's original: what the first format cannot say, the second still can.
    assert "seed" not in first
    assert second["generationConfig"]["seed"] == 7
    assert second["generationConfig"]["maxOutputTokens"] == 50
    assert "model" not in second
    assert reply.text.endswith("data: [DONE]\n\n")


async def test_the_native_api_is_asked_where_the_vendor_has_a_layer_for_openai_s_clients(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    await served.client.post(
        f"/router/a{CHAT}", chat("claude-sonnet-4-5"), {"openai-beta": "x", "x-stainless-lang": "python"}
    )
    sent = served.upstream.last
    assert sent.path == "/v1/messages"
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-api-key"].startswith("sk-ant")
    assert not [name for name in sent.headers if name.startswith(("openai-", "x-stainless-"))]
    served.upstream.on(ANTHROPIC, ok())
    await served.client.post(f"/anthropic{CHAT}", chat("claude-sonnet-4-5"))
    assert served.upstream.last.path == CHAT


async def test_a_vendor_s_headers_and_query_stay_with_it(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    served.upstream.on(OPENAI, ok(headers=[("openai-organization", "org-1"), ("x-request-id", "req_1")]))
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "x", "x-trace": "mine"}
    reply = await served.client.post("/router/r/v1/messages?beta=true", message("gpt-4o"), headers)
    assert served.upstream.last.path == CHAT
    sent = served.upstream.last.headers
    assert sent["x-trace"] == "mine"
    assert not [name for name in sent if name.startswith("anthropic-")]
    assert reply.headers["x-upstream-request-id"] == "req_1"
    assert "openai-organization" not in reply.headers
    await served.client.post("/router/r/v1beta/models/gpt-4o:generateContent?key=abc", generate())
    assert served.upstream.last.path == CHAT


async def test_what_is_lost_is_shown_and_counted(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    body = chat("gpt-4o", seed=1, logit_bias={"1": 2}, temperature=1.6, made_up=True)
    reply = await served.client.post(f"/router/a{CHAT}", body)
    assert reply.status == 200
    dropped = reply.headers["x-gateway-dropped"].split(", ")
    assert {"seed", "logit_bias", "made_up"} <= set(dropped)
    assert [field for field in dropped if field.startswith("temperature(1.6->1")]
    for field in ("seed", "logit_bias", "temperature", "other"):
        assert await served.metric("gateway_dropped_total", router="a", field=field) == 1


PAINTED = generate_reply("A dot:")
PAINTED["candidates"][0]["content"]["parts"].append({"inlineData": {"mimeType": "image/png", "data": PICTURE}})
PAINTERS = "routers: {r: {load-balance: {chat: {providers: [gemini]}}}}"


async def test_what_of_a_reply_has_no_room_is_shown_and_counted(serve: Serve) -> None:
    served = serve(PAINTERS)
    served.upstream.on(GEMINI, ok(PAINTED))
    reply = await served.client.post("/router/r/v1/messages", message("gemini-2.5-flash-image"))
    assert [block["type"] for block in reply.json()["content"]] == ["text"]
    assert reply.headers["x-gateway-dropped"] == "reply.image"
    assert await served.metric("gateway_dropped_total", router="r", field="reply") == 1
    reply = await served.client.post(f"/router/r{CHAT}", chat("gemini-2.5-flash-image"))
    assert len(reply.json()["choices"][0]["message"]["images"]) == 1
    assert "x-gateway-dropped" not in reply.headers


async def test_what_of_a_stream_has_no_room_is_counted_alone(serve: Serve) -> None:
    served = serve(PAINTERS)
    served.upstream.on(GEMINI, stream([sse(PAINTED)]))
    reply = await served.client.post("/router/r/v1/messages", message("gemini-2.5-flash-image", stream=True))
    assert "A dot:" in reply.text
    assert "message_stop" in reply.text
    assert "x-gateway-dropped" not in reply.headers
    assert await served.metric("gateway_dropped_total", router="r", field="reply") == 1


async def test_a_provider_s_comments_keep_the_client_s_connection_alive(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    waiting = b": PROCESSING\n\n"
    first, *rest = chat_stream(model="gpt-4o-2024-11-20")
    served.upstream.on(OPENAI, stream([waiting, first, waiting, waiting[:5], waiting[5:], *rest]))
    reply = await served.client.post("/router/r/v1/messages", message("gpt-4o", stream=True))
    said = [line for line in reply.text.split("\n") if line.startswith("event:")]
    # None before the first event, whose model the provider has yet to tell; between events as they came.
    assert said[0] == "event: message_start"
    assert said.count("event: ping") == 2
    assert "gpt-4o-2024-11-20" in reply.text


async def test_nothing_lost_is_nothing_said(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    reply = await served.client.post(f"/router/a{CHAT}", chat("gpt-4o", max_tokens=5))
    assert "x-gateway-dropped" not in reply.headers
    assert await served.metric("gateway_dropped_total") == 0


async def test_with_reject_a_target_that_would_lose_something_is_passed_over(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(OPENAI, ok())
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    reply = await served.client.post(f"/router/strict{CHAT}", chat("gpt-4o", seed=1))
    assert (reply.status, served.upstream.hosts()) == (200, [OPENAI])
    reply = await served.client.post(f"/router/strict{CHAT}", chat("gpt-4o", max_tokens=5))
    assert (reply.status, served.upstream.hosts()) == (200, [OPENAI, ANTHROPIC])


async def test_with_reject_and_nobody_left_the_field_is_named(serve: Serve) -> None:
    served = serve(BOTH)
    reply = await served.client.post(f"/router/cautious{CHAT}", chat("gpt-4o", seed=1))
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "unsupported_feature", "seed")
    assert "anthropic: cannot carry seed" in error["message"]
    assert "on-loss: reject" in error["message"]
    assert served.upstream.sent == []


VISION = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}]
BLIND_FIRST = """
routers:
  r: {load-balance: {chat: {strategy: priority, providers: [deepseek/deepseek-v4-pro, gemini/gemini-2.5-flash]}}}
"""


async def test_an_image_goes_past_a_model_that_sees_none(serve: Serve) -> None:
    served = serve(BLIND_FIRST)
    served.upstream.on(GEMINI, ok(generate_reply()))
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
    body = message("m", messages=[{"role": "user", "content": [picture]}])
    native = served.client.post("/router/r/v1/messages", body)
    # DeepSeek has a surface in the client's dialect: what it takes is its own to say.
    served.upstream.on("api.deepseek.com", ok(message_reply()))
    assert (await native).headers["x-gateway-provider"] == "deepseek"
    contents = [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": PICTURE}}]}]
    reply = await served.client.post("/router/r/v1beta/models/m:generateContent", {"contents": contents})
    assert (reply.status, reply.headers["x-gateway-provider"]) == (200, "gemini")


async def test_a_feature_that_nobody_can_carry_is_named_with_the_targets(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [deepseek/deepseek-v4-pro]}}}}")
    contents = [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": PICTURE}}]}]
    reply = await served.client.post("/router/r/v1beta/models/m:generateContent", {"contents": contents})
    assert reply.status == 400
    assert reply.headers["x-gateway-error"] == "unsupported_feature"
    error = reply.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert "deepseek: cannot carry image" in error["message"]
    assert served.upstream.sent == []


async def test_who_could_carry_it_and_is_down_makes_it_a_matter_of_time(serve: Serve) -> None:
    served = serve(
        "routers: {r: {load-balance: {chat: {providers: [deepseek/deepseek-v4-pro, gemini/gemini-2.5-flash]}}}}",
        env={"DEEPSEEK_API_KEY": "sk-x"},
    )
    contents = [{"role": "user", "content": VISION}]
    served.upstream.on("api.deepseek.com", ok())
    assert (await served.client.post(f"/router/r{CHAT}", chat(messages=contents))).status == 200
    parts = [{"inlineData": {"mimeType": "image/png", "data": PICTURE}}]
    body = {"contents": [{"role": "user", "parts": parts}]}
    reply = await served.client.post("/router/r/v1beta/models/m:generateContent", body)
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "no_eligible_target")
    message_ = reply.json()["error"]["message"]
    assert "deepseek: cannot carry image" in message_
    assert "gemini: no key" in message_


async def test_what_our_reader_cannot_read_goes_to_who_speaks_the_dialect(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {strategy: priority, providers: [anthropic, openai]}}}}")
    served.upstream.on(OPENAI, ok())
    odd = chat("gpt-4o", messages=[{"role": "oracle", "content": "Hi"}])
    reply = await served.client.post(f"/router/r{CHAT}", odd)
    assert (reply.status, served.upstream.hosts()) == (200, [OPENAI])


async def test_what_nobody_can_read_is_the_client_s_mistake(serve: Serve) -> None:
    served = serve(BOTH)
    reply = await served.client.post(f"/router/a{CHAT}", chat("gpt-4o", messages=[{"role": "oracle", "content": "Hi"}]))
    assert reply.status == 400
    assert reply.json()["error"]["code"] == "invalid_request"
    assert reply.json()["error"]["param"].startswith("messages[0]")


async def test_a_model_that_a_listed_provider_lacks_has_an_equivalent(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(message_reply(model="claude-sonnet-5-5-20260901")))
    reply = await served.client.post(f"/router/a{CHAT}", chat("gpt-4o"))
    assert served.upstream.last.json()["model"] == "claude-sonnet-5-5"
    assert reply.headers["x-gateway-model"] == "claude-sonnet-5-5"
    # The reply names the model that answered, as its provider does.
    assert reply.json()["model"] == "claude-sonnet-5-5-20260901"


async def test_a_mapping_counts_before_the_table(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    reply = await served.client.post(f"/router/mapped{CHAT}", chat("gpt-4o"))
    assert reply.headers["x-gateway-model"] == "claude-haiku-4-5"


async def test_nothing_stands_in_for_a_model_that_is_mapped_to_itself(serve: Serve) -> None:
    text = BOTH.replace("  a: {", "  a: {model-mappings: {gpt-4o: openai/gpt-4o}, ")
    reply = await serve(text).client.post(f"/router/a{CHAT}", chat("gpt-4o"))
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "no_eligible_target")


async def test_nobody_stands_in_outside_a_router_s_list(serve: Serve) -> None:
    served = serve("providers: {openai: {enabled: false}}")
    assert (await served.client.post(f"/ai{CHAT}", chat("gpt-4o"))).status == 404
    served.upstream.on(ANTHROPIC, ok())
    await served.client.post(f"/anthropic{CHAT}", chat("gpt-4o"))
    assert served.upstream.last.json()["model"] == "gpt-4o"


async def test_the_unified_api_translates_too(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    reply = await served.client.post(f"/ai{CHAT}", chat("claude-sonnet-4-5"))
    assert reply.json()["object"] == "chat.completion"
    assert served.upstream.last.path == "/v1/messages"


async def test_an_error_of_another_dialect_is_told_in_the_client_s(serve: Serve) -> None:
    served = serve(BOTH)
    words = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}, "request_id": "req_9"}
    served.upstream.on(ANTHROPIC, status(429, words, retry_after=7))
    reply = await served.client.post(f"/router/a{CHAT}", chat("gpt-4o"))
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    error = reply.json()["error"]
    assert error["code"] == "upstream_rate_limited"
    assert "Slow down." in error["message"]
    assert "req_9" not in reply.text


async def test_an_error_event_after_commit_is_told_in_the_client_s_dialect(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, stream([*message_stream()[:4], sse(OVERLOADED, "error")]))
    reply = await served.client.post(f"/router/a{CHAT}", chat("gpt-4o", stream=True))
    assert reply.status == 200
    assert "[DONE]" not in reply.text
    assert '"code":"upstream_failed"' in reply.text
    assert "Overloaded" in reply.text
    assert await served.metric("gateway_requests_total", outcome="broken") == 1
    assert await served.metric("gateway_faults_total", provider="anthropic") == 1


async def test_half_of_a_whole_reply_to_a_stream_is_a_failure_before_the_first_byte(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, ok(b'{"id":"msg_1","type":"mess'))
    served.upstream.on(GEMINI, stream(generate_stream()))
    reply = await served.client.post(f"/router/r{CHAT}", chat("gpt-4o", stream=True))
    assert (reply.status, reply.headers["x-gateway-provider"]) == (200, "gemini")


async def test_gemini_s_array_is_written_for_a_client_without_sse(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    served.upstream.on(OPENAI, stream(chat_stream()))
    reply = await served.client.post("/router/r/v1beta/models/gpt-4o:streamGenerateContent", generate())
    assert reply.headers["content-type"] == "application/json"
    pieces = reply.json()
    assert "".join(p["candidates"][0]["content"]["parts"][0].get("text", "") for p in pieces[:2]) == "Hello"


async def test_an_array_that_breaks_is_closed_by_its_error(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    served.upstream.on(OPENAI, stream(chat_stream(["Hel", "lo"]), cut_after=2))
    reply = await served.client.post("/router/r/v1beta/models/gpt-4o:streamGenerateContent", generate())
    assert reply.json()[-1]["error"]["status"] == "INTERNAL"


async def test_usage_is_asked_of_a_provider_that_does_not_send_it_by_itself(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai, mistral]}}}}")
    served.upstream.on(OPENAI, stream(chat_stream(tokens=(9, 3))))
    served.upstream.on(MISTRAL, stream(chat_stream(tokens=(9, 3))))
    await served.client.post("/router/r/v1/messages", message("gpt-4o", stream=True))
    assert served.upstream.last.json()["stream_options"] == {"include_usage": True}
    assert await served.metric("gateway_tokens_total", kind="input") == 9


async def test_usage_ends_a_stream_of_chat_only_when_it_was_asked_for(serve: Serve) -> None:
    served = serve(BOTH)
    served.upstream.on(ANTHROPIC, stream(message_stream()))
    plain = await served.client.post(f"/router/a{CHAT}", chat("gpt-4o", stream=True))
    assert '"prompt_tokens"' not in plain.text
    body = chat("gpt-4o", stream=True, stream_options={"include_usage": True})
    asked = await served.client.post(f"/router/a{CHAT}", body)
    assert '"prompt_tokens":9' in asked.text


async def test_long_prefixes_are_marked_where_the_router_says_so(serve: Serve) -> None:
    text = BOTH.replace("  a: {", "  a: {prompt-cache: auto, ")
    served = serve(text)
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    messages = [{"role": "system", "content": "x" * 5000}, {"role": "user", "content": "Hi"}]
    await served.client.post(f"/router/a{CHAT}", chat("gpt-4o", messages=messages))
    assert served.upstream.last.json()["system"][-1]["cache_control"] == {"type": "ephemeral"}
    await served.client.post(f"/router/r{CHAT}", chat("gpt-4o", messages=messages))
    assert "cache_control" not in served.upstream.last.body.decode()


async def test_prefixes_of_anthropics_own_clients_are_marked_too(serve: Serve) -> None:
    served = serve(BOTH.replace("  a: {", "  a: {prompt-cache: auto, "))
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    asked: dict[str, object] = {"model": "claude-sonnet-4-5", "max_tokens": 9, "system": "x" * 5000}
    asked["messages"] = [{"role": "user", "content": "Hi"}]
    await served.client.post("/router/a/v1/messages", json=asked)
    marked = [{"type": "text", "text": "x" * 5000, "cache_control": {"type": "ephemeral"}}]
    assert served.upstream.last.json() == {**asked, "system": marked}
    await served.client.post("/router/r/v1/messages", json=asked)
    assert served.upstream.last.json() == asked


AWS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
BEDROCK = "routers: {r: {load-balance: {chat: {providers: ['bedrock/anthropic.claude-sonnet-4-5-v1:0']}}}}"
RUNTIME = "bedrock-runtime.eu-west-1.amazonaws.com"


async def test_bedrock_is_asked_with_a_signature(serve: Serve) -> None:
    served = serve(BEDROCK, env=AWS)
    served.upstream.on(RUNTIME, ASKED_CONVERSE.whole("Hello"))
    reply = await served.client.post(f"/router/r{CHAT}", chat())
    assert reply.json()["choices"][0]["message"]["content"] == "Hello"
    sent = served.upstream.last
    assert sent.path == "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse"
    proof = sent.headers["authorization"]
    assert proof.startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
    assert "/eu-west-1/bedrock/aws4_request" in proof
    assert AWS["AWS_SECRET_ACCESS_KEY"] not in str(sent.request.headers)


async def test_bedrock_takes_a_bearer_key_too(serve: Serve) -> None:
    served = serve(BEDROCK, env={"AWS_REGION": "eu-west-1", "AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-1"})
    served.upstream.on(RUNTIME, ASKED_CONVERSE.streaming())
    reply = await served.client.post(f"/router/r{CHAT}", chat(stream=True))
    assert reply.text.endswith("data: [DONE]\n\n")
    assert served.upstream.last.headers["authorization"] == "Bearer bedrock-api-key-1"
    assert served.upstream.last.path.endswith("/converse-stream")
