from __future__ import annotations

import json

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.tap import Tap, tap_for
from gateway.dialects.tap_events import LIMIT

CHAT = Call("openai", "chat", "/chat/completions", model="m", stream=True)
RESPONSES = Call("openai", "responses", "/responses", model="m", stream=True)
MESSAGES = Call("anthropic", "messages", "/messages", model="m", stream=True)
GENERATE = Call("gemini", "generate", "/models/{model}:streamGenerateContent", model="m", stream=True, in_path=True)
ARRAY = Call("gemini", "generate", GENERATE.suffix, model="m", stream=True, in_path=True, framing="json-array")
COHERE = Call("cohere", "chat", "/chat", "v2", model="m", stream=True)
IMAGES = Call("openai", "images", "/images/generations", model="m", stream=True)


def tap(call: Call, strip: bool = False) -> Tap:
    made = tap_for(call, strip)
    assert made is not None
    return made


def sse(*payloads: object, named: bool = False) -> list[bytes]:
    out = []
    for payload in payloads:
        text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
        name = f"event: {payload['type']}\n" if named and isinstance(payload, dict) else ""
        out.append(f"{name}data: {text}\n\n".encode())
    return out


def delta(text: str, **more: object) -> dict[str, object]:
    return {"model": "gpt-x", "choices": [{"index": 0, "delta": {"content": text}}], **more}


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}


def test_a_common_chunk_is_handed_on_as_the_same_object() -> None:
    found = tap(CHAT)
    chunks = sse(delta("a"), delta("b"), delta("c", usage=None))
    assert all(found.feed(chunk) is chunk for chunk in chunks)
    assert (found.started, found.complete, found.model) == (True, False, "gpt-x")


def test_a_chat_stream_ends_with_done_and_says_its_usage() -> None:
    found = tap(CHAT)
    chunks = sse(delta("a", usage=None), {"choices": [], "usage": USAGE}, "[DONE]")
    assert b"".join(map(found.feed, chunks)) == b"".join(chunks)
    assert (found.complete, found.fault) == (True, None)
    assert found.usage == Usage(9, 4, cached=3)


def test_the_usage_chunk_is_taken_out_when_the_gateway_asked_for_it() -> None:
    first, with_choices, extra, done = sse(
        delta("a", usage=None), delta("b", usage=USAGE), {"choices": [], "usage": USAGE}, "[DONE]"
    )
    found = tap(CHAT, strip=True)
    assert found.feed(first + with_choices + extra + done) == first + with_choices + done
    assert found.complete
    assert found.usage == Usage(9, 4, cached=3)


def test_azures_first_chunk_without_choices_stays() -> None:
    (first,) = sse({"model": "", "choices": [], "prompt_filter_results": [{}]})
    found = tap(CHAT, strip=True)
    assert found.feed(first) == first
    assert found.started


@pytest.mark.parametrize("text", ["[DONE]", "error", "usage", 'data: [DONE]\n\n"error": {"usage":{}}', "message_stop"])
@pytest.mark.parametrize("together", [True, False])
def test_content_that_looks_like_grammar_is_content(text: str, together: bool) -> None:
    chunks = sse(delta("x"), delta(text), delta("y"))
    found = tap(CHAT, strip=True)
    out = found.feed(b"".join(chunks)) if together else b"".join(map(found.feed, chunks))
    assert out == b"".join(chunks)
    assert (found.complete, found.fault, found.usage) == (False, None, None)


def test_an_error_event_is_a_fault_and_not_a_start() -> None:
    found = tap(CHAT)
    (chunk,) = sse({"error": {"message": "slow down", "type": "rate_limit_error", "code": None}})
    assert found.feed(chunk) == chunk
    assert not found.started
    assert found.fault is not None
    assert (found.fault.kind, found.fault.status, found.fault.message) == ("rate-limited", 429, "slow down")


def test_an_error_that_is_null_is_none() -> None:
    found = tap(CHAT)
    for chunk in sse(delta("a", error=None), delta("b", error=None)):
        assert found.feed(chunk) is chunk
    assert found.fault is None


def test_an_event_is_held_back_until_it_is_whole() -> None:
    found = tap(CHAT)
    (chunk,) = sse(delta("a"))
    assert [found.feed(chunk[:5]), found.feed(chunk[5:-1]), found.feed(chunk[-1:])] == [b"", b"", chunk]


def test_comments_pass_and_do_not_start_a_stream() -> None:
    found = tap(CHAT)
    assert found.feed(b": OPENROUTER PROCESSING\n\n") == b": OPENROUTER PROCESSING\n\n"
    assert not found.started


def test_what_never_ends_is_malformed() -> None:
    found = tap(CHAT)
    assert found.feed(b"x" * LIMIT) == b""
    with pytest.raises(UpstreamFault) as caught:
        found.feed(b"x")
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize(
    ("rest", "out", "complete"),
    [
        (b"data: [DONE]", b"data: [DONE]\n\n", True),
        (b"data: [DONE]\n", b"data: [DONE]\n\n", True),
        (b'data: {"choices":[]}\r\n', b'data: {"choices":[]}\r\n\n', False),
        (b'data: {"choi', b"", False),
        (b": ping", b"", False),
        (b"\n", b"\n", False),
        (b"", b"", False),
    ],
)
def test_the_end_completes_an_event_or_drops_it(rest: bytes, out: bytes, complete: bool) -> None:
    found = tap(CHAT)
    (chunk,) = sse(delta("a"))
    assert found.feed(chunk + rest) + found.end() == chunk + out
    assert found.complete is complete


def test_a_bare_error_at_the_end_is_a_fault() -> None:
    found = tap(GENERATE)
    found.feed(b'{\n "error": {\n  "code": 503, "message": "overloaded", "status": "UNAVAILABLE"\n }\n}\n')
    assert found.end() != b""
    assert found.fault is not None
    assert (found.fault.kind, found.fault.status) == ("unavailable", 503)


def test_responses_end_with_the_whole_response() -> None:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {
            "cached_tokens": 2, "cache_write_tokens": 5, "cache_write_tokens_details": {"ttl_12h_tokens": 1},
        },
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 17,
    }  # fmt: skip
    found = tap(RESPONSES)
    created, text, completed = sse(
        {"type": "response.created", "response": {"model": "gpt-x", "error": None, "usage": None}},
        {"type": "response.output_text.delta", "delta": "response.completed"},
        {"type": "response.completed", "response": {"model": "gpt-x", "error": None, "usage": usage}},
        named=True,
    )
    assert found.feed(created) == created
    assert found.feed(text) is text
    assert not found.complete
    found.feed(completed)
    assert (found.complete, found.model, found.fault) == (True, "gpt-x", None)
    assert found.usage == Usage(10, 7, cached=2, cache_write_5m=4, cache_write_1h=1, reasoning=4)


def test_a_failed_response_is_complete_and_a_fault() -> None:
    found = tap(RESPONSES)
    failed = {"code": "server_error", "message": "boom"}
    for chunk in sse({"type": "response.failed", "response": {"error": failed}}, named=True):
        found.feed(chunk)
    assert found.complete
    assert found.fault is not None
    assert (found.fault.kind, found.fault.message) == ("unavailable", "boom")


def test_a_responses_error_event_is_a_fault() -> None:
    found = tap(RESPONSES)
    for chunk in sse({"type": "error", "code": "rate_limit_exceeded", "message": "no"}, named=True):
        found.feed(chunk)
    assert found.fault is not None
    assert found.fault.kind == "rate-limited"


START = {
    "type": "message_start",
    "message": {
        "model": "claude-x",
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 6,
            "cache_read_input_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 1},
            "output_tokens": 1,
        },
    },
}


def test_messages_count_what_start_and_delta_say() -> None:
    chunks = sse(
        START,
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "message_stop error"}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 15}},
        {"type": "message_stop"},
        named=True,
    )
    found = tap(MESSAGES)
    assert b"".join(map(found.feed, chunks[:3])) == b"".join(chunks[:3])
    assert (found.started, found.complete, found.model) == (True, False, "claude-x")
    for chunk in chunks[3:]:
        found.feed(chunk)
    assert found.complete
    assert found.usage == Usage(20, 15, cached=4, cache_write_5m=5, cache_write_1h=1)


def test_a_ping_does_not_start_a_message_stream() -> None:
    found = tap(MESSAGES)
    for chunk in sse({"type": "ping"}, named=True):
        found.feed(chunk)
    assert not found.started


def test_an_overloaded_message_stream_is_unavailable() -> None:
    found = tap(MESSAGES)
    for chunk in sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True):
        found.feed(chunk)
    assert found.fault is not None
    assert (found.fault.kind, found.fault.status) == ("unavailable", 529)


GEMINI = [
    {"candidates": [{"content": {"parts": [{"text": 'a "]}'}]}}], "usageMetadata": {"promptTokenCount": 8}},
    {
        "candidates": [{"content": {"parts": [{"text": "b\\"}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 8,
            "cachedContentTokenCount": 2,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 3,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}, {"modality": "TEXT", "tokenCount": 2}],
        },
        "modelVersion": "gemini-x",
    },
]
GEMINI_USAGE = Usage(8, 8, cached=2, reasoning=3, audio_input=6)


def test_gemini_ends_with_a_finish_reason() -> None:
    found = tap(GENERATE)
    first, last = (b"data: " + json.dumps(part).encode() + b"\r\n\r\n" for part in GEMINI)
    assert found.feed(first) == first
    assert (found.started, found.complete, found.usage) == (True, False, Usage(8, 0))
    assert found.feed(last) is last
    assert (found.complete, found.usage, found.model) == (True, GEMINI_USAGE, "gemini-x")


def test_a_blocked_prompt_is_a_complete_answer() -> None:
    found = tap(GENERATE)
    for chunk in sse({"promptFeedback": {"blockReason": "SAFETY"}}):
        found.feed(chunk)
    assert found.complete


def test_geminis_array_is_cut_after_whole_elements() -> None:
    first, last = (json.dumps(part, indent=1).encode() for part in GEMINI)
    found = tap(ARRAY)
    assert found.feed(b"[" + first + b"\n,\r\n" + last[:40]) == b"[" + first
    assert found.feed(last[40:]) == b"\n,\r\n" + last
    assert (found.complete, found.usage, found.model) == (True, GEMINI_USAGE, "gemini-x")
    assert found.feed(b"\n]\n") + found.end() == b"\n]\n"


def test_a_cut_array_element_is_dropped() -> None:
    found = tap(ARRAY)
    assert found.feed(b'[{"a":1},{"b') == b'[{"a":1}'
    assert found.end() == b""


def test_an_error_element_is_a_fault() -> None:
    found = tap(ARRAY)
    found.feed(b'[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota"}}]')
    assert found.fault is not None
    assert found.fault.kind == "rate-limited"


def test_cohere_says_all_in_message_end() -> None:
    usage = {"billed_units": {"input_tokens": 5.0, "output_tokens": 2.0}, "tokens": {"input_tokens": 70}}
    chunks = sse(
        {"type": "message-start", "delta": {}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": "a"}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
        "[DONE]",
        named=True,
    )
    found = tap(COHERE)
    assert b"".join(map(found.feed, chunks)) == b"".join(chunks)
    assert (found.complete, found.usage) == (True, Usage(5, 2))


def test_a_cohere_failure_is_a_fault() -> None:
    found = tap(COHERE)
    for chunk in sse({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "model crashed"}}):
        found.feed(chunk)
    assert not found.complete
    assert found.fault is not None
    assert (found.fault.kind, found.fault.message) == ("unavailable", "model crashed")


def test_images_end_with_their_own_event() -> None:
    found = tap(IMAGES)
    for chunk in sse(
        {"type": "image_generation.partial_image", "b64_json": "AAAA"},
        {"type": "image_generation.completed", "usage": {"input_tokens": 3, "output_tokens": 200}},
    ):
        found.feed(chunk)
    assert (found.complete, found.usage) == (True, Usage(3, 200))


def test_what_is_not_a_known_stream_has_no_tap() -> None:
    assert tap_for(Call("openai", "chat", "/chat/completions"), False) is None
    assert tap_for(Call("openai", "other", "/threads", stream=True), False) is None
