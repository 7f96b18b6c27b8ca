"""Token counts, and what they cost, against genai-prices, which reads every provider's usage by a table of its own.

The replies are of the shapes that the providers document, whole and streamed. Where the oracle has no word for a
provider's way of counting, tests/unit/dialects/test_tokens.py says what is meant.
"""

from __future__ import annotations

import datetime
import json
from decimal import ROUND_CEILING
from pathlib import Path
from typing import Any, Final

import pytest
from genai_prices import calc_price, extract_usage

from gateway.core.exchange import Call, Dialect
from gateway.core.usage import Usage
from gateway.dialects import anthropic, bedrock, cohere, gemini, openai_chat, openai_responses
from gateway.dialects.embedding import Embeddings, EmbedRequest
from gateway.dialects.embeddings import cohere as cohere_embeddings
from gateway.dialects.embeddings import gemini as gemini_embeddings
from gateway.dialects.embeddings import openai as openai_embeddings
from gateway.dialects.tap import tap_for, usage_of
from gateway.dialects.whole import WholeCodec
from gateway.providers.price_table import PRICED_ON
from gateway.providers.prices import SHIPPED_BOOK
from tools.make_prices import OURS

CHAT = Call("openai", "chat", "/chat/completions")
RESPONSES = Call("openai", "responses", "/responses")
MESSAGES = Call("anthropic", "messages", "/messages")
GENERATE = Call("gemini", "generate", "/models/{model}:generateContent", in_path=True)
COHERE = Call("cohere", "chat", "/chat")

Reply = dict[str, Any]

OPENAI_CHAT: Reply = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-5.4-2026-03-05",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 12, "cache_write_tokens": 40},
        "completion_tokens_details": {
            "reasoning_tokens": 192,
            "audio_tokens": 7,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
}
OPENAI_RESPONSES: Reply = {
    "id": "resp_67ccd2bed1ec8190b14f964abc054267",
    "object": "response",
    "status": "completed",
    "model": "gpt-5.4-2026-03-05",
    "output": [],
    "usage": {
        "input_tokens": 328,
        "input_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 64},
        "output_tokens": 356,
        "output_tokens_details": {"reasoning_tokens": 256},
        "total_tokens": 684,
    },
}
ANTHROPIC: Reply = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-8",
    "content": [{"type": "text", "text": "Hi!"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 2048,
        "cache_read_input_tokens": 1800,
        "cache_creation_input_tokens": 248,
        "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
        "output_tokens": 503,
        "output_tokens_details": {"thinking_tokens": 400},
        "server_tool_use": {"web_search_requests": 1},
        "service_tier": "standard",
    },
}
GEMINI: Reply = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 1264,
        "candidatesTokenCount": 321,
        "totalTokenCount": 2185,
        "cachedContentTokenCount": 1000,
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1200}, {"modality": "AUDIO", "tokenCount": 64}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 300}, {"modality": "AUDIO", "tokenCount": 21}],
        "thoughtsTokenCount": 500,
        "toolUsePromptTokenCount": 100,
        "toolUsePromptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 90},
            {"modality": "AUDIO", "tokenCount": 10},
        ],
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "9eSfaM-KH4vgz7IP8tzV4AM",
}
COHERE_CHAT: Reply = {
    "id": "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
    "model": "command-a-03-2025",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "LLMs are large."}]},
    "usage": {
        "billed_units": {"input_tokens": 5, "output_tokens": 418},
        "tokens": {"input_tokens": 71, "output_tokens": 418},
    },
}


BEDROCK: Reply = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 30,
        "outputTokens": 628,
        "totalTokens": 658,
        "cacheReadInputTokens": 700,
        "cacheWriteInputTokens": 90,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 60}, {"ttl": "1h", "inputTokens": 30}],
    },
    "metrics": {"latencyMs": 1275},
}


def counted(reply: Reply, model: str = "", **usage: object) -> Reply:
    """The reply with another usage, under the name that its dialect has for it."""
    name = "usageMetadata" if "usageMetadata" in reply else "usage"
    return {**reply, name: usage, **({"model": model} if model else {})}


XAI = counted(
    OPENAI_CHAT,
    "grok-4.3",
    prompt_tokens=37,
    completion_tokens=530,
    total_tokens=1375,
    prompt_tokens_details={"text_tokens": 37, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 8},
    completion_tokens_details={"reasoning_tokens": 808, "audio_tokens": 0},
    num_sources_used=0,
)
DEEPSEEK = counted(
    OPENAI_CHAT,
    "deepseek-chat",
    prompt_tokens=16,
    completion_tokens=10,
    total_tokens=26,
    prompt_tokens_details={"cached_tokens": 8},
    prompt_cache_hit_tokens=8,
    prompt_cache_miss_tokens=8,
)
PERPLEXITY = counted(
    OPENAI_CHAT,
    "sonar-deep-research",
    prompt_tokens=33,
    completion_tokens=7163,
    total_tokens=7196,
    citation_tokens=20016,
    num_search_queries=18,
    reasoning_tokens=73997,
)
DATABRICKS = counted(
    OPENAI_CHAT,
    "databricks-gpt-oss-120b",
    prompt_tokens=900,
    completion_tokens=30,
    total_tokens=930,
    cache_read_input_tokens=700,
)
AUDIO = counted(
    OPENAI_CHAT,
    "gpt-audio",
    prompt_tokens=120, completion_tokens=90, total_tokens=210,
    prompt_tokens_details={"cached_tokens": 0, "audio_tokens": 100},
    completion_tokens_details={"reasoning_tokens": 0, "audio_tokens": 70},
)  # fmt: skip
IMAGE: Reply = {
    "created": 1713833628,
    "model": "gpt-image-1.5",
    "data": [{"b64_json": "..."}],
    "usage": {
        "total_tokens": 4510,
        "input_tokens": 350,
        "output_tokens": 4160,
        "input_tokens_details": {"text_tokens": 50, "image_tokens": 300},
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 4160},
    },
}
LONG_CHAT = counted(
    OPENAI_CHAT,
    "gpt-5.4",
    prompt_tokens=272_001, completion_tokens=5_000, total_tokens=277_001,
    prompt_tokens_details={"cached_tokens": 100_000},
)  # fmt: skip
LONG_ANTHROPIC = counted(
    ANTHROPIC, "claude-sonnet-4-5-20250929", input_tokens=150_000, cache_read_input_tokens=50_001, output_tokens=10
)
MOONSHOT = counted(
    OPENAI_CHAT,
    "kimi-k2.5",
    prompt_tokens=19, completion_tokens=21, total_tokens=40, cached_tokens=10,
    prompt_tokens_details={"cached_tokens": 10},
)  # fmt: skip

WHOLE = [
    pytest.param("openai", "chat", CHAT, OPENAI_CHAT, id="openai-chat"),
    pytest.param(
        "openai", "chat", CHAT, counted(OPENAI_CHAT, prompt_tokens=9, completion_tokens=2, total_tokens=11),
        id="openai-chat-without-details",
    ),
    pytest.param("openai", "chat", CHAT, LONG_CHAT, id="openai-chat-of-a-long-prompt"),
    pytest.param("openai", "chat", CHAT, AUDIO, id="openai-chat-with-audio"),
    pytest.param("openai", "images", Call("openai", "images", "/images/generations"), IMAGE, id="openai-images"),
    pytest.param("anthropic", "default", MESSAGES, LONG_ANTHROPIC, id="anthropic-of-a-long-prompt"),
    pytest.param("azure", "chat", CHAT, OPENAI_CHAT, id="azure-chat"),
    pytest.param("openai", "responses", RESPONSES, OPENAI_RESPONSES, id="openai-responses"),
    pytest.param("azure", "responses", RESPONSES, OPENAI_RESPONSES, id="azure-responses"),
    pytest.param("x-ai", "chat", CHAT, XAI, id="x-ai"),
    pytest.param("deepseek", "chat", CHAT, DEEPSEEK, id="deepseek"),
    pytest.param("perplexity", "default", CHAT, PERPLEXITY, id="perplexity-deep-research"),
    pytest.param("databricks", "chat", CHAT, DATABRICKS, id="databricks"),
    pytest.param("moonshotai", "chat", CHAT, MOONSHOT, id="moonshot"),
    pytest.param("openrouter", "chat", CHAT, {**OPENAI_CHAT, "model": "openai/gpt-5"}, id="openrouter"),
    pytest.param(
        "openai", "embeddings", Call("openai", "embeddings", "/embeddings"),
        {"model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        id="openai-embeddings",
    ),
    pytest.param("anthropic", "default", MESSAGES, ANTHROPIC, id="anthropic"),
    pytest.param(
        "anthropic", "default", MESSAGES,
        counted(ANTHROPIC, input_tokens=12, output_tokens=6, cache_creation=None, cache_creation_input_tokens=0),
        id="anthropic-without-a-cache",
    ),
    pytest.param("google", "default", GENERATE, GEMINI, id="gemini"),
    pytest.param(
        "google", "default", GENERATE, counted(GEMINI, promptTokenCount=4, totalTokenCount=4), id="gemini-blocked"
    ),
    pytest.param("cohere", "default", COHERE, COHERE_CHAT, id="cohere"),
]  # fmt: skip


NAMES = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached": "cache_read_tokens",
    "written": "cache_write_tokens",
    "reasoning": "output_reasoning_tokens",
    "audio_input": "input_audio_tokens",
    "audio_output": "output_audio_tokens",
}


def counts_of(provider: str, flavor: str, reply: Reply) -> dict[str, int]:
    """What the oracle reads. What it does not say is 0."""
    known = extract_usage(reply, provider_id=provider, api_flavor=flavor).usage
    return {ours: int(getattr(known, theirs, 0) or 0) for ours, theirs in NAMES.items()}


def counts(usage: Usage | None) -> dict[str, int]:
    assert usage is not None
    return {
        "input": usage.input,
        "output": usage.output,
        "cached": usage.cached,
        "written": usage.cache_write_5m + usage.cache_write_1h,
        "reasoning": usage.reasoning,
        "audio_input": usage.audio_input,
        "audio_output": usage.audio_output,
    }


@pytest.mark.parametrize(("provider", "flavor", "call", "reply"), WHOLE)
def test_a_whole_reply_is_counted_as_the_oracle_counts_it(provider: str, flavor: str, call: Call, reply: Reply) -> None:
    usage, model = usage_of(call, json.dumps(reply).encode())
    assert counts(usage) == counts_of(provider, flavor, reply)
    assert model == reply.get("model", reply.get("modelVersion"))


CODECS = {
    ("openai", "chat"): openai_chat.CODEC,
    ("anthropic", "messages"): anthropic.CODEC,
    ("openai", "responses"): openai_responses.CODEC,
    ("gemini", "generate"): gemini.CODEC,
    ("cohere", "chat"): cohere.CODEC,
}


@pytest.mark.parametrize(("provider", "flavor", "call", "reply"), WHOLE)
def test_a_codec_counts_as_the_oracle_does(provider: str, flavor: str, call: Call, reply: Reply) -> None:
    codec = CODECS.get((call.dialect, call.operation))
    if codec is not None:
        answer = codec.read_reply(json.dumps(reply).encode(), [])
        assert counts(answer.usage) == counts_of(provider, flavor, reply)


@pytest.mark.parametrize(
    ("provider", "flavor", "dialect", "codec", "reply"),
    [
        (
            "openai",
            "embeddings",
            "openai",
            openai_embeddings.CODEC,
            {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "model": "text-embedding-3-small",
                "usage": {"prompt_tokens": 8, "total_tokens": 8},
            },
        ),
        (
            "google",
            "default",
            "gemini",
            gemini_embeddings.BATCH,
            {
                "embeddings": [{"values": [0.5]}],
                "usageMetadata": {"promptTokenCount": 8},
                "modelVersion": "gemini-embedding-001",
            },
        ),
        (
            "cohere",
            "embeddings",
            "cohere",
            cohere_embeddings.CODEC,
            {
                "id": "e-1",
                "model": "embed-v4.0",
                "embeddings": {"float": [[0.5]]},
                "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 8}},
            },
        ),
    ],
)
def test_embeddings_are_counted_as_the_oracle_counts_them(
    provider: str,
    flavor: str,
    dialect: Dialect,
    codec: WholeCodec[EmbedRequest, Embeddings],
    reply: Reply,
) -> None:
    known = extract_usage(reply, provider_id=provider, api_flavor=flavor).usage
    body = json.dumps(reply).encode()
    assert usage_of(Call(dialect, "embeddings", ""), body)[0] == Usage(int(known.input_tokens or 0))
    read = codec.read_reply(body, [], EmbedRequest(model="e-1", inputs=("a",)))
    assert read.usage == Usage(int(known.input_tokens or 0))


def test_bedrock_is_counted_by_its_codec() -> None:
    answer = bedrock.CODEC.read_reply(json.dumps(BEDROCK).encode(), [])
    assert counts(answer.usage) == counts_of("aws", "default", BEDROCK)
    assert answer.usage is not None
    assert (answer.usage.cache_write_5m, answer.usage.cache_write_1h) == (60, 30)


def test_the_two_kinds_of_cache_writes_are_told_apart() -> None:
    usage, _ = usage_of(MESSAGES, json.dumps(ANTHROPIC).encode())
    assert usage is not None
    known = extract_usage(ANTHROPIC, provider_id="anthropic").usage
    assert (usage.cache_write_5m, usage.cache_write_1h) == (
        getattr(known, "cache_write_5m_tokens", None),
        getattr(known, "cache_write_1h_tokens", None),
    )


def sse(*found: tuple[str, object]) -> bytes:
    return b"".join(
        (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(payload).encode() + b"\n\n"
        for name, payload in found
    )


def _anthropic_stream() -> bytes:
    usage = ANTHROPIC["usage"]
    begun = {name: value for name, value in usage.items() if name != "output_tokens_details"} | {"output_tokens": 1}
    ended = {"output_tokens": usage["output_tokens"], "output_tokens_details": usage["output_tokens_details"]}
    return sse(
        ("message_start", {"type": "message_start", "message": {**ANTHROPIC, "content": [], "usage": begun}}),
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": ended}),
        ("message_stop", {"type": "message_stop"}),
    )


CHUNK = {"object": "chat.completion.chunk", "model": OPENAI_CHAT["model"]}
STREAMED = [
    pytest.param(
        "openai", "chat", CHAT, OPENAI_CHAT,
        sse(
            ("", {**CHUNK, "choices": [{"index": 0, "delta": {"content": "Hello!"}}], "usage": None}),
            ("", {**CHUNK, "choices": [], "usage": OPENAI_CHAT["usage"]}),
        ) + b"data: [DONE]\n\n",
        id="openai-chat",
    ),
    pytest.param(
        "openai", "responses", RESPONSES, OPENAI_RESPONSES,
        sse(
            ("response.created", {"type": "response.created", "response": {**OPENAI_RESPONSES, "usage": None}}),
            ("response.completed", {"type": "response.completed", "response": OPENAI_RESPONSES}),
        ),
        id="openai-responses",
    ),
    pytest.param("anthropic", "default", MESSAGES, ANTHROPIC, _anthropic_stream(), id="anthropic"),
    pytest.param(
        "google", "default", GENERATE, GEMINI,
        sse(("", counted(GEMINI, promptTokenCount=1264, totalTokenCount=1264)), ("", GEMINI)),
        id="gemini",
    ),
    pytest.param(
        "cohere", "default", COHERE, COHERE_CHAT,
        sse(
            ("message-start", {"type": "message-start", "id": "r"}),
            (
                "message-end",
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COHERE_CHAT["usage"]}},
            ),
        ),
        id="cohere",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "flavor", "call", "reply", "stream"), STREAMED)
def test_a_stream_is_counted_as_its_whole_reply(
    provider: str, flavor: str, call: Call, reply: Reply, stream: bytes
) -> None:
    call = Call(call.dialect, call.operation, call.suffix, stream=True)
    tap = tap_for(call, False)
    assert tap is not None
    tap.feed(stream)
    tap.end()
    assert tap.complete
    assert counts(tap.usage) == counts_of(provider, flavor, reply)


MOMENT: Final = datetime.datetime.fromisoformat(f"{PRICED_ON}T18:00:00+00:00")
CITED: Final = "sonar-deep-research"
"""Its citations are billed apart, at the price of input; here they are output, and dearer."""


def cost_of(provider: str, flavor: str, reply: Reply, model: str) -> int:
    """What the oracle bills for a reply's tokens, in nano-USD, rounded up. Searches are no tokens, and not counted
    here."""
    named = {**reply, "modelVersion" if "modelVersion" in reply else "model": model}
    usage = extract_usage(named, provider_id=provider, api_flavor=flavor).usage
    said = vars(usage)
    if "input_audio_tokens" in said and "cache_audio_read_tokens" not in said:
        # Where a reply does not say what of the cached was audio, the oracle bills nothing; here it is text as far as
        # there is any.
        both = said.get("cache_read_tokens", 0) + said["input_audio_tokens"] - said["input_tokens"]
        usage.cache_audio_read_tokens = max(both, 0)
    usage.web_searches = None
    found = calc_price(usage, model, provider_id=provider, genai_request_timestamp=MOMENT)
    return int((found.total_price * 1_000_000_000).to_integral_value(ROUND_CEILING))


@pytest.mark.parametrize(("provider", "flavor", "call", "reply"), [one for one in WHOLE if one.values[0] in OURS])
def test_a_whole_reply_costs_what_the_oracle_bills(provider: str, flavor: str, call: Call, reply: Reply) -> None:
    usage, model = usage_of(call, json.dumps(reply).encode())
    assert usage is not None
    found = SHIPPED_BOOK.cost(OURS[provider], model, usage, MOMENT.timestamp())
    billed = cost_of(provider, flavor, reply, model)
    if model == CITED:
        # Six dollars a million: the difference of output and input.
        billed += reply["usage"]["citation_tokens"] * 6_000
    assert found == billed


@pytest.mark.parametrize(("provider", "flavor", "call", "reply", "stream"), STREAMED)
def test_a_stream_costs_what_its_whole_reply_does(
    provider: str, flavor: str, call: Call, reply: Reply, stream: bytes
) -> None:
    tap = tap_for(Call(call.dialect, call.operation, call.suffix, stream=True), False)
    assert tap is not None
    tap.feed(stream)
    tap.end()
    model = str(reply.get("model") or reply.get("modelVersion"))
    assert tap.usage is not None
    found = SHIPPED_BOOK.cost(OURS[provider], model, tap.usage, MOMENT.timestamp())
    assert found == cost_of(provider, flavor, reply, model)


GOLDEN: Final = Path(__file__).parents[2] / "golden"
SPOKEN: Final = {
    "openai-chat": ("openai", "chat", openai_chat.CODEC, ("gpt-5.4", "gpt-4o", "o3", "gpt-audio", "gpt-4.1-nano")),
    "openai-responses": ("openai", "responses", openai_responses.CODEC, ("gpt-5.4-pro", "gpt-6.1-sol", "o4-mini")),
    "anthropic": ("anthropic", "default", anthropic.CODEC, ("claude-sonnet-4-5", "claude-opus-5", "claude-haiku-5-5")),
    "gemini": ("google", "default", gemini.CODEC, ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash")),
    "cohere": ("cohere", "default", cohere.CODEC, ("command-a-03-2025", "command-r7b-12-2024")),
    "bedrock": (
        "aws", "default", bedrock.CODEC,
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0", "global.anthropic.claude-opus-5"),
    ),
}  # fmt: skip
UNREAD: Final = ("reply-reasoning-deepseek",)
"""With a counter that the oracle does not read: DeepSeek's own of what was cached; see test_tokens.py."""
FAULTS: Final = ("reply-empty", "reply-malformed-call")
"""Replies that are no answer, and are not billed."""


def has_usage(path: Path) -> bool:
    reply = json.loads(path.read_text("utf-8"))["input"]
    return isinstance(reply, dict) and bool(reply.get("usage") or reply.get("usageMetadata"))


REPLIES: Final = [
    pytest.param(dialect, path, id=f"{dialect}-{path.stem}")
    for dialect in SPOKEN
    for path in sorted((GOLDEN / dialect).glob("reply-*.json"))
    if ".to." not in path.name and path.stem not in FAULTS + UNREAD and has_usage(path)
]


@pytest.mark.parametrize(("dialect", "path"), REPLIES)
def test_a_documented_reply_costs_what_the_oracle_bills(dialect: str, path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    reply = case["input"]
    provider, flavor, codec, models = SPOKEN[dialect]
    usage = codec.read_reply(json.dumps(reply).encode(), []).usage
    assert usage is not None
    for model in models:
        found = SHIPPED_BOOK.cost(OURS[provider], model, usage, MOMENT.timestamp())
        assert found == cost_of(provider, flavor, reply, model), model


def test_the_documented_replies_are_many() -> None:
    assert len(REPLIES) > 60
