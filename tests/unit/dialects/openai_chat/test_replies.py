from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Echo,
    Image,
    Refusal,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.openai_chat import CODEC

ECHO = Echo(id="id-of-request", model="asked", created=1_700_000_000)


def read(message: dict[str, Any] | None = None, **members: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", **(message or {})}, "finish_reason": "stop"}
    reply = {"id": "chatcmpl-1", "created": 5, "model": "gpt", "choices": [choice], **members}
    return CODEC.read_reply(json.dumps(reply).encode(), [])


def write(*parts: Any, **members: Any) -> Any:
    answer = Answer(id="x", choices=(Choice(parts=parts, **members),))
    return json.loads(CODEC.write_reply(answer, ECHO))["choices"][0]


@pytest.mark.parametrize(
    ("finish", "message", "stop"),
    [
        ("stop", {"content": "x"}, "stop"),
        ("stop", {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}, "tool-use"),
        ("stop", {"refusal": "No."}, "refusal"),
        ("length", {}, "length"),
        ("model_length", {}, "length"),
        ("content_filter", {}, "content-filter"),
        ("function_call", {"function_call": {"name": "f", "arguments": "{}"}}, "tool-use"),
        ("insufficient_system_resource", {}, "error"),
        (None, {"content": "x"}, "stop"),
        ("brand_new", {}, "other"),
    ],
)
def test_why_it_stopped(finish: str | None, message: dict[str, Any], stop: StopReason) -> None:
    answer = read(choices=[{"index": 0, "message": message, "finish_reason": finish}])
    assert answer.choices[0].stop == stop


def test_vllm_says_which_stop_sequence_was_met() -> None:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop", "stop_reason": "END"}
    found = read(choices=[choice]).choices[0]
    assert (found.stop, found.stop_sequence) == ("stop-sequence", "END")


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "Hm.", "content": "Yes."},
        {"reasoning": "Hm.", "content": "Yes."},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "Yes."},
            ]
        },
    ],
)
def test_thoughts_are_read_as_others_write_them(message: dict[str, Any]) -> None:
    assert read(message).choices[0].parts == (Thinking(text="Hm."), Text(text="Yes."))


def test_a_thought_that_is_an_object_does_not_cost_the_reply() -> None:
    assert read({"reasoning": {"effort": "high"}, "content": "Yes."}).choices[0].parts == (Text(text="Yes."),)


def test_arguments_that_came_as_an_object_and_a_call_without_an_id() -> None:
    (call,) = read({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}).choices[0].parts
    assert call == ToolUse(id="call_chatcmpl1_0_0", name="f", arguments='{"a":1}')


def test_what_is_wrong_in_usage_does_not_cost_the_reply() -> None:
    assert read({"content": "x"}, usage={"prompt_tokens": "many"}).usage is None
    assert read({"content": "x"}, usage=None).usage is None
    assert read({"content": "x"}, usage={"prompt_tokens": 3, "completion_tokens": 4}).usage == Usage(3, 4)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":1}', b"{}", b'{"choices":7}'])
def test_what_is_no_reply_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamFault) as caught:
        CODEC.read_reply(body, [])
    assert caught.value.kind == "malformed"


def test_an_error_in_a_reply_of_status_200_is_what_it_says() -> None:
    with pytest.raises(UpstreamFault) as caught:
        CODEC.read_reply(b'{"error":{"message":"Slow down.","code":429}}', [])
    assert (caught.value.kind, caught.value.message) == ("rate-limited", "Slow down.")


def test_empty_choices_are_an_answer_that_says_nothing() -> None:
    assert read(choices=[]).choices == ()


def test_a_reply_has_every_member_that_a_strict_client_demands() -> None:
    reply = json.loads(CODEC.write_reply(Answer(choices=(Choice(parts=(Text(text="Hi"),)),)), ECHO))
    assert reply == {
        "id": "id-of-request",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "asked",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": None,
        "service_tier": None,
        "system_fingerprint": None,
    }


def test_content_is_null_beside_calls_and_refusals_and_empty_where_there_is_nothing() -> None:
    assert write(ToolUse(id="a", name="f", arguments="{}"), stop="tool-use")["message"]["content"] is None
    refused = write(Refusal(text="No."), stop="refusal")
    assert (refused["message"]["content"], refused["message"]["refusal"]) == (None, "No.")
    assert refused["finish_reason"] == "stop"
    assert write(stop="length")["message"]["content"] == ""


def test_citations_are_counted_in_the_whole_text() -> None:
    cited = Text(text="Rain.", citations=(Citation(url="https://example.com", title="Sky"),))
    message = write(Text(text="It is: "), cited)["message"]
    assert message["content"] == "It is: Rain."
    assert message["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"start_index": 7, "end_index": 12, "title": "Sky", "url": "https://example.com"},
        }
    ]


def test_what_the_format_lacks_is_written_as_others_do() -> None:
    message = write(
        Thinking(text="Hm.", signature="sig", vendor="anthropic"),
        Image(content=Blob(memoryview(b"AAAA")), media_type="image/png"),
        Audio(content=Blob(memoryview(b"BBBB")), transcript="Hi"),
        ToolUse(id="a", name="f", arguments="{}", signature="thought"),
        stop="tool-use",
    )["message"]
    assert message["reasoning_content"] == "Hm."
    assert message["reasoning_details"][0]["signature"] == "sig"
    assert message["images"][0]["image_url"]["url"] == "data:image/png;base64,AAAA"
    assert message["audio"] == {"id": "audio_0", "expires_at": 1_700_000_000, "data": "BBBB", "transcript": "Hi"}
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "thought"}}


def test_logprobs_have_the_bytes_of_their_tokens() -> None:
    found = write(Text(text="\u00e4"), logprobs=(TokenLogprob("\u00e4", -0.5, (("a", -1.0),)),))["logprobs"]
    assert found["content"][0]["bytes"] == [195, 164]
    assert found["content"][0]["top_logprobs"] == [{"token": "a", "logprob": -1.0, "bytes": [97]}]


def test_a_client_of_the_older_form_is_given_its_first_call_alone() -> None:
    calls = (ToolUse(id="a", name="f", arguments=""), ToolUse(id="b", name="g", arguments="{}"))
    echo = Echo(id="r", model="asked", created=1, legacy_calls=True)
    written = CODEC.write_reply(Answer(choices=(Choice(parts=calls, stop="tool-use"),)), echo)
    (choice,) = json.loads(written)["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
