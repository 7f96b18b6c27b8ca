"""Replies of Cohere's v2 chat, whole and streamed."""

from __future__ import annotations

import json

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Answer,
    Choice,
    Citation,
    Cited,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    PartEnd,
    PartStart,
    Start,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.cohere import CODEC

USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 3}, "tokens": {"input_tokens": 71, "output_tokens": 9}}


def read(message: object, reason: str = "COMPLETE", **members: object) -> Answer:
    reply = {"id": "r", "finish_reason": reason, "message": message, "usage": USAGE, **members}
    return CODEC.read_reply(json.dumps(reply).encode(), [])


def test_text() -> None:
    found = read(
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        logprobs=[{"text": "Hello", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}],
    )
    assert found == Answer(
        id="r",
        choices=(Choice(parts=(Text(text="Hello"),), logprobs=(TokenLogprob("Hello", -0.75),)),),
        usage=Usage(5, 3),
    )


def test_a_plan_and_calls() -> None:
    found = read(
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm."}],
            "tool_plan": "I will search.",
            "tool_calls": [
                {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"function": {"name": "g"}},
                {"id": "x"},
            ],
        },
        "TOOL_CALL",
    )
    assert found.choices == (
        Choice(
            parts=(
                Thinking(text="Hm.", vendor="cohere"),
                Text(text="I will search."),
                ToolUse(id="f_1", name="f", arguments='{"a":1}'),
                ToolUse(id="call_1", name="g", arguments=""),
            ),
            stop="tool-use",
        ),
    )


def test_citations_have_a_canonical_one_for_each_source() -> None:
    document = {
        "type": "document",
        "id": "doc:0",
        "document": {"title": "T", "url": "https://a", "snippet": "S", "n": 1},
    }
    output = {"type": "tool", "id": "f:0", "tool_output": {"text": "passage", "title": 3}}
    found = read(
        {
            "content": [{"type": "text", "text": "Cats purr."}],
            "citations": [
                {"start": 0, "end": 4, "text": "Cats", "sources": [document, output], "type": "TEXT_CONTENT"},
                {"start": 5, "end": 9, "content_index": 0},
                {"start": 9, "end": 5, "sources": []},
                {"start": 0, "end": 1, "sources": [document], "type": "PLAN"},
            ],
        }
    )
    (text,) = found.choices[0].parts
    assert isinstance(text, Text)
    assert text.citations == (
        Citation(url="https://a", title="T", quote="S", start=0, end=4),
        Citation(quote="passage", start=0, end=4),
        Citation(start=5, end=9),
        Citation(),
    )


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop-sequence"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool-use"),
        ("ERROR", "error"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_why_it_stopped(reason: str, stop: StopReason) -> None:
    assert read({"content": "Hi"}, reason).choices == (Choice(parts=(Text(text="Hi"),), stop=stop),)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"message":"too long"}', b'{"message":{"content":3}}', b'{"a":']
)
def test_what_is_no_reply_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamFault) as caught:
        CODEC.read_reply(body, [])
    assert caught.value.kind == "malformed"


def event(kind: str, message: object = None, **members: object) -> dict[str, object]:
    return {"type": kind, "delta": {"message": message}, **members}


START = event(
    "message-start", {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}, id="r"
)
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}


def stream(*found: object) -> list[Event]:
    reader = CODEC.stream_reader([(b"content-type", b"text/event-stream")])
    sent = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in found)
    return reader.feed(sent) + reader.end()


def test_a_stream_of_thoughts_text_and_citations() -> None:
    citation = {"start": 0, "end": 2, "text": "Hi", "sources": [{"type": "document", "document": {"title": "T"}}]}
    assert stream(
        START,
        event("content-start", {"content": {"type": "thinking", "thinking": ""}}, index=0),
        event("content-delta", {"content": {"thinking": "Hm."}}, index=0),
        event("content-end", index=0),
        event("content-start", {"content": {"type": "text", "text": ""}}, index=1),
        event("content-delta", {"content": {"text": "Hi"}}, index=1, logprobs={"text": "Hi", "logprobs": [-1.0]}),
        event("citation-start", {"citations": {**citation, "content_index": 1}}, index=0),
        {"type": "citation-end", "index": 0},
        event("content-end", index=1),
        END,
        event("content-delta", {"content": {"text": "late"}}, index=1),
    ) == [
        Start(id="r"),
        PartStart(0, Thinking(vendor="cohere")),
        Delta(0, "Hm."),
        PartEnd(0),
        PartStart(1, Text(text="")),
        Delta(1, "Hi", logprobs=(TokenLogprob("Hi", -1.0),)),
        Cited(1, Citation(title="T", start=0, end=2)),
        PartEnd(1),
        Finish("stop"),
        End(Usage(5, 3)),
    ]


def test_a_stream_of_a_plan_and_calls() -> None:
    call = {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert stream(
        START,
        event("tool-plan-delta", {"tool_plan": "I "}),
        event("tool-plan-delta", {"tool_plan": "look."}),
        event("tool-call-start", {"tool_calls": call}, index=0),
        event("tool-call-delta", {"tool_calls": {"function": {"arguments": '{"a"'}}}, index=0),
        event("tool-call-delta", {"tool_calls": {"function": {"arguments": ":1}"}}}, index=0),
        event("tool-call-end", index=0),
        event("tool-call-start", {"tool_calls": {**call, "id": "f_2"}}, index=1),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    ) == [
        Start(id="r"),
        PartStart(0, Text(text="")),
        Delta(0, "I "),
        Delta(0, "look."),
        PartEnd(0),
        PartStart(1, ToolUse(id="f_1", name="f", arguments="")),
        Delta(1, '{"a"', "arguments"),
        Delta(1, ":1}", "arguments"),
        PartEnd(1),
        PartStart(2, ToolUse(id="f_2", name="f", arguments="")),
        PartEnd(2),
        Finish("tool-use"),
        End(None),
    ]


def test_events_out_of_order_are_put_in_order() -> None:
    found = stream(
        event("content-delta", {"content": {"text": "Hi"}}, index=3),
        event("content-end", index=7),
        event("tool-call-delta", {"tool_calls": {"function": {"arguments": "lost"}}}, index=0),
        event("citation-start", {"citations": {"start": 0, "end": 1, "content_index": 9}}),
        {"type": "no-such-event"},
        END,
    )
    assert found == [
        Start(),
        PartStart(0, Text(text="")),
        Delta(0, "Hi"),
        Cited(0, Citation(start=0, end=1)),
        PartEnd(0),
        Finish("stop"),
        End(Usage(5, 3)),
    ]


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        ({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "boom"}}, Failed("boom", 0, "ERROR")),
        ({"type": "message-end", "delta": {"finish_reason": "TIMEOUT"}}, Failed("", 0, "TIMEOUT")),
        ({"type": "error", "message": "overloaded"}, Failed("overloaded")),
        ({"message": "internal server error"}, Failed("internal server error")),
        ({"error": "x"}, Failed("x")),
    ],
)
def test_an_error_ends_the_stream(told: object, failed: Failed) -> None:
    assert stream(START, told, END) == [Start(id="r"), failed]


def test_a_stream_without_its_end_is_cut() -> None:
    assert stream(START) == [Start(id="r")]
    reader = CODEC.stream_reader([])
    assert reader.feed(b"data: {oops\n\ndata: []\n\n") == []
    assert reader.end() == []


def test_the_name_of_an_event_may_stand_outside_its_data() -> None:
    reader = CODEC.stream_reader([])
    found = reader.feed(b'event: content-delta\ndata: {"delta":{"message":{"content":{"text":"Hi"}}}}\n\n')
    assert found == [Start(), PartStart(0, Text(text="")), Delta(0, "Hi")]


def test_html_instead_of_a_stream_is_malformed() -> None:
    reader = CODEC.stream_reader([(b"content-type", b"text/html; charset=utf-8")])
    with pytest.raises(UpstreamFault):
        reader.feed(b"<html>")
