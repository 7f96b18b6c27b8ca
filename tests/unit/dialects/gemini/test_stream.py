"""Streams in both framings, read and written."""

from __future__ import annotations

import json

import pytest
from google.genai import types

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Audio,
    Citation,
    Cited,
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
    Start,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.gemini import CODEC
from gateway.dialects.sse import events

SSE = [(b"content-type", b"text/event-stream")]


def chunk(*parts: object, **members: object) -> dict[str, object]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **members}], "responseId": "r1"}


def sse(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)


def read(stream: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> list[Event]:
    reader = CODEC.stream_reader(SSE if headers is None else headers)
    return reader.feed(stream) + reader.end()


TEXT_STREAM = (
    {**chunk({"text": "Hel"}), "modelVersion": "gemini-3", "usageMetadata": {"promptTokenCount": 3}},
    chunk({"text": "lo"}),
    {**chunk({"text": ""}, finishReason="STOP"), "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}},
)
TEXT_EVENTS: list[Event] = [
    Start(id="r1", model="gemini-3", usage=Usage(3, 0)),
    PartStart(0, Text(text="")),
    Delta(0, "Hel"),
    Delta(0, "lo"),
    PartEnd(0),
    Finish("stop"),
    End(Usage(3, 2)),
]


def test_text_in_pieces_is_one_part() -> None:
    assert read(sse(*TEXT_STREAM)) == TEXT_EVENTS


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"application/json; charset=UTF-8")]])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_says_the_same(headers: list[tuple[bytes, bytes]], indent: int | None) -> None:
    array = json.dumps(TEXT_STREAM, indent=indent).encode()
    assert read(array, headers) == TEXT_EVENTS
    reader = CODEC.stream_reader(headers)
    found = [event for at in range(len(array)) for event in reader.feed(array[at : at + 1])]
    assert found + reader.end() == TEXT_EVENTS


def test_several_parts_in_a_chunk() -> None:
    found = read(
        sse(
            chunk({"text": "Hm", "thought": True}),
            chunk({"text": ".", "thought": True, "thoughtSignature": "c2ln"}, {"text": "I look."}),
            chunk(
                {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "bW9yZQ=="},
                {"functionCall": {"id": "x", "name": "g"}},
                finishReason="STOP",
            ),
        )
    )
    assert found == [
        Start(id="r1"),
        PartStart(0, Thinking(vendor="gemini")),
        Delta(0, "Hm"),
        Delta(0, "."),
        Delta(0, "c2ln", "signature"),
        PartEnd(0),
        PartStart(1, Text(text="")),
        Delta(1, "I look."),
        PartEnd(1),
        PartStart(2, ToolUse(id="call_r1_0", name="f", arguments="", signature="bW9yZQ==")),
        Delta(2, '{"a": 1}', "arguments"),
        PartEnd(2),
        PartStart(3, ToolUse(id="x", name="g", arguments="")),
        Delta(3, "{}", "arguments"),
        PartEnd(3),
        Finish("tool-use"),
        End(None),
    ]


def test_a_signature_on_text_waits_for_the_end_of_the_text() -> None:
    found = read(sse(chunk({"text": "a", "thoughtSignature": "c2ln"}), chunk({"text": "b"}, finishReason="STOP")))
    assert found[1:] == [
        PartStart(0, Text(text="")),
        Delta(0, "a"),
        Delta(0, "b"),
        PartEnd(0),
        PartStart(1, Thinking(vendor="gemini")),
        Delta(1, "c2ln", "signature"),
        PartEnd(1),
        Finish("stop"),
        End(None),
    ]


def test_candidates_are_told_apart() -> None:
    found = read(
        sse(
            {"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}}]},
            {
                "candidates": [
                    {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
                    {"index": 1, "finishReason": "MAX_TOKENS"},
                ]
            },
            # What comes behind the end of a candidate is not part of it.
            {"candidates": [{"content": {"parts": [{"text": "late"}]}}]},
        )
    )
    assert [event for event in found if isinstance(event, Finish)] == [Finish("stop"), Finish("length", choice=1)]
    assert "late" not in str(found)


def test_a_stream_without_a_finish_is_cut() -> None:
    assert not any(isinstance(event, End | Finish) for event in read(sse(*TEXT_STREAM[:2])))
    assert read(b"") == []
    assert read(b"<html>", []) == []


def test_a_finish_and_then_the_end_is_complete_even_without_the_last_line_end() -> None:
    assert read(sse(*TEXT_STREAM)[:-4]) == TEXT_EVENTS


def test_a_prompt_that_was_blocked() -> None:
    found = read(
        sse({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}})
    )
    assert found == [Start(usage=Usage(3, 0)), Finish("content-filter"), End(Usage(3, 0))]


def test_a_filter_that_lags_behind_ends_the_answer() -> None:
    found = read(sse(TEXT_STREAM[0], {"promptFeedback": {"blockReason": "SAFETY"}}))
    assert found == [*TEXT_EVENTS[:3], PartEnd(0), Finish("content-filter"), End(Usage(3, 0))]


def test_a_bad_event_among_good_ones_is_stepped_over() -> None:
    bad = b'data: {oops\n\ndata: [1]\n\ndata: {"candidates": 3}\n\n: comment\n\n'
    first, *rest = TEXT_STREAM
    assert read(sse(first) + bad + sse(*rest)) == TEXT_EVENTS


@pytest.mark.parametrize("array", [True, False])
def test_an_error_ends_the_stream(array: bool) -> None:
    failed = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    told = (TEXT_STREAM[0], failed, TEXT_STREAM[2])
    found = read(json.dumps(told).encode(), []) if array else read(sse(*told))
    assert found[-1] == Failed("The model is overloaded.", 503, "UNAVAILABLE")
    assert not any(isinstance(event, End) for event in found)


def test_a_call_that_google_could_not_read_is_a_failure() -> None:
    found = read(sse({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, TEXT_STREAM[2]))
    message = "The model's answer ended with MALFORMED_FUNCTION_CALL."
    assert found == [Start(), Failed(message, 500, "MALFORMED_FUNCTION_CALL")]


def test_html_instead_of_a_stream_is_malformed() -> None:
    reader = CODEC.stream_reader([(b"content-type", b"text/html")])
    with pytest.raises(UpstreamFault):
        reader.feed(b"<html>")


def test_an_event_that_does_not_end_is_malformed() -> None:
    reader = CODEC.stream_reader([])
    for piece in (b'[{"candidates": "', *[b"x" * 1024 * 1024] * 15):
        assert reader.feed(piece) == []
    with pytest.raises(UpstreamFault):
        reader.feed(b"x" * 1024 * 1024)


def write(*written: Event, framing: str = "sse") -> bytes:
    array = framing == "json-array"
    echo = Echo(id="request-1", model="asked", created=1, framing="json-array" if array else "sse")
    writer = CODEC.stream_writer(echo)
    return b"".join([writer.write([event]) for event in written])


def chunks(stream: bytes) -> list[types.GenerateContentResponse]:
    """As the SDK reads them, which refuses members that Google does not have."""
    return [types.GenerateContentResponse.model_validate_json(event.data) for event in events(stream)]


def test_text_is_written_piece_by_piece_and_the_end_with_usage() -> None:
    stream = write(*TEXT_EVENTS, Ping())
    assert stream == (
        b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}],'
        b'"modelVersion":"asked","responseId":"r1"}\r\n\r\n'
        b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"lo"}]},"index":0}],'
        b'"modelVersion":"asked","responseId":"r1"}\r\n\r\n'
        b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}],'
        b'"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},'
        b'"modelVersion":"asked","responseId":"r1"}\r\n\r\n'
    )
    assert "".join(one.text or "" for one in chunks(stream)) == "Hello"


def test_the_array_framing_is_one_json_document() -> None:
    array = json.loads(write(*TEXT_EVENTS, framing="json-array"))
    assert array == [json.loads(event.data) for event in events(write(*TEXT_EVENTS))]


def test_a_cut_array_can_be_closed_by_an_error() -> None:
    cut = write(*TEXT_EVENTS[:4], framing="json-array") + b',\n{"error":{}}]'
    assert json.loads(cut)[-1] == {"error": {}}


def test_interleaved_calls_are_written_whole() -> None:
    stream = write(
        Start(),
        PartStart(0, ToolUse(id="a", name="f", arguments="")),
        PartStart(1, ToolUse(id="b", name="g", arguments="")),
        Delta(0, '{"x"', "arguments"),
        Delta(1, '{"y": 2}', "arguments"),
        Delta(0, ": 1}", "arguments"),
        PartEnd(0),
        Delta(1, "c2ln", "signature"),
        Finish("tool-use"),
        End(Usage(1, 1)),
    )
    found = chunks(stream)
    calls = [call for one in found for call in one.function_calls or ()]
    assert [(call.id, call.name, call.args) for call in calls] == [("a", "f", {"x": 1}), ("b", "g", {"y": 2})]
    assert found[0].response_id == "request-1"


def test_a_malformed_call_is_told_in_the_last_chunk() -> None:
    stream = write(
        Start(), PartStart(0, ToolUse(id="a", name="f", arguments="")), Delta(0, "{oops", "arguments"), PartEnd(0),
        Finish("tool-use"), End(),
    )  # fmt: skip
    (last,) = chunks(stream)
    assert last.candidates is not None
    assert last.candidates[0].finish_reason == types.FinishReason.MALFORMED_FUNCTION_CALL
    assert last.candidates[0].finish_message == "Malformed function call: f({oops)"


def test_thoughts_media_citations_and_log_probabilities() -> None:
    citation = Citation(url="https://a", title="A", start=0, end=2)
    stream = write(
        Start(id="r1"),
        PartStart(0, Thinking(vendor="gemini")), Delta(0, "Hm."), Delta(0, "c2", "signature"),
        Delta(0, "ln", "signature"), PartEnd(0),
        PartStart(1, Text(text="")), Delta(1, "Zü", logprobs=(TokenLogprob("Zü", -1.0),)), Cited(1, citation),
        Delta(1, "rich"), PartEnd(1),
        PartStart(2, Image(content=Blob(memoryview(b"aGk=")), media_type="image/png")), PartEnd(2),
        PartStart(3, Audio(media_type="audio/pcm")), Delta(3, "aGk=", "audio"), Delta(3, "said", "transcript"),
        PartEnd(3),
        Finish("stop"), End(),
    )  # fmt: skip
    found = [json.loads(event.data)["candidates"][0] for event in events(stream)]
    assert [one["content"]["parts"][0] for one in found] == [
        {"text": "Hm.", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Zü"},
        {"text": "rich"},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inlineData": {"mimeType": "audio/pcm", "data": "aGk="}},
        {"text": "said"},
        {"text": ""},
    ]
    assert found[2]["logprobsResult"]["chosenCandidates"] == [{"token": "Zü", "logProbability": -1.0}]
    assert found[-1]["groundingMetadata"] == {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 3}, "groundingChunkIndices": [0]}],
    }
    assert len(chunks(stream)) == 8


def test_an_error_is_left_to_the_edge() -> None:
    assert write(Start(), Failed("x", 500)) == b""
