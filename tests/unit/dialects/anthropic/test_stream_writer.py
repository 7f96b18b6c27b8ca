from __future__ import annotations

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.anthropic import CODEC
from gateway.dialects.canonical import (
    Delta,
    Echo,
    End,
    Event,
    Failed,
    Finish,
    Image,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.sse import events as sse_events

ECHO = Echo(id="gw-1", model="asked", created=1)


def _told(*batches: list[Event]) -> list[list[str]]:
    """For each batch what was written: `type`, with index and the text where there is one."""
    writer = CODEC.stream_writer(ECHO)
    return [[_short(sent.data) for sent in sse_events(writer.write(batch))] for batch in batches]


def _short(payload: bytes) -> str:
    event = msgspec.json.decode(payload)
    kind = str(event["type"]).removeprefix("content_block_")
    inner = event.get("delta") or event.get("content_block") or {}
    text = next(
        (inner[name] for name in ("text", "partial_json", "thinking", "signature", "data") if inner.get(name)), ""
    )
    return f"{kind} {event['index']} {inner.get('type', '')} {text}".rstrip() if "index" in event else kind


CALL_0, CALL_1 = ToolUse(id="a", name="f", arguments=""), ToolUse(id="b", name="g", arguments="")


def test_a_call_that_begins_within_another_is_held_until_that_has_ended() -> None:
    told = _told(
        [Start(), PartStart(0, CALL_0), Delta(0, "{", "arguments")],
        [PartStart(1, CALL_1), Delta(1, "[", "arguments")],
        [Delta(0, "}", "arguments"), Delta(1, "]", "arguments")],
        [PartEnd(0)],
        [Delta(1, "!", "arguments"), PartEnd(1)],
    )
    assert told == [
        ["message_start", "start 0 tool_use", "delta 0 input_json_delta {"],
        [],
        ["delta 0 input_json_delta }"],
        ["stop 0", "start 1 tool_use", "delta 1 input_json_delta [", "delta 1 input_json_delta ]"],
        ["delta 1 input_json_delta !", "stop 1"],
    ]


def test_what_ended_while_it_was_held_comes_out_whole_and_in_order() -> None:
    told = _told(
        [Start(), PartStart(0, CALL_0), PartStart(1, Text(text="x")), PartStart(2, CALL_1), PartEnd(2), PartEnd(1)],
        [PartEnd(0)],
    )
    assert told[1] == [
        "stop 0", "start 1 text", "delta 1 text_delta x", "stop 1", "start 2 tool_use", "stop 2"
    ]  # fmt: skip


def test_a_choice_that_is_complete_ends_what_is_open() -> None:
    told = _told([Start(), PartStart(0, CALL_0), PartStart(1, CALL_1), Finish("tool-use"), End(Usage(3, 4))])
    assert told[0][1:] == ["start 0 tool_use", "stop 0", "start 1 tool_use", "stop 1", "message_delta", "message_stop"]


def test_a_signature_goes_out_once_at_the_end_of_its_block() -> None:
    told = _told(
        [Start(), PartStart(0, Thinking(vendor="anthropic"))],
        [Delta(0, "s1", "signature"), Delta(0, "hm"), Delta(0, "s2", "signature")],
        [PartEnd(0)],
    )
    assert told[1:] == [
        ["start 0 thinking", "delta 0 thinking_delta hm"],
        ["delta 0 signature_delta s1s2", "stop 0"],
    ]


def test_a_thought_that_is_only_encrypted_is_written_as_one() -> None:
    told = _told([Start(), PartStart(0, Thinking(vendor="openai", id="rs")), Delta(0, "enc", "redacted"), PartEnd(0)])
    assert told[0][1:] == ["start 0 redacted_thinking openai:r:rs:enc", "stop 0"]


def test_the_signature_of_a_call_follows_it_as_a_thought_without_words() -> None:
    told = _told([Start(), PartStart(0, CALL_0), Delta(0, "sig", "signature"), PartEnd(0), PartStart(1, Text(text=""))])
    assert told[0][1:] == [
        "start 0 tool_use", "stop 0", "start 1 thinking", "delta 1 signature_delta gemini:c:a:sig", "stop 1",
        "start 2 text",
    ]  # fmt: skip


def test_a_picture_has_no_block_and_leaves_no_gap() -> None:
    told = _told([Start(), PartStart(0, Image(url="x")), PartEnd(0), PartStart(1, Text(text="a")), PartEnd(1)])
    assert told[0][1:] == ["start 0 text", "delta 0 text_delta a", "stop 0"]


def test_other_choices_are_not_told() -> None:
    told = _told([Start(), PartStart(0, Text(text="a"), choice=1), Finish("length", choice=1), Finish("stop"), End()])
    assert told == [["message_start", "message_delta", "message_stop"]]


def test_a_refusal_is_text_and_says_so_at_the_end() -> None:
    writer = CODEC.stream_writer(ECHO)
    written = writer.write([Start(), PartStart(0, Refusal(text="No.")), PartEnd(0), Finish("stop"), End()])
    last = [msgspec.json.decode(sent.data) for sent in sse_events(written)][-2]
    assert last["delta"]["stop_reason"] == "refusal"


def test_a_sign_of_life_waits_for_the_first_event() -> None:
    assert _told([Ping()], [Start()], [Ping()]) == [[], ["message_start"], ["ping"]]


def test_of_an_error_nothing_is_written() -> None:
    assert _told([Start(), Failed("oh", 500)]) == [["message_start"]]


def test_the_stop_sequence_is_told_with_its_reason_alone() -> None:
    for stop, sequence in (("stop-sequence", "END"), ("stop", None)):
        writer = CODEC.stream_writer(ECHO)
        written = writer.write([Start(), Finish(stop, "END"), End()])  # type: ignore[arg-type]
        delta = [msgspec.json.decode(sent.data) for sent in sse_events(written)][1]["delta"]
        assert delta["stop_sequence"] == sequence
