"""Laws of OpenAI's two codecs: cuts do not matter, a stream says what a whole reply says, what is written is read back
and is what OpenAI's own SDK takes, and nothing but a clear error leaves a reader, whatever the bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Cited,
    Delta,
    Document,
    Echo,
    End,
    Event,
    Finish,
    Format,
    Image,
    Message,
    Part,
    PartEnd,
    PartStart,
    Ping,
    Reasoning,
    Refusal,
    Request,
    Sampling,
    Start,
    StopReason,
    TargetFacts,
    Text,
    Thinking,
    TokenLogprob,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.codec import Codec
from gateway.dialects.fold import fold
from gateway.dialects.openai_chat import CODEC as CHAT
from gateway.dialects.openai_responses import CODEC as RESPONSES
from gateway.dialects.sse import events as sse_events

BOTH = pytest.mark.parametrize("codec", [CHAT, RESPONSES], ids=lambda codec: codec.name)
CALL = Call("openai", "chat", "/chat/completions", "v1", "asked-model")
ECHO = Echo(id="id-of-request", model="asked-model", created=1_700_000_000)
FACTS = TargetFacts(model="asked-model", provider="openai")
_EVENT: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    _scalars | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = [
    "type", "text", "content", "role", "model", "messages", "input", "instructions", "tools", "name", "id", "index",
    "delta", "choices", "message", "usage", "error", "tool_calls", "function", "arguments", "function_call",
    "finish_reason", "logprobs", "reasoning_content", "reasoning_details", "image_url", "url", "input_audio", "data",
    "file", "file_data", "file_id", "refusal", "tool_call_id", "call_id", "output", "summary", "encrypted_content",
    "response", "item", "part", "output_index", "content_index", "status", "annotations", "url_citation", "audio",
    "tool_choice", "response_format", "json_schema", "schema", "stop", "object", "custom", "thinking", "created",
    "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "incomplete_details", "reason", "text",
]  # fmt: skip
_WORDS = [
    "text", "image_url", "input_audio", "file", "refusal", "function", "custom", "user", "assistant", "system", "tool",
    "developer", "message", "input_text", "output_text", "input_image", "input_file", "reasoning", "function_call",
    "function_call_output", "item_reference", "web_search_call", "custom_tool_call", "auto", "required", "none",
    "stop", "tool_calls", "length", "json_schema", "json_object", "completed", "incomplete", "failed", "thinking",
    "response.created", "response.output_item.added", "response.output_text.delta", "response.output_item.done",
    "response.completed", "response.failed", "response.reasoning_summary_text.delta", "reasoning.text", "high",
    "response.function_call_arguments.delta", "response.content_part.added", "response.refusal.delta", "error",
    "data:image/png;base64,AAAA", "data:,x", "reasoning.encrypted", "allowed_tools", "max_output_tokens",
]  # fmt: skip
_near = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=6),
    max_leaves=24,
)
_text = st.text(min_size=1, max_size=20)
_ident = st.text("abcXYZ019_-", min_size=1, max_size=12)
_base64 = st.sampled_from(["AAAA", "aGVsbG8=", "iVBORw0KGgo="]).map(lambda text: Blob(memoryview(text.encode())))
_object = st.dictionaries(st.text(max_size=5), _json, max_size=3).map(json.dumps)
_raw = _object.map(lambda text: msgspec.Raw(text.encode()))
_usage = st.builds(
    lambda fresh, cached, short, long, output, thought: Usage(
        fresh + cached + short + long, output, cached, short, long, min(thought, output)
    ),
    *[st.integers(0, 10_000)] * 6,
)

_call = st.builds(ToolUse, id=_ident, name=_ident, arguments=_object, signature=st.just("") | _ident)
_answer_parts = st.one_of(
    st.builds(lambda text: (Text(text=text),), _text),
    st.builds(lambda text: (Refusal(text=text),), _text),
    st.builds(
        lambda thought, text, calls: (thought, *text, *calls),
        st.builds(Thinking, text=_text, signature=_ident, vendor=st.just("anthropic")),
        st.lists(st.builds(Text, text=_text), max_size=1),
        st.lists(_call, max_size=3),
    ),
    st.lists(_call, min_size=1, max_size=3).map(tuple),
)


def _stop_for(parts: tuple[Part, ...], length: bool) -> StopReason:
    if length:
        return "length"
    if any(isinstance(part, ToolUse) for part in parts):
        return "tool-use"
    return "refusal" if any(isinstance(part, Refusal) for part in parts) else "stop"


_choice = st.builds(
    lambda parts, length: Choice(parts=parts, stop=_stop_for(parts, length)), _answer_parts, st.booleans()
)
_answer = st.builds(
    Answer,
    id=_ident,
    model=st.just(ECHO.model),
    created=st.integers(1, 2_000_000_000),
    choices=_choice.map(lambda choice: (choice,)),
    usage=_usage,
)

_any_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(
        Text,
        text=st.text(max_size=20),
        citations=st.lists(
            st.builds(Citation, url=_text, title=_text, quote=_text, start=st.integers(-1, 5), end=st.integers(-1, 9)),
            max_size=2,
        ).map(tuple),
    ),
    st.builds(Refusal, text=st.text(max_size=20)),
    st.builds(Thinking, text=st.text(max_size=20), signature=st.just("") | _ident, vendor=_ident, id=st.just("")),
    st.builds(Thinking, text=st.text(max_size=5), redacted=_ident, vendor=st.sampled_from(["openai", "anthropic"])),
    _call,
    st.builds(Image, content=_base64, media_type=st.just("image/png")),
    st.builds(Audio, content=_base64, media_type=st.just("audio/wav"), transcript=st.text(max_size=9)),
)
_logprobs = st.lists(
    st.builds(TokenLogprob, _text, st.floats(-9, 0), st.just((("a", -1.0), ("\u00e4", -2.0)))), max_size=2
).map(tuple)
_stops: list[StopReason] = [
    "stop", "length", "tool-use", "stop-sequence", "content-filter", "refusal", "pause", "error", "other",
]  # fmt: skip
_any_answer = st.builds(
    Answer,
    id=st.just("") | _ident,
    model=_ident,
    choices=st.lists(
        st.builds(
            Choice, parts=st.lists(_any_part, max_size=5).map(tuple), stop=st.sampled_from(_stops), logprobs=_logprobs
        ),
        max_size=3,
    ).map(lambda found: tuple(msgspec.structs.replace(one, index=at) for at, one in enumerate(found))),
    usage=st.none() | _usage,
    service_tier=st.sampled_from(["", "default", "standard"]),
)


def _pieces(part: Part, index: int, choice: int) -> list[Event]:
    """The part as a stream has it, a letter at a time."""
    out: list[Event] = []

    def grow(text: str, kind: Any = "text") -> None:
        out.extend(Delta(index, letter, kind, choice) for letter in text)

    match part:
        case Text():
            out.append(PartStart(index, Text(text=""), choice))
            grow(part.text)
            out += [Cited(index, citation, choice) for citation in part.citations]
        case Refusal():
            out.append(PartStart(index, Refusal(text=""), choice))
            grow(part.text)
        case Thinking():
            out.append(PartStart(index, Thinking(vendor=part.vendor, id=part.id), choice))
            grow(part.text)
            if part.signature:
                out.append(Delta(index, part.signature, "signature", choice))
            if part.redacted:
                out.append(Delta(index, part.redacted, "redacted", choice))
        case ToolUse():
            start = ToolUse(id=part.id, name=part.name, arguments="", signature=part.signature)
            out.append(PartStart(index, start, choice))
            grow(part.arguments, "arguments")
        case Audio():
            out.append(PartStart(index, Audio(media_type=part.media_type), choice))
            grow(part.transcript, "transcript")
            assert part.content is not None
            out.append(Delta(index, part.content.text(), "audio", choice))
        case _:
            out.append(PartStart(index, part, choice))
    return [*out, PartEnd(index, choice)]


def _events_of(answer: Answer, overlap: bool = False) -> list[Event]:
    """The answer as a stream; overlap: all parts begin before the first ends, and grow in turn."""
    out: list[Event] = [Start(id=answer.id, model=answer.model, created=answer.created)]
    for choice in answer.choices:
        grown = [_pieces(part, index, choice.index) for index, part in enumerate(choice.parts)]
        if overlap:
            out += [one[0] for one in grown]
            for turn in range(1, max(map(len, grown), default=1)):
                out += [one[turn] for one in reversed(grown) if turn < len(one)]
        else:
            out += [event for one in grown for event in one]
        out += [Ping(), Finish(choice.stop, choice.stop_sequence, choice.index)]
    return [*out, End(answer.usage)]


def _written(codec: Codec, events: list[Event], size: int = 1, echo: Echo = ECHO) -> bytes:
    writer = codec.stream_writer(echo)
    return b"".join(writer.write(events[at : at + size]) for at in range(0, len(events), size))


def _read(codec: Codec, chunks: list[bytes]) -> list[Event]:
    reader = codec.stream_reader([])
    found: list[Event] = []
    for chunk in chunks:
        found += reader.feed(chunk)
    return found + reader.end()


def _cut(block: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(block) + 1) for cut in cuts), len(block)]
    return [block[a:b] for a, b in pairwise(edges)]


def _assert_grammar(events: list[Event]) -> None:
    """Start, parts that begin before they grow and end once, Finish after the parts of its choice, End; pings
    anywhere."""
    opened: set[tuple[int, int]] = set()
    ended: set[tuple[int, int]] = set()
    finished: set[int] = set()
    events = [event for event in events if not isinstance(event, Ping)]
    for at, event in enumerate(events):
        assert isinstance(event, Start) == (at == 0)
        match event:
            case PartStart(index=index, choice=choice):
                assert choice not in finished
                assert (choice, index) not in opened
                assert index == sum(one == choice for one, _ in opened)
                opened.add((choice, index))
            case Delta(index=index, choice=choice) | Cited(index=index, choice=choice):
                assert (choice, index) in opened
                assert (choice, index) not in ended or isinstance(event, Cited)
            case PartEnd(index=index, choice=choice):
                assert (choice, index) in opened - ended
                ended.add((choice, index))
            case Finish(choice=choice):
                assert {place for place in opened if place[0] == choice} <= ended
                finished.add(choice)
            case End():
                assert at == len(events) - 1
                assert opened == ended
            case _:
                pass


@BOTH
@given(answer=_answer, cuts=st.lists(st.integers(0, 100_000), max_size=8))
def test_any_cut_of_the_same_bytes_gives_the_same_events(codec: Codec, answer: Answer, cuts: list[int]) -> None:
    block = _written(codec, _events_of(answer))
    assert _read(codec, _cut(block, cuts)) == _read(codec, [block])


@BOTH
@given(answer=_answer, size=st.integers(1, 9))
def test_a_stream_says_what_the_whole_reply_says(codec: Codec, answer: Answer, size: int) -> None:
    events = _read(codec, [_written(codec, _events_of(answer), size)])
    _assert_grammar(events)
    streamed, whole = fold(events), codec.read_reply(codec.write_reply(answer, ECHO), [])
    assert _bare(streamed) == _bare(whole)


def _bare(answer: Answer) -> Answer:
    """Without what a stream knows of a thought only when it has ended: its vendor, or its id."""
    choice = answer.choices[0]
    parts = tuple(
        Thinking(text=part.text, signature=part.signature, redacted=part.redacted.replace(part.id, ""))
        if isinstance(part, Thinking)
        else part
        for part in choice.parts
    )
    return msgspec.structs.replace(answer, choices=(msgspec.structs.replace(choice, parts=parts),))


@given(answer=_answer)
def test_a_chat_reply_is_read_as_it_was_meant(answer: Answer) -> None:
    assert CHAT.read_reply(CHAT.write_reply(answer, ECHO), []) == answer


@settings(deadline=None)  # The SDK builds its models when the first one is needed.
@given(answer=_any_answer, overlap=st.booleans(), size=st.integers(1, 9))
def test_openais_own_types_take_every_chat_reply(answer: Answer, overlap: bool, size: int) -> None:
    ChatCompletion.model_validate_json(CHAT.write_reply(answer, ECHO), strict=True)
    block = _written(CHAT, _events_of(answer, overlap), size)
    found = [event.data for event in sse_events(block)]
    assert found[-1] == b"[DONE]"
    for data in found[:-1]:
        ChatCompletionChunk.model_validate_json(data, strict=True)
    assert isinstance(_read(CHAT, [block])[-1], End)


@settings(deadline=None)  # The SDK builds its models when the first one is needed.
@given(answer=_any_answer, overlap=st.booleans(), size=st.integers(1, 9), custom=st.booleans())
def test_openais_own_types_take_every_response(answer: Answer, overlap: bool, size: int, custom: bool) -> None:
    parts = [part for choice in answer.choices for part in choice.parts]
    names = tuple(part.name for part in parts if isinstance(part, ToolUse)) if custom else ()
    echo = msgspec.structs.replace(ECHO, custom_tools=names)
    Response.model_validate_json(RESPONSES.write_reply(answer, echo), strict=True)
    block = _written(RESPONSES, _events_of(answer, overlap), size, echo)
    numbers = []
    for event in sse_events(block):
        _EVENT.validate_json(event.data, strict=True)
        numbers.append(json.loads(event.data)["sequence_number"])
        assert json.loads(event.data)["type"] == event.event.decode()
    assert numbers == list(range(len(numbers)))
    _assert_grammar(_read(RESPONSES, [block]))


_user_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=st.text(max_size=20)),
    st.builds(Image, content=_base64, media_type=st.just("image/png"), detail=st.sampled_from(["auto", "low"])),
    st.builds(Image, url=st.just("https://example.com/a.png"), detail=st.sampled_from(["auto", "high"])),
    st.builds(Document, content=_base64, media_type=st.just("application/pdf"), name=st.just("a.pdf")),
)
_result = st.builds(
    lambda identity, text: ToolResult(id=identity, name="f", content=(Text(text=text),)), _ident, st.text(max_size=9)
)
_turn = st.one_of(
    st.builds(lambda parts: (Message("user", tuple(parts)),), st.lists(_user_part, min_size=1, max_size=3)),
    st.builds(
        lambda text, result: (
            Message("assistant", (*text, ToolUse(id=result.id, name="f", arguments="{}"))),
            Message("user", (result,)),
        ),
        st.lists(st.builds(Text, text=_text), max_size=1),
        _result,
    ),
)
_tools = st.lists(
    st.builds(Tool, name=_ident, description=st.text(max_size=9), parameters=_raw, strict=st.booleans()), max_size=2
).map(tuple)
_tool_choice = st.one_of(
    st.none(),
    st.builds(ToolChoice, mode=st.sampled_from(["auto", "any", "none"]), parallel=st.none() | st.booleans()),
    st.builds(ToolChoice, mode=st.just("tool"), name=_ident, parallel=st.none() | st.booleans()),
    st.builds(ToolChoice, mode=st.sampled_from(["auto", "any"]), allowed=st.lists(_ident, min_size=1).map(tuple)),
)
_request = st.builds(
    Request,
    model=st.just(FACTS.model),
    messages=st.lists(_turn, min_size=1, max_size=3).map(lambda turns: tuple(one for turn in turns for one in turn)),
    system=st.just(()) | _text.map(lambda text: (Text(text=text),)),
    tools=_tools,
    tool_choice=_tool_choice,
    format=st.none()
    | st.just(Format(kind="json"))
    | st.builds(Format, kind=st.just("schema"), name=_ident, schema=_raw, strict=st.none() | st.booleans()),
    reasoning=st.none() | st.builds(Reasoning, effort=st.sampled_from(["none", "minimal", "low", "medium", "high"])),
    sampling=st.builds(
        Sampling,
        temperature=st.none() | st.floats(0, 2),
        top_p=st.none() | st.floats(0, 1),
        logprobs=st.none() | st.integers(0, 20),
    ),
    max_tokens=st.none() | st.integers(16, 100_000),
    stream=st.booleans(),
    wants_usage=st.just(True),
    user=st.just("") | _ident,
)


@BOTH
@given(request=_request)
def test_a_written_request_is_read_as_it_was_meant(codec: Codec, request: Request) -> None:
    if not request.tools:
        request = msgspec.structs.replace(request, tool_choice=None)
    if codec is CHAT:
        request = msgspec.structs.replace(request, wants_usage=request.stream)
    encoded = codec.write_request(request, FACTS)
    assert encoded.losses == ()
    assert codec.read_request(encoded.body, CALL) == request


def each_codec() -> Iterator[Codec]:
    """Where to draw an example takes longer than to read it, it is read by both."""
    for codec in (CHAT, RESPONSES):
        note(codec.name)
        yield codec


@given(body=st.binary(max_size=80) | (_json | _near).map(json.dumps).map(str.encode))
def test_nothing_but_a_clear_error_comes_of_a_body(body: bytes) -> None:
    for codec in each_codec():
        with suppress(GatewayError):
            request = codec.read_request(body, CALL)
            for target in (CHAT, RESPONSES):
                for provider in ("", "openrouter", "mistral"):
                    json.loads(target.write_request(request, TargetFacts(model="o4-mini", provider=provider)).body)
        with suppress(UpstreamFault):
            answer = codec.read_reply(body, [])
            for target in (CHAT, RESPONSES):
                json.loads(target.write_reply(answer, ECHO))


_message = st.dictionaries(st.sampled_from(_NAMES), _near, max_size=5)
_asked = st.builds(
    lambda name, items, rest: json.dumps({**rest, "model": "m", name: items}).encode(),
    st.sampled_from(["messages", "input"]),
    st.lists(_message, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["tools", "tool_choice", "text", "reasoning", "instructions", "stop"]), _near),
)


@given(body=_asked)
def test_nothing_but_a_clear_error_comes_of_strange_turns(body: bytes) -> None:
    for codec in each_codec():
        with suppress(GatewayError):
            request = codec.read_request(body, CALL)
            for target in (CHAT, RESPONSES):
                json.loads(target.write_request(request, FACTS).body)


_delta = st.dictionaries(st.sampled_from(["choices", "type", "item", "part", "delta", "response", *_NAMES]), _near)
_chunk = st.builds(lambda delta: {"choices": [{"index": 0, "delta": delta}]}, _delta)


@given(
    found=st.lists((_delta | _chunk | _near).map(json.dumps), max_size=8),
    rest=st.binary(max_size=40),
)
@example(found=[], rest=b": a comment before the first event")
def test_nothing_but_a_clear_fault_comes_of_a_stream(found: list[str], rest: bytes) -> None:
    block = b"".join(b"data: " + one.encode() + b"\n\n" for one in found) + rest
    for codec in each_codec():
        events: list[Event] = []
        with suppress(UpstreamFault):
            events = _read(codec, [block, b"\n\ndata: [DONE]\n\n"])
        if events and isinstance(events[-1], End):
            _assert_grammar(events)
        for target in (CHAT, RESPONSES):
            writer = target.stream_writer(ECHO)
            for event in events:
                writer.write([event])
