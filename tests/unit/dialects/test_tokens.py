from __future__ import annotations

import json

import msgspec
import pytest

from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.tap import usage_of
from gateway.dialects.tokens import BedrockUsage, of_bedrock

CHAT = Call("openai", "chat", "/chat/completions")


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 3, "completion_tokens": None}, Usage(3, 0)),
        ({"prompt_tokens": -3, "completion_tokens": 1}, None),
        ({"prompt_tokens": 10**18, "completion_tokens": 1}, None),
        ({"prompt_tokens": "3"}, None),
        ({"total_tokens": 12}, Usage(12, 0)),
        ({"prompt_tokens": 8, "completion_tokens": 2, "prompt_cache_hit_tokens": 5}, Usage(8, 2, cached=5)),
        (
            {
                "prompt_tokens": 8,
                "completion_tokens": 2,
                "total_tokens": 10,
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(8, 2, reasoning=1),
        ),
        (
            {
                "prompt_tokens": 8,
                "completion_tokens": 2,
                "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(8, 7, reasoning=5),
        ),
        (
            {
                "prompt_tokens": 8,
                "completion_tokens": 2,
                "prompt_tokens_details": {"audio_tokens": 4, "cached_tokens": None},
            },
            Usage(8, 2, audio_input=4),
        ),
        ({"type": "duration", "seconds": 4}, None),
    ],
)
def test_openai_counts(usage: object, found: Usage | None) -> None:
    assert usage_of(CHAT, json.dumps({"usage": usage}).encode())[0] == found


def test_the_model_is_the_one_that_the_provider_says() -> None:
    assert usage_of(CHAT, b'{"model":"gpt-x","usage":null}') == (None, "gpt-x")


def test_anthropic_input_includes_the_cache() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 6,
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    body = json.dumps({"model": "c", "usage": usage}).encode()
    expected = Usage(20, 9, cached=4, cache_write_5m=6, reasoning=2)
    assert usage_of(Call("anthropic", "messages", "/messages"), body) == (expected, "c")


def test_gemini_output_includes_thoughts_and_input_the_tools() -> None:
    usage = {
        "promptTokenCount": 8,
        "toolUsePromptTokenCount": 2,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 3,
    }
    body = json.dumps({"usageMetadata": usage, "modelVersion": "g"}).encode()
    assert usage_of(Call("gemini", "generate", ""), body) == (Usage(10, 8, reasoning=3), "g")


@pytest.mark.parametrize(("cached", "kept"), [(3, 3), (64, 5), (None, 0)])
def test_cohere_caches_no_more_than_it_bills(cached: int | None, kept: int) -> None:
    usage = {"billed_units": {"input_tokens": 5, "output_tokens": 1}, "cached_tokens": cached}
    body = json.dumps({"usage": usage}).encode()
    assert usage_of(Call("cohere", "chat", "/chat"), body)[0] == Usage(5, 1, cached=kept)


def test_cohere_bills_units() -> None:
    chat = Call("cohere", "chat", "/chat")
    assert usage_of(chat, b'{"usage":{"tokens":{"input_tokens":5,"output_tokens":1}}}')[0] == Usage(5, 1)
    rerank = Call("cohere", "rerank", "/rerank")
    assert usage_of(rerank, b'{"meta":{"billed_units":{"search_units":1}}}')[0] == Usage()


@pytest.mark.parametrize("body", [b"", b"RIFF", b"{", b"[]", b"\xff", b'{"usage":[]}', b'{"a":' + b"[" * 100_000])
def test_what_cannot_be_read_is_no_usage(body: bytes) -> None:
    assert usage_of(CHAT, body) == (None, "")


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (None, None),
        ({}, None),
        ({"inputTokens": 3, "outputTokens": 4}, Usage(3, 4)),
        ({"inputTokens": -3, "outputTokens": 4}, None),
        (
            {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 5},
            Usage(18, 4, cached=10, cache_write_5m=5),
        ),
        (
            {
                "inputTokens": 3,
                "outputTokens": 4,
                "cacheWriteInputTokens": 5,
                "cacheDetails": [{"ttl": "5m", "inputTokens": 3}, {"ttl": "1h", "inputTokens": 2}],
            },
            Usage(8, 4, cache_write_5m=3, cache_write_1h=2),
        ),
        (
            {
                "inputTokens": 1,
                "outputTokens": 1,
                "cacheWriteInputTokens": 2,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 9}],
            },
            Usage(3, 1, cache_write_1h=2),
        ),
    ],
)
def test_converse_counts_what_was_cached_beside_the_input(usage: object, found: Usage | None) -> None:
    raw = msgspec.convert(usage, BedrockUsage | None)
    assert of_bedrock(raw) == found
