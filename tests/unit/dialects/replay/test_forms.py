"""Streams folded into whole replies and the other way round, in five formats."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.replay.forms import Form, has_both_forms, in_wanted_form, wanted_form
from gateway.dialects.replay.pieces import Unfoldable
from gateway.dialects.sse import events
from tests.support import replies, scripted

USAGE = Usage(9, 3)
CHAT = Call("openai", "chat", "/chat/completions")
TEXT = Call("openai", "completions", "/completions")
RESPONSES = Call("openai", "responses", "/responses")
MESSAGES = Call("anthropic", "messages", "/messages")
GENERATE = Call("gemini", "generate", "/models/{model}:generateContent", in_path=True)
STREAMED = {"stream": True}


def streamed(call: Call, **more: Any) -> Call:
    return msgspec.structs.replace(call, stream=True, **more)


def fold(call: Call, stream: bytes, form: Form = "events", usage: Usage | None = USAGE) -> Any:
    return msgspec.json.decode(in_wanted_form(call, form, stream, usage, told=False))


def unfold(call: Call, whole: object, **more: Any) -> bytes:
    wanted = streamed(call, **more)
    return in_wanted_form(wanted, "whole", msgspec.json.encode(whole), USAGE)


def payloads(stream: bytes) -> list[Any]:
    return [msgspec.json.decode(event.data) for event in events(stream) if event.data != b"[DONE]"]


def test_a_chat_stream_becomes_the_reply_that_was_streamed() -> None:
    stream = b"".join(replies.openai_stream("Hello there", usage=True))
    whole = fold(CHAT, stream)
    expected = msgspec.json.decode(replies.openai_chat("Hello there"))
    assert whole == expected
    ChatCompletion.model_validate(whole, strict=True)


def test_usage_is_told_that_the_stream_did_not_tell() -> None:
    whole = fold(CHAT, b"".join(scripted.chat_stream()))
    assert whole["usage"]["prompt_tokens"] == 9
    assert whole["usage"]["total_tokens"] == 12
    assert "usage" not in fold(CHAT, b"".join(scripted.chat_stream()), usage=None)


def test_pieces_of_tool_calls_reasoning_logprobs_and_unknown_members_add_up() -> None:
    def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
        return scripted.sse(
            {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}
        )

    call = {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}}
    stream = b"".join(
        [
            chunk(
                {"index": 0, "delta": {"role": "assistant", "content": None, "reasoning_content": "th"}},
                service_tier="x",
            ),
            chunk({"index": 1, "delta": {"role": "assistant", "content": "second"}, "finish_reason": None}),
            b": a comment\n\n",
            chunk({"index": 0, "delta": {"reasoning_content": "ink", "novel": {"deep": ["a"]}}, "finish_reason": None}),
            chunk({"index": 0, "delta": {"tool_calls": [{**call, "index": 0, "id": "a"}, call]}}),
            chunk({"index": 0, "delta": {"tool_calls": [{"index": 1, "function": {"arguments": '"x":1}'}}]}}),
            chunk({"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}}),
            chunk({"index": 0, "delta": {"novel": {"deep": ["b"]}}, "logprobs": {"content": [{"token": "a"}]}}),
            chunk({"index": 0, "delta": {}, "logprobs": {"content": [{"token": "b"}]}, "finish_reason": "tool_calls"}),
            chunk({"index": 1, "delta": {}, "finish_reason": "stop"}, system_fingerprint="fp"),
            b"data: [DONE]\n\n",
        ]
    )
    whole = fold(CHAT, stream)
    first, second = whole["choices"]
    assert first["message"]["reasoning_content"] == "think"
    assert first["message"]["novel"] == {"deep": ["a", "b"]}
    assert [item["function"]["arguments"] for item in first["message"]["tool_calls"]] == ["{}", '{"x":1}']
    assert [item["id"] for item in first["message"]["tool_calls"]] == ["a", "b"]
    assert first["logprobs"]["content"] == [{"token": "a"}, {"token": "b"}]
    assert first["finish_reason"] == "tool_calls"
    assert second["message"]["content"] == "second"
    assert (whole["service_tier"], whole["system_fingerprint"]) == ("x", "fp")


def test_a_chat_reply_becomes_a_stream_that_folds_back() -> None:
    whole = msgspec.json.decode(replies.openai_chat("Hello there"))
    whole["choices"][0]["message"]["novel"] = "kept"
    stream = unfold(CHAT, whole, wants_usage=True)
    for payload in payloads(stream):
        ChatCompletionChunk.model_validate(payload, strict=True)
    assert stream.endswith(b"data: [DONE]\n\n")
    assert fold(CHAT, stream) == whole


def test_a_stream_has_usage_for_those_who_asked_for_it_and_for_no_other() -> None:
    whole = scripted.chat_reply()
    assert b'"usage"' not in unfold(CHAT, whole)
    told = b"".join(scripted.chat_stream(tokens=(9, 3)))
    silent = b"".join(scripted.chat_stream())
    plain, asking = streamed(CHAT), streamed(CHAT, wants_usage=True)
    assert in_wanted_form(plain, "events", told, USAGE, told=True) == silent
    assert in_wanted_form(plain, "events", silent, USAGE, told=False) is silent
    added = payloads(in_wanted_form(asking, "events", silent, USAGE, told=False))
    assert added[-1]["choices"] == []
    assert added[-1]["usage"]["completion_tokens"] == 3
    assert in_wanted_form(asking, "events", told, USAGE, told=True) is told


def test_text_completions() -> None:
    whole = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "stop"}],
        "usage": scripted.openai_usage(9, 3),
    }
    Completion.model_validate(whole, strict=True)
    pieces = [
        scripted.sse(
            {**whole, "usage": None, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": end}]}
        )
        for text, end in (("Hel", None), ("lo", "stop"))
    ]
    folded = fold(TEXT, b"".join([*pieces, scripted.DONE]))
    assert folded["choices"] == whole["choices"]
    assert fold(TEXT, unfold(TEXT, whole, wants_usage=True)) == whole


def response(status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": "Hello there", "annotations": [], "logprobs": []}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "m",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "novel": "kept",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]},
            {
                "id": "fc_1",
                "type": "function_call",
                "status": "completed",
                "call_id": "c",
                "name": "f",
                "arguments": "{}",
            },
            {
                "id": "ws_1",
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "search", "query": "q"},
            },
        ],
        "usage": {
            "input_tokens": 9,
            "output_tokens": 3,
            "total_tokens": 12,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_a_response_becomes_a_stream_that_its_own_sdk_reads_and_folds_back() -> None:
    whole = response()
    Response.model_validate(whole)
    stream = unfold(RESPONSES, whole)
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    told = [adapter.validate_python(payload) for payload in payloads(stream)]
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert "".join(event.delta for event in told if event.type == "response.output_text.delta") == "Hello there"
    assert [event.event.decode() for event in events(stream)] == [event.type for event in told]
    assert fold(RESPONSES, stream) == whole


def test_what_the_last_event_leaves_out_was_said_item_by_item() -> None:
    whole = response()
    stream = b"".join(
        scripted.sse({"type": "response.output_item.done", "output_index": n, "item": item}, "x")
        for n, item in enumerate(whole["output"])
    ) + scripted.sse({"type": "response.completed", "response": {**whole, "output": []}}, "x")
    assert fold(RESPONSES, stream) == whole


def test_a_message_stream_becomes_the_message_that_was_streamed() -> None:
    whole = fold(MESSAGES, b"".join(replies.anthropic_stream("Hello there")))
    assert whole == msgspec.json.decode(replies.anthropic_message("Hello there"))
    Message.model_validate(whole)


def message() -> dict[str, Any]:
    whole = msgspec.json.decode(replies.anthropic_message("Hello there"))
    whole["content"] = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "Hello there", "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "url": "u"}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1, {"b": None}]}},
        {"type": "novel", "kept": True},
    ]
    whole["stop_reason"] = "tool_use"
    return whole


def test_a_message_becomes_a_stream_that_its_own_sdk_reads_and_folds_back() -> None:
    whole = message()
    stream = unfold(MESSAGES, whole)
    assert fold(MESSAGES, stream) == whole
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    plain = unfold(MESSAGES, msgspec.json.decode(replies.anthropic_message()))
    kinds = [adapter.validate_python(payload).type for payload in payloads(plain)]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [event.event.decode() for event in events(plain)] == kinds


def test_a_gemini_stream_becomes_the_reply_that_was_streamed() -> None:
    stream = b"".join(replies.gemini_stream("Hello there"))
    assert fold(GENERATE, stream) == msgspec.json.decode(replies.gemini_reply("Hello there"))


def test_parts_of_gemini_that_are_more_than_text_stay_apart() -> None:
    def piece(*parts: dict[str, Any], **more: Any) -> bytes:
        return scripted.sse({"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}]})

    stream = (
        piece({"text": "a", "thought": True})
        + piece({"text": "b", "thought": True})
        + piece({"text": "c"})
        + piece({"text": "d"}, {"text": "e", "thoughtSignature": "s"})
        + piece({"text": "f"})
        + piece({"functionCall": {"name": "f", "args": {}}}, finishReason="STOP", groundingMetadata={"x": 1})
    )
    candidate = fold(GENERATE, stream)["candidates"][0]
    assert candidate["content"]["parts"] == [
        {"text": "ab", "thought": True},
        {"text": "cd"},
        {"text": "e", "thoughtSignature": "s"},
        {"text": "f"},
        {"functionCall": {"name": "f", "args": {}}},
    ]
    assert candidate["groundingMetadata"] == {"x": 1}


def test_gemini_s_three_forms_become_each_other() -> None:
    whole = msgspec.json.decode(replies.gemini_reply())
    one = unfold(GENERATE, whole)
    array = unfold(GENERATE, whole, framing="json-array")
    assert msgspec.json.decode(array) == [whole]
    assert fold(GENERATE, one) == fold(GENERATE, array, "array") == whole
    stream = b"".join(replies.gemini_stream("Hello there"))
    as_array = in_wanted_form(streamed(GENERATE, framing="json-array"), "events", stream, None)
    assert msgspec.json.decode(as_array) == payloads(stream)
    assert payloads(in_wanted_form(streamed(GENERATE), "array", as_array, None)) == payloads(stream)


@pytest.mark.parametrize(
    ("call", "stream"),
    [
        (CHAT, b"".join(scripted.chat_stream()[:-2])),
        (CHAT, b"data: [DONE]\n\n"),
        (CHAT, b""),
        (TEXT, b""),
        (RESPONSES, scripted.sse({"type": "response.created", "response": response("in_progress")})),
        (RESPONSES, scripted.sse({"type": "response.failed", "response": response("failed")})),
        (MESSAGES, b"".join(scripted.message_stream()[:-1])),
        (MESSAGES, b""),
        (GENERATE, b"".join(scripted.generate_stream()[:-1])),
        (GENERATE, b""),
    ],
)
def test_what_is_not_complete_is_never_made_to_look_so(call: Call, stream: bytes) -> None:
    with pytest.raises(Unfoldable):
        in_wanted_form(call, "events", stream, USAGE)


@pytest.mark.parametrize("call", [CHAT, TEXT, RESPONSES, MESSAGES, GENERATE])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', base64.b64decode("/w==")])
def test_what_is_no_reply_is_not_unfolded(call: Call, body: bytes) -> None:
    with pytest.raises(Unfoldable):
        in_wanted_form(streamed(call), "whole", body, USAGE)


def test_which_form_is_wanted() -> None:
    assert wanted_form(CHAT) == "whole"
    assert wanted_form(streamed(CHAT)) == "events"
    assert wanted_form(streamed(GENERATE, framing="json-array")) == "array"
    assert all(map(has_both_forms, (CHAT, TEXT, RESPONSES, MESSAGES, GENERATE)))
    speech = Call("openai", "audio", "/audio/speech")
    assert not has_both_forms(speech)
    with pytest.raises(Unfoldable):
        in_wanted_form(speech, "events", b"data: {}\n\n", None)
