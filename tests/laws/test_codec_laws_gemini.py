"""Laws of the Gemini codec: any cutting of the same bytes says the same, a stream amounts to the whole reply, what is
written is read back as it was, and no bytes whatever make it raise what it must not."""

from __future__ import annotations

import base64
import itertools
import json

import msgspec
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects import cohere, ollama
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Choice,
    Citation,
    Cited,
    Delta,
    Document,
    Echo,
    Effort,
    End,
    Event,
    Finish,
    Format,
    Image,
    Message,
    Part,
    PartEnd,
    PartStart,
    Reasoning,
    Request,
    Sampling,
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
from gateway.dialects.fold import fold
from gateway.dialects.gemini import CODEC
from gateway.dialects.sse import events as sse_events

CALL = Call("gemini", "generate", "/models/{model}:generateContent", model="gemini-2.5-flash", in_path=True)
FACTS = TargetFacts(model="gemini-2.5-flash")

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.text("abcdef_", min_size=1, max_size=6)
base64s = st.binary(min_size=1, max_size=9).map(lambda raw: Blob(memoryview(base64.b64encode(raw))))
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
objects = st.dictionaries(names, values, max_size=3).map(json.dumps)
signatures = st.sampled_from(["c2ln", "YQ=="])
counts = st.integers(0, 1000)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in itertools.pairwise(bounds)]


def run(chunks: list[bytes]) -> list[Event] | str:
    reader = CODEC.stream_reader([])
    found: list[Event] = []
    try:
        for chunk in chunks:
            found += reader.feed(chunk)
        return found + reader.end()
    except UpstreamFault as fault:
        return fault.kind


def shown(found: object) -> object:
    """Comparable: blobs are views of whatever bytes they were read from."""
    return msgspec.to_builtins(found, enc_hook=_hook)


def _hook(value: object) -> object:
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    raise NotImplementedError


# Chunks as Google might send them, sound and odd.
wire_parts = st.one_of(
    st.builds(lambda text: {"text": text}, texts | st.just("")),
    st.builds(lambda text: {"text": text, "thought": True}, texts),
    st.builds(lambda text, signature: {"text": text, "thoughtSignature": signature}, texts | st.just(""), signatures),
    st.builds(
        lambda text, signature: {"text": text, "thought": True, "thoughtSignature": signature}, texts, signatures
    ),
    st.builds(lambda name, args: {"functionCall": {"name": name, "args": json.loads(args)}}, names, objects),
    st.just({"inlineData": {"mimeType": "image/png", "data": "aGk="}}),
    st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
    st.just({}),
)
wire_chunks = st.fixed_dictionaries(
    {
        "candidates": st.lists(
            st.fixed_dictionaries(
                {
                    "content": st.builds(
                        lambda parts: {"role": "model", "parts": parts}, st.lists(wire_parts, max_size=3)
                    )
                },
                optional={
                    "index": st.integers(0, 1),
                    "finishReason": st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "NEW", None]),
                    "groundingMetadata": st.builds(
                        lambda end: {
                            "groundingChunks": [{"web": {"uri": "https://a"}}],
                            "groundingSupports": [{"segment": {"endIndex": end}, "groundingChunkIndices": [0]}],
                        },
                        st.integers(0, 20),
                    ),
                },
            ),
            max_size=2,
        )
    },
    optional={
        "usageMetadata": st.builds(lambda count: {"promptTokenCount": count}, counts),
        "modelVersion": names,
        "responseId": names,
        "error": st.just({"code": 500, "message": "x"}),
    },
)
payloads = wire_chunks | values | st.dictionaries(st.sampled_from(["candidates", "error", "usageMetadata"]), values)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    found = draw(st.lists(payloads, max_size=4))
    if draw(st.booleans()):
        return json.dumps(found, indent=draw(st.none() | st.integers(0, 1))).encode()
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return "".join(f"data: {json.dumps(one)}{newline}{newline}" for one in found).encode()


@given(streams() | st.binary(max_size=60), st.lists(st.integers(0), max_size=12))
def test_how_a_stream_was_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    whole = shown(run([stream]))
    assert shown(run(cut(stream, places))) == whole
    assert shown(run([stream[at : at + 1] for at in range(len(stream))])) == whole


@given(streams())
def test_the_events_keep_the_grammar(stream: bytes) -> None:
    found = run([stream])
    assert not isinstance(found, str)
    begun = ended = finished = 0
    open_parts: set[tuple[int, int]] = set()
    known: set[tuple[int, int]] = set()
    for at, event in enumerate(found):
        assert not ended
        match event:
            case Start():
                assert at == 0
                begun += 1
            case PartStart(index=index, choice=choice):
                assert (choice, index) not in known
                known.add((choice, index))
                open_parts.add((choice, index))
            case Delta(index=index, choice=choice):
                assert (choice, index) in open_parts
            case Cited(index=index, choice=choice):
                assert (choice, index) in known
            case PartEnd(index=index, choice=choice):
                open_parts.remove((choice, index))
            case Finish(choice=choice):
                assert not any(number == choice for number, _ in open_parts)
                finished += 1
            case End():
                ended += 1
            case _:
                assert at == len(found) - 1
    assert begun <= 1
    assert not ended or finished


@given(wire_chunks)
def test_a_stream_of_one_chunk_is_the_whole_reply(chunk: dict[str, object]) -> None:
    body = json.dumps(chunk).encode()
    try:
        whole = CODEC.read_reply(body, [])
    except UpstreamFault:
        return
    found = run([b"data: " + body + b"\n\n"])
    assert not isinstance(found, str)
    assert shown(fold(found)) == shown(whole)


tool_uses = st.builds(ToolUse, id=names, name=names, arguments=objects, signature=st.just("") | signatures)
thoughts = st.builds(Thinking, text=texts, signature=st.just("") | signatures, vendor=st.just("gemini"))
images = st.builds(Image, content=base64s, media_type=st.just("image/png"))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """What Gemini can say: text and thoughts each in one piece where they are neighbours."""
    choices: list[Choice] = []
    for index in range(draw(st.integers(1, 2))):
        parts: list[Part] = []
        for part in draw(st.lists(st.builds(Text, text=texts) | thoughts | tool_uses | images, max_size=5)):
            if parts and type(part) is type(parts[-1]) and isinstance(part, Text | Thinking):
                continue
            parts.append(part)
        cited = next((part for part in parts if isinstance(part, Text)), None)
        if cited is not None and draw(st.booleans()):
            start = draw(st.integers(0, len(cited.text)))
            citation = Citation(
                url=draw(texts), title=draw(texts), start=start, end=draw(st.integers(start, len(cited.text)))
            )
            parts[parts.index(cited)] = Text(text=cited.text, citations=(citation,))
        stops: list[StopReason] = ["length", "content-filter", "other"]
        stops.append("tool-use" if any(isinstance(part, ToolUse) for part in parts) else "stop")
        choices.append(Choice(parts=tuple(parts), stop=draw(st.sampled_from(stops)), index=index))
    output = draw(counts)
    usage = Usage(
        draw(counts), output, cached=draw(counts), reasoning=draw(st.integers(0, output)), audio_input=draw(counts)
    )
    return Answer(id=draw(names), model="m", choices=tuple(choices), usage=usage)


ECHO = Echo(id="request-1", model="m", created=1)


@given(answers())
def test_a_reply_that_is_written_is_read_back(answer: Answer) -> None:
    body = CODEC.write_reply(answer, ECHO)
    types.GenerateContentResponse.model_validate_json(body)
    assert shown(CODEC.read_reply(body, [])) == shown(answer)


def unfolded(answer: Answer, sizes: int) -> list[Event]:
    """The answer as a stream, its parts in pieces of this size."""
    found: list[Event] = [Start(id=answer.id, model=answer.model)]
    for choice in answer.choices:
        for at, part in enumerate(choice.parts):
            match part:
                case Text(text=text, citations=citations):
                    found.append(PartStart(at, Text(text=""), choice.index))
                    found += [Delta(at, piece, "text", choice.index) for piece in _pieces(text, sizes)]
                    found += [Cited(at, citation, choice.index) for citation in citations]
                case Thinking(text=text, signature=signature):
                    found.append(PartStart(at, Thinking(vendor=part.vendor), choice.index))
                    found += [Delta(at, piece, "text", choice.index) for piece in _pieces(text, sizes)]
                    found += [Delta(at, piece, "signature", choice.index) for piece in _pieces(signature, sizes)]
                case ToolUse(arguments=arguments):
                    found.append(PartStart(at, msgspec.structs.replace(part, arguments=""), choice.index))
                    found += [Delta(at, piece, "arguments", choice.index) for piece in _pieces(arguments, sizes)]
                case _:
                    found.append(PartStart(at, part, choice.index))
            found.append(PartEnd(at, choice.index))
        found.append(Finish(choice.stop, choice=choice.index))
    return [*found, End(answer.usage)]


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(answers(), st.integers(1, 5), st.sampled_from(["sse", "json-array"]), st.lists(st.integers(0), max_size=6))
def test_a_stream_that_is_written_is_read_back(answer: Answer, size: int, framing: str, places: list[int]) -> None:
    found = unfolded(answer, size)
    array = framing == "json-array"
    echo = msgspec.structs.replace(ECHO, framing=framing)
    writer = CODEC.stream_writer(echo)
    stream = b"".join(writer.write([event]) for event in found)
    at_once = CODEC.stream_writer(echo).write(found)
    assert stream == at_once
    chunks = json.loads(stream) if array else [json.loads(event.data) for event in sse_events(stream)]
    for chunk in chunks:
        types.GenerateContentResponse.model_validate(chunk)
    again = run(cut(stream, places))
    assert not isinstance(again, str)
    assert shown(fold(again)) == shown(answer)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    messages: list[Message] = []
    for number in range(draw(st.integers(1, 3))):
        asked: list[Part] = [Text(text=draw(texts)), *draw(st.lists(images, max_size=1))]
        if draw(st.booleans()):
            asked.append(Document(content=draw(base64s), media_type="application/pdf"))
        messages.append(Message("user", tuple(asked)))
        if draw(st.booleans()):
            call = ToolUse(id=f"call-{number}", name=draw(names), arguments=draw(objects), signature=draw(signatures))
            said = draw(texts)
            result = ToolResult(
                id=call.id, name=call.name, content=(Text(text=said),), error=draw(st.booleans())
            )  # fmt: skip
            messages += [
                Message("assistant", (Text(text=draw(texts)), *draw(st.lists(thoughts, max_size=1)), call)),
                Message("user", (result,)),
                Message("assistant", (Text(text=draw(texts)),)),
            ]
        else:
            messages.append(Message("assistant", (Text(text=draw(texts)),)))
    tools = tuple(
        Tool(name=name, description=draw(st.just("") | texts), parameters=msgspec.Raw(b'{"type":"object"}'))
        for name in draw(st.lists(names, max_size=2, unique=True))
    )
    schema = msgspec.Raw(b'{"type":"object"}')
    efforts: list[Effort] = ["none"]
    optional = st.none() | st.floats(0, 1)
    return Request(
        model="gemini-2.5-flash",
        messages=tuple(messages),
        system=tuple(draw(st.lists(st.builds(Text, text=texts), max_size=2))),
        tools=tools,
        tool_choice=draw(
            st.none()
            | st.sampled_from(
                [
                    ToolChoice(),
                    ToolChoice(mode="any"),
                    ToolChoice(mode="none"),
                    ToolChoice(mode="tool", name="f"),
                    ToolChoice(mode="any", allowed=("f", "g")),
                ]
            )
        )
        if tools
        else None,
        format=draw(st.sampled_from([None, Format(kind="json"), Format(kind="schema", schema=schema)])),
        reasoning=draw(
            st.none()
            | st.builds(Reasoning, budget=st.integers(1, 24576), visible=st.none() | st.booleans())
            | st.builds(Reasoning, effort=st.sampled_from(efforts))
        ),
        sampling=Sampling(
            temperature=draw(optional),
            top_p=draw(optional),
            top_k=draw(st.none() | counts),
            frequency_penalty=draw(optional),
            presence_penalty=draw(optional),
            seed=draw(st.none() | counts),
            logprobs=draw(st.none() | st.integers(0, 20)),
        ),
        max_tokens=draw(st.none() | st.integers(1, 9999)),
        stop=tuple(draw(st.lists(texts, max_size=5))),
        n=draw(st.integers(1, 8)),
        wants_usage=True,
        service_tier=draw(st.sampled_from(["", "default", "flex", "priority"])),
        modalities=draw(st.sampled_from([(), ("text", "image")])),
    )


@given(requests())
def test_a_request_that_is_written_is_read_back(request: Request) -> None:
    encoded = CODEC.write_request(request, FACTS)
    assert encoded.losses == ()
    assert shown(CODEC.read_request(encoded.body, CALL)) == shown(request)


members = st.sampled_from(
    [
        "contents", "systemInstruction", "system_instruction", "tools", "toolConfig", "generationConfig", "parts",
        "role", "text", "functionCall", "functionResponse", "inlineData", "mimeType", "data", "name", "args",
        "response", "functionDeclarations", "parameters", "type", "properties", "items", "responseSchema",
        "thinkingConfig", "stopSequences", "temperature", "executableCode", "fileData", "fileUri", "cachedContent",
    ]
)  # fmt: skip
odd = st.recursive(
    scalars | st.sampled_from(["user", "model", "OBJECT"]) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
)
odd_bodies = (
    st.binary(max_size=60)
    | odd.map(lambda found: json.dumps(found).encode())
    | st.dictionaries(members, odd, max_size=5).map(
        lambda found: json.dumps({"contents": [{"parts": [{"text": "x"}]}], **found}).encode()
    )
)


@given(odd_bodies)
def test_any_request_is_read_or_refused(body: bytes) -> None:
    try:
        request = CODEC.read_request(body, CALL)
    except GatewayError as error:
        told = error.code
    else:
        told = "invalid_request"
        for codec in (CODEC, cohere.CODEC, ollama.CODEC):
            json.loads(codec.write_request(request, FACTS).body)
    assert told in ("malformed_body", "invalid_request")


@given(st.binary(max_size=60) | payloads.map(lambda found: json.dumps(found).encode()))
def test_any_reply_is_read_or_malformed(body: bytes) -> None:
    try:
        answer = CODEC.read_reply(body, [])
    except UpstreamFault as fault:
        told = str(fault.kind)
    else:
        told = "malformed"
        json.loads(CODEC.write_reply(answer, ECHO))
    assert told == "malformed"
