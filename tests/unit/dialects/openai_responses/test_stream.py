from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Citation,
    Cited,
    Delta,
    Echo,
    End,
    Event,
    Failed,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.fold import fold
from gateway.dialects.openai_responses import CODEC

ECHO = Echo(id="id-of-request", model="asked", created=1_700_000_000)
CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "created_at": 5}}
USAGE = {"input_tokens": 3, "output_tokens": 4}
COMPLETED = {"type": "response.completed", "response": {"status": "completed", "usage": USAGE}}


def send(event: dict[str, Any], named: bool = True) -> bytes:
    name = f"event: {event['type']}\n" if named else ""
    return (name + "data: " + json.dumps(event) + "\n\n").encode()


def read(*events: dict[str, Any]) -> list[Event]:
    reader = CODEC.stream_reader([])
    return [found for event in events for found in reader.feed(send(event))] + reader.end()


def parts(*events: dict[str, Any]) -> tuple[Part, ...]:
    found = read(CREATED, *events, COMPLETED)
    assert found[-1] == End(Usage(3, 4))
    (choice,) = fold(found).choices
    return choice.parts


def added(item: dict[str, Any], at: int | None = 0) -> dict[str, Any]:
    place = {} if at is None else {"output_index": at}
    return {"type": "response.output_item.added", **place, "item": item}


def done(item: dict[str, Any], at: int | None = 0) -> dict[str, Any]:
    return {**added(item, at), "type": "response.output_item.done"}


def text(delta: str, at: int = 0, content: int = 0) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "output_index": at, "content_index": content, "delta": delta}


MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
WHOLE = {**MESSAGE, "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": ""}


def test_a_stream_as_openai_sends_it() -> None:
    place = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    events = read(
        CREATED,
        {**CREATED, "type": "response.in_progress"},
        added(MESSAGE),
        {
            "type": "response.content_part.added",
            **place,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        text("H"),
        text("i"),
        {"type": "response.output_text.done", **place, "text": "Hi"},
        {"type": "response.content_part.done", **place, "part": {"type": "output_text", "text": "Hi"}},
        done(WHOLE),
        COMPLETED,
    )
    assert events == [
        Start(id="resp_1", model="gpt", created=5),
        PartStart(0, Text(text="")),
        Delta(0, "H"),
        Delta(0, "i"),
        PartEnd(0),
        Finish("stop"),
        End(Usage(3, 4)),
    ]


@pytest.mark.parametrize(
    "events",
    [
        [text("H"), text("i")],
        [added(MESSAGE), text("Hi"), done(WHOLE)],
        [added(MESSAGE), {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hi"}],
        [added(MESSAGE), done(WHOLE)],
        [done(WHOLE), done(WHOLE)],
        [{"type": "response.output_text.delta", "delta": "Hi"}],
        [{"type": "response.web_search_call.searching", "output_index": 0}, text("Hi", 1)],
        [{"type": "response.unheard_of", "delta": {"an": "object"}}, text("Hi")],
    ],
)
def test_however_it_is_sent_it_says_the_same(events: list[dict[str, Any]]) -> None:
    assert parts(*events) == (Text(text="Hi"),)


def test_all_of_it_in_the_last_event() -> None:
    output = [WHOLE, {**CALL, "arguments": "{}"}]
    last = {**COMPLETED, "response": {"status": "completed", "output": output}}
    found = fold(read(CREATED, last))
    assert found.choices[0].parts == (Text(text="Hi"), ToolUse(id="a", name="f", arguments="{}"))
    assert found.choices[0].stop == "tool-use"


def test_the_type_may_stand_in_the_event_name_alone() -> None:
    reader = CODEC.stream_reader([])
    found = reader.feed(b'event: response.output_text.delta\ndata: {"delta":"Hi"}\n\n')
    assert Delta(0, "Hi") in found


def test_calls_that_are_interleaved() -> None:
    more = {"type": "response.function_call_arguments.delta"}
    assert parts(
        added(CALL),
        added({**CALL, "call_id": "b", "name": "g"}, 1),
        {**more, "output_index": 1, "delta": "[]"},
        {**more, "output_index": 0, "delta": "{"},
        {**more, "output_index": 0, "delta": "}"},
        {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}"},
        done({**CALL, "arguments": "{}"}),
    ) == (ToolUse(id="a", name="f", arguments="{}"), ToolUse(id="b", name="g", arguments="[]"))


@pytest.mark.parametrize(
    "events",
    [
        [added(CALL), {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}"}],
        [added(CALL), done({**CALL, "arguments": "{}"})],
        [done({**CALL, "arguments": "{}"})],
    ],
)
def test_arguments_without_deltas(events: list[dict[str, Any]]) -> None:
    assert parts(*events) == (ToolUse(id="a", name="f", arguments="{}"),)


def test_items_are_told_apart_by_their_ids_where_no_index_is_sent() -> None:
    other = {**CALL, "id": "fc_2", "call_id": "b", "name": "g"}
    more = {"type": "response.function_call_arguments.delta"}
    assert parts(
        added(CALL, None),
        {**more, "item_id": "fc_1", "delta": "{}"},
        added(other, None),
        {**more, "item_id": "fc_2", "delta": "[]"},
        done({**CALL, "arguments": "{}"}, None),
        done({**other, "arguments": "[]"}, None),
    ) == (ToolUse(id="a", name="f", arguments="{}"), ToolUse(id="b", name="g", arguments="[]"))


def test_a_custom_tools_text_becomes_an_argument() -> None:
    item = {"type": "custom_tool_call", "call_id": "a", "name": "f", "input": "free"}
    assert parts(
        added({**item, "input": ""}),
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "free"},
        done(item),
    ) == (ToolUse(id="a", name="f", arguments='{"input":"free"}'),)


def test_thoughts_and_their_proof() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    more = {"type": "response.reasoning_summary_text.delta", "output_index": 0}
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    assert parts(
        added(item),
        {**more, "summary_index": 0, "delta": "One."},
        {**more, "summary_index": 1, "delta": "Two."},
        done({**item, "summary": summary, "encrypted_content": "gAAA"}),
    ) == (Thinking(text="One.\n\nTwo.", redacted="gAAA", vendor="openai", id="rs_1"),)


def test_open_models_think_in_plain_text() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    more = {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "Hm."}
    assert parts(added(item), more, done(item)) == (Thinking(text="Hm.", vendor="openai", id="rs_1"),)


def test_an_empty_thought_is_no_part() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert parts(added(item), done(item), text("Hi", 1)) == (Text(text="Hi"),)


def test_a_refusal_and_a_citation() -> None:
    note = {"type": "url_citation", "url": "https://example.com", "title": "Sky", "start_index": 0, "end_index": 2}
    found = read(
        CREATED,
        text("Hi"),
        {"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": note},
        {"type": "response.refusal.delta", "output_index": 0, "content_index": 1, "delta": "No."},
        COMPLETED,
    )
    (choice,) = fold(found).choices
    citation = Citation(url="https://example.com", title="Sky", start=0, end=2)
    assert choice.parts == (Text(text="Hi", citations=(citation,)), Refusal(text="No."))
    assert choice.stop == "refusal"


def test_an_incomplete_response_is_complete_as_a_stream() -> None:
    reason = {"reason": "max_output_tokens"}
    found = read(
        CREATED,
        text("Hi"),
        {"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": reason}},
    )
    assert found[-2:] == [Finish("length"), End(None)]


@pytest.mark.parametrize(
    ("event", "status", "hint"),
    [
        ({"type": "error", "code": "server_error", "message": "Boom."}, 500, "server_error"),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "Boom."}}, 429, "rate_limit_error"),
        (
            {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "Boom."}}},
            429,
            "rate_limit_exceeded",
        ),
    ],
)
def test_a_failure_ends_the_stream(event: dict[str, Any], status: int, hint: str) -> None:
    assert read(CREATED, text("Hi"), event, text("more"), COMPLETED)[-1] == Failed("Boom.", status, hint)


def test_a_cut_stream_is_never_complete() -> None:
    found = read(CREATED, text("Hi"), {"type": "response.output_text.done", "output_index": 0, "text": "Hi"})
    assert not any(isinstance(event, End) for event in found)


def written(*events: Event, echo: Echo = ECHO) -> list[Any]:
    block = CODEC.stream_writer(echo).write([Start(id="r-1"), *events])
    return [json.loads(span.partition("data: ")[2]) for span in block.decode().split("\n\n") if span]


def test_every_event_has_its_number_and_its_place() -> None:
    events = written(
        PartStart(0, Thinking(vendor="anthropic")),
        Delta(0, "Hm."),
        Delta(0, "sig", "signature"),
        PartEnd(0),
        PartStart(1, Text(text="")),
        Delta(1, "Hi"),
        Cited(1, Citation(url="https://example.com", title="Sky")),
        PartEnd(1),
        PartStart(2, ToolUse(id="a", name="f", arguments="")),
        Delta(2, "{}", "arguments"),
        PartEnd(2),
        Finish("tool-use"),
        End(Usage(3, 4)),
    )
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    whole = events[-1]["response"]
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message", "function_call"]
    assert whole["output"] == [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert whole["output"][0]["encrypted_content"] == "anthropic:s:rs_r1_0:sig"
    assert whole["usage"]["total_tokens"] == 7


def test_what_was_cut_short_ends_as_incomplete() -> None:
    events = written(PartStart(0, Text(text="")), Delta(0, "Hi"), PartEnd(0), Finish("length"), End(None))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert events[-2]["item"]["status"] == "incomplete"


def test_a_second_choice_has_no_place() -> None:
    events = written(PartStart(0, Text(text=""), 1), Delta(0, "x", "text", 1), Finish("stop", "", 1), End(None))
    assert events[-1]["response"]["output"] == []


def test_a_ping_is_a_comment_and_a_failure_is_nothing() -> None:
    writer = CODEC.stream_writer(ECHO)
    assert writer.write([Ping()]) == b": ping\n\n"
    assert writer.write([Failed("x")]) == b""


def test_a_custom_tool_is_given_its_text_again() -> None:
    echo = Echo(id="r-1", model="asked", created=1, custom_tools=("patch",))
    events = written(
        PartStart(0, ToolUse(id="a", name="patch", arguments="")),
        Delta(0, '{"inp', "arguments"),
        Delta(0, 'ut":"*** Begin"}', "arguments"),
        PartEnd(0),
        Finish("tool-use"),
        End(None),
        echo=echo,
    )
    assert [event["type"].removeprefix("response.") for event in events[2:]] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    assert events[3]["delta"] == events[4]["input"] == events[5]["item"]["input"] == "*** Begin"
    assert events[-1]["response"]["output"] == [events[5]["item"]]
