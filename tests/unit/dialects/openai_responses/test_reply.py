from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Choice,
    Citation,
    Echo,
    Image,
    Refusal,
    StopReason,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.openai_responses import CODEC

ECHO = Echo(id="id-of-request", model="asked", created=1_700_000_000)


def read(*output: Any, **members: Any) -> Answer:
    reply = {"id": "resp_1", "created_at": 5.0, "model": "gpt", "status": "completed", "output": output, **members}
    return CODEC.read_reply(json.dumps(reply).encode(), [])


def write(*parts: Any, **members: Any) -> Any:
    return json.loads(CODEC.write_reply(Answer(id="r-1", choices=(Choice(parts=parts, **members),)), ECHO))


def message(*content: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def test_the_items_are_the_parts_of_one_answer() -> None:
    note = {"type": "url_citation", "url": "https://example.com", "title": "Sky", "start_index": 0, "end_index": 4}
    answer = read(
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "gAAA",
        },
        message({"type": "output_text", "text": "Rain.", "annotations": [note]}),
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "free"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
        usage={"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}},
    )
    assert answer.choices == (
        Choice(
            parts=(
                Thinking(text="Hm.", redacted="gAAA", vendor="openai", id="rs_1"),
                Text(text="Rain.", citations=(Citation(url="https://example.com", title="Sky", start=0, end=4),)),
                ToolUse(id="a", name="f", arguments="{}"),
                ToolUse(id="b", name="g", arguments='{"input":"free"}'),
                Image(content=Blob(memoryview(b"AAAA")), media_type="image/png"),
            ),
            stop="tool-use",
        ),
    )
    assert answer.usage == Usage(3, 4, reasoning=2)


@pytest.mark.parametrize(
    ("members", "stop"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content-filter"),
        ({"status": "incomplete", "incomplete_details": None}, "other"),
        ({"status": "cancelled"}, "other"),
        ({"status": None}, "stop"),
    ],
)
def test_why_it_stopped(members: dict[str, Any], stop: StopReason) -> None:
    assert read(message({"type": "output_text", "text": "x"}), **members).choices[0].stop == stop


def test_a_refusal_is_why_it_stopped() -> None:
    (choice,) = read(message({"type": "refusal", "refusal": "No."})).choices
    assert choice == Choice(parts=(Refusal(text="No."),), stop="refusal")


def test_an_item_that_cannot_be_read_does_not_cost_the_others() -> None:
    (choice,) = read({"type": 7}, 8, message({"type": "output_text", "text": "x"})).choices
    assert choice.parts == (Text(text="x"),)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"output":7}'])
def test_what_is_no_response_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamFault) as caught:
        CODEC.read_reply(body, [])
    assert caught.value.kind == "malformed"


def test_a_failed_response_is_the_fault_that_it_says() -> None:
    with pytest.raises(UpstreamFault) as caught:
        read(status="failed", error={"code": "rate_limit_exceeded", "message": "Slow down."})
    assert (caught.value.kind, caught.value.message) == ("rate-limited", "Slow down.")


def test_a_response_has_every_member_that_a_strict_client_demands() -> None:
    reply = write(Text(text="Hi"))
    assert reply.pop("output") == [
        {
            "type": "message",
            "id": "msg_r1_0",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi"}],
        }
    ]
    assert {name for name, value in reply.items() if value is None} == {
        "error",
        "incomplete_details",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "previous_response_id",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "temperature",
        "top_p",
        "usage",
        "user",
    }
    assert (reply["id"], reply["model"], reply["status"]) == ("r-1", "asked", "completed")


def test_texts_that_follow_one_another_are_one_message() -> None:
    output = write(Text(text="a"), Refusal(text="b"), ToolUse(id="c", name="f", arguments="{}"), Text(text="d"))[
        "output"
    ]
    assert [(item["type"], len(item.get("content", ()))) for item in output] == [
        ("message", 2),
        ("function_call", 0),
        ("message", 1),
    ]
    assert len({item["id"] for item in output}) == 3


def test_another_vendors_signature_travels_in_what_is_encrypted() -> None:
    (thought,) = write(Thinking(text="Hm.", signature="sig=", vendor="anthropic"))["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert thought["encrypted_content"] == "anthropic:s::sig="


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        ("stop", "completed", None),
        ("tool-use", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content-filter", "incomplete", "content_filter"),
        ("refusal", "incomplete", "content_filter"),
    ],
)
def test_what_was_cut_short_is_not_complete(stop: StopReason, status: str, reason: str | None) -> None:
    reply = write(Text(text="x"), stop=stop)
    assert reply["status"] == reply["output"][0]["status"] == status
    assert (reply["incomplete_details"] or {}).get("reason") == reason


def test_a_refusal_in_words_is_complete() -> None:
    assert write(Refusal(text="No."), stop="refusal")["status"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "text"), [('{"input":"*** Begin"}', "*** Begin"), ("{broken", "{broken"), ("", "")]
)
def test_a_custom_tool_is_given_its_text_again(arguments: str, text: str) -> None:
    echo = Echo(id="r-1", model="asked", created=1, custom_tools=("patch",))
    answer = Answer(choices=(Choice(parts=(ToolUse(id="a", name="patch", arguments=arguments),), stop="tool-use"),))
    (item,) = json.loads(CODEC.write_reply(answer, echo))["output"]
    assert item == {"type": "custom_tool_call", "id": "ctc_r1_0", "call_id": "a", "name": "patch", "input": text}
