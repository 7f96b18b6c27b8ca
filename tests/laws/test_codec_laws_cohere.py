"""Laws of the Cohere codec: any cutting of the same bytes says the same, a stream amounts to the whole reply, and no
bytes whatever make it raise what it must not."""

from __future__ import annotations

import itertools
import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.dialects.canonical import Cited, Delta, End, Event, Finish, PartEnd, PartStart, Start
from gateway.dialects.cohere import CODEC
from gateway.dialects.fold import fold

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
names = st.text("abcdef_", min_size=1, max_size=6)
kinds = st.sampled_from(
    [
        "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
        "tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end", "debug", "error", "new",
    ]
)  # fmt: skip
usages = st.builds(
    lambda given, taken: {"billed_units": {"input_tokens": given, "output_tokens": taken}},
    st.integers(-1, 99) | st.none(),
    st.integers(0, 99),
)
contents = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "thinking", "new"]), "text": texts, "thinking": texts}
)
calls = st.fixed_dictionaries(
    {},
    optional={
        "id": names,
        "function": st.fixed_dictionaries({}, optional={"name": names, "arguments": texts}),
    },
)
told = st.none() | st.integers() | texts | st.dictionaries(st.sampled_from(["title", "url", "text", "x"]), texts)
sources = st.lists(
    st.just({"type": "document", "document": {"title": "T"}})
    | st.fixed_dictionaries({}, optional={"id": names, "document": told, "tool_output": told}),
    max_size=2,
)
citations = st.fixed_dictionaries(
    {},
    optional={
        "start": st.integers(-1, 5),
        "end": st.integers(0, 9),
        "sources": sources,
        "content_index": st.integers(0, 2),
    },
)
messages: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {},
    optional={
        "content": contents | st.just([]),
        "tool_plan": texts,
        "tool_calls": calls | st.just([]),
        "citations": citations | st.just([]),
    },
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "message": messages,
        "finish_reason": st.sampled_from(["COMPLETE", "TOOL_CALL", "ERROR", "NEW"]),
        "usage": usages,
        "error": st.none() | texts,
    },
)
sent = st.fixed_dictionaries(
    {}, optional={"type": kinds, "id": names, "index": st.integers(0, 2), "delta": deltas, "message": texts}
)
scalars = st.none() | st.booleans() | st.integers() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
streams = st.lists(sent | values, max_size=6).map(
    lambda found: b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in found)
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in itertools.pairwise(bounds)]


def run(chunks: list[bytes]) -> list[Event]:
    reader = CODEC.stream_reader([])
    found: list[Event] = []
    for chunk in chunks:
        found += reader.feed(chunk)
    return found + reader.end()


@given(streams | st.binary(max_size=60), st.lists(st.integers(0), max_size=12))
def test_how_a_stream_was_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    whole = run([stream])
    assert run(cut(stream, places)) == whole
    assert run([stream[at : at + 1] for at in range(len(stream))]) == whole


@given(streams)
def test_the_events_keep_the_grammar(stream: bytes) -> None:
    open_parts: set[int] = set()
    known: set[int] = set()
    found = run([stream])
    for at, event in enumerate(found):
        match event:
            case Start():
                assert at == 0
            case PartStart(index=index):
                assert index == len(known)
                known.add(index)
                open_parts.add(index)
            case Delta(index=index):
                assert index in open_parts
            case Cited(index=index):
                assert index in known
            case PartEnd(index=index):
                open_parts.remove(index)
            case Finish():
                assert not open_parts
                assert isinstance(found[at + 1], End)
            case _:
                assert at == len(found) - 1


whole_messages = st.fixed_dictionaries(
    {},
    optional={
        "content": st.lists(
            texts.map(lambda text: {"type": "text", "text": text})
            | texts.map(lambda text: {"type": "thinking", "thinking": text}),
            max_size=3,
        ),
        "tool_plan": texts,
        "tool_calls": st.lists(
            st.builds(lambda name, text: {"id": name, "function": {"name": name, "arguments": text}}, names, texts),
            max_size=2,
        ),
        "citations": st.lists(citations, max_size=2),
    },
)


@given(whole_messages, usages)
def test_a_stream_amounts_to_the_whole_reply(message: dict[str, list[dict[str, object]]], usage: object) -> None:
    reply = {"id": "r", "finish_reason": "COMPLETE", "message": message, "usage": usage}
    events: list[dict[str, object]] = [{"type": "message-start", "id": "r"}]
    for at, content in enumerate(message.get("content", [])):
        blank = {"type": content["type"], str(content["type"]): ""}
        events.append({"type": "content-start", "index": at, "delta": {"message": {"content": blank}}})
        more = {name: value for name, value in content.items() if name != "type"}
        events.append({"type": "content-delta", "index": at, "delta": {"message": {"content": more}}})
        events.append({"type": "content-end", "index": at})
    if "tool_plan" in message:
        events.append({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": message["tool_plan"]}}})
    for at, call in enumerate(message.get("tool_calls", [])):
        events.append({"type": "tool-call-start", "index": at, "delta": {"message": {"tool_calls": call}}})
        events.append({"type": "tool-call-end", "index": at})
    events += [
        {"type": "citation-start", "delta": {"message": {"citations": citation}}}
        for citation in message.get("citations", [])
    ]
    events.append({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}})
    stream = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)
    assert fold(run([stream])) == CODEC.read_reply(json.dumps(reply).encode(), [])


odd = st.dictionaries(st.sampled_from(["id", "finish_reason", "message", "usage", "logprobs"]), values | messages)


@given(st.binary(max_size=60) | (odd | values).map(lambda found: json.dumps(found).encode()))
def test_any_reply_is_read_or_malformed(body: bytes) -> None:
    try:
        found = msgspec.structs.astuple(CODEC.read_reply(body, []))
    except UpstreamFault as fault:
        told = str(fault.kind)
    else:
        told = "malformed" if found else ""
    assert told == "malformed"
