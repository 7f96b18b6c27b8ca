"""Laws of Anthropic's codec: cuts do not matter, a stream says what a whole reply says, what is written is read back,
and nothing but a clear error leaves a reader, whatever the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.anthropic import CODEC
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Choice,
    Citation,
    Delta,
    Document,
    Echo,
    End,
    Event,
    Finish,
    Image,
    Message,
    Part,
    PartEnd,
    PartStart,
    Reasoning,
    Request,
    Start,
    StopReason,
    TargetFacts,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.sse import events as sse_events
from tests.support.any_request import REQUESTS
from tests.support.fold import fold

CALL = Call("anthropic", "messages", "/messages", "v1", "claude-opus-5-5")
FACTS = TargetFacts(model="claude-opus-5-5", provider="anthropic")
ECHO = Echo(id="msg_gateway", model="asked-model", created=1_700_000_000)
_STREAM_EVENT: TypeAdapter[object] = TypeAdapter(RawMessageStreamEvent)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = [
    "type", "text", "content", "role", "model", "messages", "system", "tools", "name", "input", "id", "source", "data",
    "url", "index", "delta", "content_block", "message", "usage", "error", "thinking", "signature", "citations",
    "tool_use_id", "stop_reason", "partial_json", "citation", "input_tokens", "output_tokens", "cache_control",
    "tool_choice", "output_config", "input_schema", "metadata", "max_tokens", "format", "schema", "media_type",
]  # fmt: skip
_WORDS = [
    "text", "tool_use", "tool_result", "thinking", "redacted_thinking", "image", "document", "base64", "url", "user",
    "assistant", "system", "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop", "error", "ping", "text_delta", "input_json_delta", "signature_delta",
    "citations_delta", "thinking_delta", "message", "end_turn", "search_result", "enabled", "adaptive", "json_schema",
]  # fmt: skip
_near = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=6),
    max_leaves=24,
)
_text = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "")
_ident = st.text("abcXYZ019_-", min_size=1, max_size=12)
_object = st.dictionaries(st.text(max_size=5), _json, max_size=3).map(json.dumps)
_cache = st.sampled_from([None, None, "5m", "1h"])
_quote = st.builds(Citation, url=_text, title=_text, quote=st.text(max_size=10))
_usage = st.builds(
    lambda fresh, cached, short, long, output, thought: Usage(
        fresh + cached + short + long, output, cached, short, long, min(thought, output)
    ),
    *[st.integers(0, 10_000)] * 6,
)
_answer_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=st.text(min_size=1, max_size=20), citations=st.lists(_quote, max_size=2).map(tuple)),
    st.builds(Thinking, text=st.text(max_size=20), signature=_ident, vendor=st.just("anthropic")),
    st.builds(Thinking, redacted=_ident, vendor=st.just("anthropic")),
    st.builds(ToolUse, id=_ident, name=_ident, arguments=_object),
)
_stops: list[StopReason] = ["stop", "length", "tool-use", "pause", "refusal"]
_answer = st.builds(
    Answer,
    id=_ident,
    model=st.just(ECHO.model),
    choices=st.builds(Choice, parts=st.lists(_answer_part, max_size=5).map(tuple), stop=st.sampled_from(_stops)).map(
        lambda choice: (choice,)
    ),
    usage=_usage,
)


def _cut(block: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(block) + 1) for cut in cuts), len(block)]
    return [block[a:b] for a, b in pairwise(edges)]


def _read(chunks: list[bytes]) -> list[Event]:
    reader = CODEC.stream_reader([])
    found: list[Event] = []
    for chunk in chunks:
        found += reader.feed(chunk)
    return found + reader.end()


def _events_of(answer: Answer, overlap: bool) -> list[Event]:
    """The answer as a stream; overlap: all parts begin before the first ends, and grow in turn."""
    out: list[Event] = [Start(id=answer.id, model=answer.model)]
    choice = answer.choices[0]
    grown: list[list[Event]] = []
    for index, part in enumerate(choice.parts):
        match part:
            case Text():
                first: Event = PartStart(index, Text(text="", citations=part.citations))
                rest = [Delta(index, letter) for letter in part.text]
            case Thinking(redacted=redacted) if redacted:
                first, rest = PartStart(index, part), []
            case Thinking():
                first = PartStart(index, Thinking(vendor=part.vendor))
                rest = [Delta(index, letter) for letter in part.text] + [Delta(index, part.signature, "signature")]
            case ToolUse():
                first = PartStart(index, ToolUse(id=part.id, name=part.name, arguments=""))
                rest = [Delta(index, letter, "arguments") for letter in part.arguments]
            case _:
                raise AssertionError(part)
        grown.append([first, *rest, PartEnd(index)])
    if overlap:
        out += [one[0] for one in grown]
        for turn in range(1, max(map(len, grown), default=1)):
            out += [one[turn] for one in reversed(grown) if turn < len(one)]
    else:
        out += [event for one in grown for event in one]
    return [*out, Finish(choice.stop, choice.stop_sequence), End(answer.usage)]


@given(answer=_answer)
def test_a_written_reply_is_read_back_and_a_strict_client_takes_it(answer: Answer) -> None:
    written = CODEC.write_reply(answer, ECHO)
    SdkMessage.model_validate_json(written, strict=True)
    again = CODEC.read_reply(written, [])
    assert _plain(again) == _plain(answer)


@given(answer=_answer, overlap=st.booleans(), cuts=st.lists(st.integers(0), max_size=6))
def test_a_stream_says_what_the_whole_reply_says_however_it_is_cut(
    answer: Answer, overlap: bool, cuts: list[int]
) -> None:
    writer = CODEC.stream_writer(ECHO)
    written = writer.write(_events_of(answer, overlap))
    for event in sse_events(written):
        assert event.event.decode() == msgspec.json.decode(event.data)["type"]
        _STREAM_EVENT.validate_json(event.data)
    chunks = _cut(written, cuts)
    found = _read(chunks)
    assert found == _read([written])
    assert _plain(fold(found)) == _plain(CODEC.read_reply(CODEC.write_reply(answer, ECHO), []))


@given(answer=_answer, overlap=st.booleans())
def test_blocks_are_written_one_after_the_other(answer: Answer, overlap: bool) -> None:
    written = CODEC.stream_writer(ECHO).write(_events_of(answer, overlap))
    open_block: int | None = None
    following = 0
    for sent in sse_events(written):
        event = msgspec.json.decode(sent.data)
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == following
                open_block = following
            case "content_block_delta":
                assert event["index"] == open_block
            case "content_block_stop":
                assert event["index"] == open_block
                open_block, following = None, following + 1
            case _:
                assert open_block is None
    assert following == len(answer.choices[0].parts)


def _plain(answer: Answer) -> object:
    """The answer with what JSON may write in several ways made one: arguments."""
    parts = [
        msgspec.structs.replace(part, arguments=json.dumps(json.loads(part.arguments), sort_keys=True))
        if isinstance(part, ToolUse)
        else part
        for part in answer.choices[0].parts
    ]
    choice = msgspec.structs.replace(answer.choices[0], parts=tuple(parts))
    return msgspec.structs.replace(answer, choices=(choice,), service_tier="")


_user_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=_text, cache=_cache),
    st.builds(Image, url=_text, cache=_cache),
    st.builds(
        Document, text=_text, media_type=st.just("text/plain"), name=st.just("") | _text, citations=st.booleans()
    ),
)
_result = st.builds(
    ToolResult,
    id=_ident,
    content=st.lists(st.builds(Text, text=_text), min_size=1, max_size=2).map(tuple),
    error=st.booleans(),
    cache=_cache,
)
_assistant_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=_text, cache=_cache),
    st.builds(Thinking, text=st.text(max_size=9), signature=_ident, vendor=st.just("anthropic")),
    st.builds(ToolUse, id=_ident, name=_ident, arguments=_object),
)


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    """What Anthropic's format says as the canonical form does: turns take turns, results stand in front."""
    messages: list[Message] = []
    names: dict[str, str] = {}
    for number in range(draw(st.integers(0, 2)) * 2 + 1):
        if number % 2:
            parts = draw(st.lists(_assistant_part, min_size=1, max_size=3))
            names |= {part.id: part.name for part in parts if isinstance(part, ToolUse)}
            messages.append(Message("assistant", tuple(parts)))
        else:
            results = draw(st.lists(_result, max_size=2))
            named = [msgspec.structs.replace(result, name=names.get(result.id, "")) for result in results]
            messages.append(Message("user", (*named, *draw(st.lists(_user_part, min_size=1, max_size=3)))))
    # A history with calls in it is refused where no tool is told of.
    called = {part.name for one in messages for part in one.parts if isinstance(part, ToolUse)}
    tools = tuple(
        Tool(name=name, description=draw(st.text(max_size=5)), parameters=msgspec.Raw(b'{"type":"object"}'))
        for name in sorted({*called, *draw(st.lists(_ident, max_size=2))})
    )
    choices = [ToolChoice(mode="auto"), ToolChoice(mode="any", parallel=False), ToolChoice(mode="none")]
    return Request(
        model=CALL.model,
        messages=tuple(messages),
        system=tuple(draw(st.lists(st.builds(Text, text=_text, cache=_cache), max_size=2))),
        tools=tools,
        tool_choice=draw(st.sampled_from([None, *choices])) if tools else None,
        reasoning=None if tools else draw(st.sampled_from([None, Reasoning(effort="high", budget=-1)])),
        max_tokens=draw(st.integers(1, 9999)),
        stop=tuple(draw(st.lists(_text, max_size=2))),
        stream=draw(st.booleans()),
        wants_usage=True,
        user=draw(st.just("") | _ident),
    )


@given(request=_requests())
def test_a_written_request_is_read_back_with_nothing_lost(request: Request) -> None:
    encoded = CODEC.write_request(request, FACTS)
    assert encoded.losses == ()
    again = CODEC.read_request(encoded.body, CALL)
    assert _comparable(again) == _comparable(request)


def _comparable(request: Request) -> object:
    """As builtins, with arguments and schemas as values."""

    def plain(one: object) -> object:
        return bytes(one).decode() if isinstance(one, msgspec.Raw) else str(one)

    tree: dict[str, Any] = msgspec.to_builtins(request, enc_hook=plain)
    tree["tools"] = [
        {**tool, "parameters": json.loads(bytes(one.parameters or b"null"))}
        for tool, one in zip(tree["tools"], request.tools, strict=True)
        if isinstance(one, Tool)
    ]
    for message in tree["messages"]:
        for part in message["parts"]:
            if "arguments" in part:
                part["arguments"] = json.loads(part["arguments"])
    return tree


_facts = st.builds(
    TargetFacts,
    model=st.sampled_from(
        [
            "claude-3-haiku-20240307",
            "claude-sonnet-4-5",
            "claude-opus-4-1-20250805",
            "claude-opus-4-6",
            "claude-opus-5-5",
            "claude-mythos-5-2",
            "another-vendors-model",
        ]
    ),
    max_output=st.sampled_from([0, 4096]),
    reasoning=st.sampled_from([None, False]),
    provider=st.sampled_from(["", "anthropic", "vertex", "deepseek"]),
)


@given(request=REQUESTS, facts=_facts)
def test_whatever_is_asked_is_written_as_anthropic_demands(request: Request, facts: TargetFacts) -> None:
    body = msgspec.json.decode(CODEC.write_request(request, facts).body)
    assert body["max_tokens"] >= 1
    assert ("model" in body) != ("anthropic_version" in body)
    turns = body["messages"]
    assert turns[0]["role"] == "user"
    assert all(before["role"] != after["role"] for before, after in pairwise(turns))
    used = False
    for turn in turns:
        assert turn["content"]
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        kinds = [block["type"] for block in blocks]
        if turn["role"] == "user":
            assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        used = used or "tool_use" in kinds
        assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    assert not used or body["tools"]
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled":
        assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
    if thinking.get("type") in ("enabled", "adaptive"):
        assert "temperature" not in body
        assert "top_k" not in body
    if thinking.get("type") == "enabled":
        assert body.get("tool_choice", {"type": "auto"})["type"] in ("auto", "none")


def _survives(read: Callable[[], object]) -> None:
    with suppress(GatewayError, UpstreamFault):
        read()


@given(body=st.binary(max_size=80) | _near.map(json.dumps).map(str.encode) | _json.map(json.dumps).map(str.encode))
def test_no_bytes_make_a_reader_raise_anything_but_a_clear_error(body: bytes) -> None:
    _survives(lambda: CODEC.read_request(body, CALL))
    _survives(lambda: CODEC.read_reply(body, []))
    _survives(lambda: _read([body]))


_block = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(_WORDS),
    st.dictionaries(st.sampled_from(_NAMES), _near, max_size=5),
)
_turn = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.sampled_from(["", "hi"]) | st.lists(_block, max_size=3),
    }
)


@given(messages=st.lists(_near | _turn, max_size=4), rest=st.dictionaries(st.sampled_from(_NAMES), _near, max_size=4))
def test_a_request_that_is_nearly_one_is_read_or_refused_and_then_written(messages: list[object], rest: object) -> None:
    assert isinstance(rest, dict)
    body = json.dumps({**rest, "messages": messages}).encode()
    with suppress(GatewayError):
        request = CODEC.read_request(body, CALL)
        msgspec.json.decode(CODEC.write_request(request, FACTS).body)


@given(sent=st.lists(st.dictionaries(st.sampled_from(_NAMES), _near, max_size=6), max_size=8))
def test_odd_events_keep_the_grammar(sent: list[dict[str, object]]) -> None:
    block = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in sent)
    found = _read([block])
    fold(found)
    for event in sse_events(CODEC.stream_writer(ECHO).write(found)):
        kind = msgspec.json.decode(event.data)["type"]
        if kind != "ping":
            _STREAM_EVENT.validate_json(event.data)


@pytest.mark.parametrize("cache", ["5m", "1h"])
def test_a_picture_goes_through_as_it_came(cache: str) -> None:
    content = Blob(memoryview(b"iVBORw0KGgo="))
    picture = Image(content=content, media_type="image/png", cache=cache)  # type: ignore[arg-type]
    request = Request(model="m", messages=(Message("user", (picture,)),), max_tokens=1)
    encoded = CODEC.write_request(request, FACTS)
    again = CODEC.read_request(encoded.body, CALL).messages[0].parts[0]
    assert isinstance(again, Image)
    assert again.content is not None
    assert (again.content.text(), again.media_type, again.cache) == ("iVBORw0KGgo=", "image/png", cache)
