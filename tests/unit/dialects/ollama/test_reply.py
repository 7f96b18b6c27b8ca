"""Replies of Ollama's own chat, whole and streamed."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Answer,
    Choice,
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
from gateway.dialects.fold import fold
from gateway.dialects.ollama import CODEC

DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 298, "total_duration": 5191566416}


def read(message: object, **members: object) -> Answer:
    reply = {"model": "llama3.2", "created_at": "2026-11-20T14:02:47Z", "message": message, **DONE, **members}
    return CODEC.read_reply(json.dumps(reply).encode(), [])


def test_text_and_thoughts() -> None:
    found = read(
        {"role": "assistant", "thinking": "Hm.", "content": "Hi"},
        logprobs=[{"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": [{"token": "Hi", "logprob": -0.5}]}],
    )
    assert found == Answer(
        model="llama3.2",
        choices=(
            Choice(
                parts=(Thinking(text="Hm.", vendor="ollama"), Text(text="Hi")),
                logprobs=(TokenLogprob("Hi", -0.5, (("Hi", -0.5),)),),
            ),
        ),
        usage=Usage(26, 298),
    )


def test_calls_have_ids_that_stay_the_same() -> None:
    calls = [
        {"function": {"name": "f", "arguments": {"a": 1}}},
        {"function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "x", "function": {"name": "g"}},
        {"function": {}},
    ]
    found = read({"content": "", "tool_calls": calls})
    assert found == read({"content": "", "tool_calls": calls})
    (choice,) = found.choices
    assert choice.stop == "tool-use"
    assert choice.parts == (
        ToolUse(id="call_2026-11-20T140247Z_0", name="f", arguments='{"a": 1}'),
        ToolUse(id="call_2026-11-20T140247Z_1", name="f", arguments='{"a": 1}'),
        ToolUse(id="x", name="g", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("reason", "stop"), [("stop", "stop"), ("length", "length"), ("load", "other"), ("new", "other"), (None, "stop")]
)
def test_why_it_stopped(reason: str | None, stop: StopReason) -> None:
    assert read({"content": "Hi"}, done_reason=reason).choices[0].stop == stop


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": None, "eval_count": 3}, Usage(0, 3)),
        ({"prompt_eval_count": None, "eval_count": None}, None),
        ({"prompt_eval_count": -1}, None),
    ],
)
def test_counts_that_are_missing_or_absurd(counts: dict[str, object], usage: Usage | None) -> None:
    assert read({"content": "Hi"}, **counts).usage == usage


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error":"no such model"}', b'{"message":3}', b"{"])
def test_what_is_no_reply_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamFault) as caught:
        CODEC.read_reply(body, [])
    assert caught.value.kind == "malformed"


def lines(*found: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in found)


def run(chunks: list[bytes]) -> list[Event]:
    reader = CODEC.stream_reader([(b"content-type", b"application/x-ndjson")])
    found = [event for chunk in chunks for event in reader.feed(chunk)]
    return found + reader.end()


STREAM = lines(
    {"model": "qwen3", "message": {"role": "assistant", "content": "", "thinking": "Hm"}, "done": False},
    {"model": "qwen3", "message": {"role": "assistant", "content": "", "thinking": "."}, "done": False},
    {"model": "qwen3", "message": {"role": "assistant", "content": "Hi"}, "done": False},
    {"message": {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]}, "done": False},
    {"message": {"role": "assistant", "content": ""}, **DONE},
)
EVENTS = [
    Start(model="qwen3"),
    PartStart(0, Thinking(vendor="ollama")),
    Delta(0, "Hm"),
    Delta(0, "."),
    PartEnd(0),
    PartStart(1, Text(text="")),
    Delta(1, "Hi"),
    PartEnd(1),
    PartStart(2, ToolUse(id="a", name="f", arguments="")),
    Delta(2, "{}", "arguments"),
    PartEnd(2),
    Finish("tool-use"),
    End(Usage(26, 298)),
]


def test_a_stream_is_a_line_for_each_piece() -> None:
    assert run([STREAM]) == EVENTS
    # The last line may lack its end; what comes behind it is nothing.
    assert run([STREAM[:-1]]) == EVENTS
    assert run([STREAM + STREAM]) == EVENTS


def test_a_bad_line_among_good_ones_is_stepped_over() -> None:
    first, rest = STREAM.split(b"\n", 1)
    assert run([first + b"\n{oops\n\n[]\n" + rest]) == EVENTS


def test_a_stream_without_its_end_is_cut() -> None:
    assert not any(isinstance(event, End | Finish) for event in run([STREAM[:300]]))


def test_an_error_ends_the_stream() -> None:
    assert run([lines({"error": "out of memory"}), STREAM]) == [Failed("out of memory")]


def test_html_instead_of_a_stream_is_malformed() -> None:
    reader = CODEC.stream_reader([(b"content-type", b"text/html")])
    with pytest.raises(UpstreamFault):
        reader.feed(b"<html>")


def test_a_line_that_does_not_end_is_malformed() -> None:
    reader = CODEC.stream_reader([])
    for _ in range(16):
        assert reader.feed(b"x" * 1024 * 1024) == []
    with pytest.raises(UpstreamFault):
        reader.feed(b"x")


texts = st.text(st.characters(codec="utf-8"), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
calls = st.lists(
    st.builds(lambda name, value: {"function": {"name": name, "arguments": {"a": value}}}, texts, scalars), max_size=2
)
messages = st.fixed_dictionaries({}, optional={"content": texts, "thinking": texts, "tool_calls": calls})
chunks = st.fixed_dictionaries(
    {},
    optional={
        "message": messages | values,
        "done": st.booleans(),
        "done_reason": texts,
        "eval_count": scalars,
        "error": scalars,
    },
)
streams = st.lists(chunks | values, max_size=5).map(lambda found: lines(*found)) | st.binary(max_size=60)


@given(streams, st.lists(st.integers(0), max_size=12))
def test_how_a_stream_was_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    bounds = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    whole = run([stream])
    assert run([stream[start:end] for start, end in itertools.pairwise(bounds)]) == whole
    assert run([stream[at : at + 1] for at in range(len(stream))]) == whole


@given(messages)
def test_a_stream_of_one_line_is_the_whole_reply(message: dict[str, object]) -> None:
    reply = {"model": "m", "message": message, **DONE}
    assert fold(run([lines(reply)])) == CODEC.read_reply(json.dumps(reply).encode(), [])


@given(st.binary(max_size=60) | (chunks | values).map(lambda found: json.dumps(found).encode()))
def test_any_reply_is_read_or_malformed(body: bytes) -> None:
    try:
        CODEC.read_reply(body, [])
    except UpstreamFault as fault:
        told = str(fault.kind)
    else:
        told = "malformed"
    assert told == "malformed"
