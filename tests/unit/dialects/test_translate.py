"""Two tiny codecs stand for any two: what belongs to none of them is tested here."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.exchange import Call, Headers
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Answer,
    Choice,
    Delta,
    Echo,
    Encoded,
    End,
    Event,
    Failed,
    Finish,
    Loss,
    PartEnd,
    PartStart,
    Ping,
    Request,
    Start,
    TargetFacts,
    Text,
    Thinking,
    Tool,
    ToolUse,
)
from gateway.dialects.codec import Codec, StreamReader, StreamWriter
from gateway.dialects.format_tool import FormatTool, without_tool
from gateway.dialects.formats import Format
from gateway.dialects.translate import StreamTranslation, Translation, Way, write

ECHO = Echo(id="r-1", model="asked", created=1)
_SENT: list[list[Event]] = []
"""A chunk of the tiny format is the number of a list in here."""


class Plain:
    """A format whose wire is the canonical form itself."""

    def __init__(self, losses: tuple[Loss, ...] = ()) -> None:
        self.losses = losses
        self.echoes: list[Echo] = []
        self.codec = Codec(
            name="plain",
            read_request=self.read_request,
            write_request=self.write_request,
            read_reply=self.read_reply,
            write_reply=self.write_reply,
            stream_reader=self.stream_reader,
            stream_writer=self.stream_writer,
        )

    def read_request(self, body: bytes, call: Call) -> Request:
        return Request(model=call.model, messages=())

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return Encoded(b"usage" if request.wants_usage else b"plain", self.losses)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return msgspec.msgpack.decode(body, type=Answer)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        self.echoes.append(echo)
        return msgspec.msgpack.encode(answer)

    def stream_reader(self, headers: Headers) -> StreamReader:
        return _Reader()

    def stream_writer(self, echo: Echo) -> StreamWriter:
        self.echoes.append(echo)
        return _Writer()


class _Reader:
    def feed(self, chunk: bytes) -> list[Event]:
        return _SENT[int(chunk)]

    def end(self) -> list[Event]:
        return []


class _Writer:
    """Says the kinds of the events; a Start is worth no byte."""

    def write(self, events: list[Event]) -> bytes:
        return "".join(f"{type(event).__name__} " for event in events if not isinstance(event, Start | Ping)).encode()


def way(provider: Plain, client: Plain, tools: bool | None = None) -> Way:
    return Way(
        Format(dialect="openai", operation="chat", codec=client.codec, suffix="/a", stream_suffix="/a"),
        Format(dialect="anthropic", operation="messages", codec=provider.codec, suffix="/b", stream_suffix="/b"),
        TargetFacts(model="answers", tools=tools),
    )


def streamed(echo: Echo = ECHO) -> StreamTranslation:
    return Translation(way(Plain(), Plain()), Encoded(b""), echo).stream([])


def feed(stream: StreamTranslation, *events: Event) -> bytes:
    _SENT.append(list(events))
    return stream.feed(str(len(_SENT) - 1).encode())


def test_losses_are_the_model_s_the_reader_s_and_the_writer_s() -> None:
    request = Request(model="m", messages=(), tools=(Tool(name="f"),), lost=(Loss("conversation", "meaning"),))
    encoded = write(way(Plain((Loss("seed"),)), Plain(), tools=False), request)
    assert [loss.field for loss in encoded.losses] == ["tools", "conversation", "seed"]


def test_usage_is_asked_for_as_the_provider_needs_it() -> None:
    asking = msgspec.structs.replace(way(Plain(), Plain()), ask_usage=True)
    assert write(asking, Request(model="m", messages=())).body == b"usage"
    silent = way(Plain(), Plain())
    assert write(silent, Request(model="m", messages=(), wants_usage=True)).body == b"plain"


@pytest.mark.parametrize(("said", "told"), [("answers-2026", "answers-2026"), ("", "asked")])
def test_a_reply_names_the_model_that_answered(said: str, told: str) -> None:
    client = Plain()
    made = Translation(way(Plain(), client), Encoded(b""), ECHO)
    _, usage = made.reply(msgspec.msgpack.encode(Answer(model=said, usage=Usage(1, 2))), [])
    assert usage == Usage(1, 2)
    stream = made.stream([])
    feed(stream, Start(model=said), PartStart(0, Text(text="")))
    assert [echo.model for echo in client.echoes] == [told, told]


def test_a_stream_has_started_with_its_first_event_that_is_no_ping() -> None:
    stream = streamed()
    feed(stream, Ping())
    assert not stream.started
    feed(stream, Start(usage=Usage(input=3)))
    assert stream.started
    assert stream.usage == Usage(input=3)


def test_a_json_array_has_started_with_its_first_element() -> None:
    stream = streamed(msgspec.structs.replace(ECHO, framing="json-array"))
    assert feed(stream, Start()) == b""
    assert not stream.started
    assert feed(stream, PartStart(0, Text(text="x"))) == b"PartStart "
    assert stream.started


def test_a_stream_is_complete_with_its_end_and_counts_what_is_said_last() -> None:
    stream = streamed()
    feed(stream, Start(usage=Usage(input=3)), PartStart(0, Text(text="")), Delta(0, "Hi"), PartEnd(0), Finish())
    assert not stream.complete
    feed(stream, End(Usage(input=3, output=2)))
    assert stream.complete
    assert stream.usage == Usage(input=3, output=2)


def test_an_error_event_is_a_fault_and_nothing_is_written_from_there_on() -> None:
    stream = streamed()
    out = feed(stream, Start(), PartStart(0, Text(text="")), Failed("Overloaded", kind_hint="overloaded_error"), End())
    assert out == b"PartStart "
    assert stream.fault is not None
    assert (stream.fault.kind, stream.fault.status, stream.fault.message) == ("unavailable", 529, "Overloaded")
    assert not stream.complete
    assert feed(stream, Delta(0, "more"), End()) == b""
    assert not stream.complete


def test_an_error_event_alone_starts_nothing() -> None:
    stream = streamed()
    assert feed(stream, Failed("prompt is too long", 400)) == b""
    assert not stream.started
    assert stream.fault is not None
    assert stream.fault.kind == "context-length"


CALL = ToolUse(id="1", name="answer", arguments="")


def sifted(*events: Event, split: bool) -> list[Event]:
    made = FormatTool("answer")
    if split:
        return [out for event in events for out in made.sift([event])]
    return made.sift(list(events))


@pytest.mark.parametrize("split", [True, False])
def test_the_forced_tool_s_call_is_the_text(split: bool) -> None:
    assert sifted(
        Start(), PartStart(0, CALL), Delta(0, '{"a"', "arguments"), Delta(0, ":1}", "arguments"), PartEnd(0),
        Finish("tool-use"), End(), split=split,
    ) == [
        Start(), PartStart(0, Text(text="")), Delta(0, '{"a"'), Delta(0, ":1}"), PartEnd(0), Finish("stop"), End(),
    ]  # fmt: skip


@pytest.mark.parametrize("split", [True, False])
def test_prose_beside_the_call_is_no_part_of_the_answer(split: bool) -> None:
    assert sifted(
        PartStart(0, Thinking()), Delta(0, "Hm"), PartEnd(0), PartStart(1, Text(text="")), Delta(1, "Here:"),
        PartEnd(1), PartStart(2, CALL), Delta(2, "{}", "arguments"), PartEnd(2), Finish("tool-use"), End(), split=split,
    ) == [
        PartStart(0, Thinking()), Delta(0, "Hm"), PartEnd(0), PartStart(1, Text(text="")), Delta(1, "{}"), PartEnd(1),
        Finish("stop"), End(),
    ]  # fmt: skip


@pytest.mark.parametrize("split", [True, False])
def test_prose_without_the_call_is_the_answer(split: bool) -> None:
    events: list[Event] = [PartStart(0, Text(text="")), Delta(0, "I cannot."), PartEnd(0), Finish("stop"), End()]
    assert sifted(*events, split=split) == events


def test_other_calls_beside_it_stay_calls() -> None:
    other = ToolUse(id="2", name="look_up", arguments="")
    found = sifted(PartStart(0, other), Delta(0, "{}", "arguments"), PartEnd(0), Finish("tool-use"), split=True)
    assert found == [PartStart(0, other), Delta(0, "{}", "arguments"), PartEnd(0), Finish("tool-use")]


def test_the_same_holds_of_a_whole_answer() -> None:
    parts = (Thinking(text="Hm"), Text(text="Here:"), ToolUse(id="1", name="answer", arguments='{"a":1}'))
    answer = Answer(choices=(Choice(parts=parts, stop="tool-use"),))
    assert without_tool(answer, "answer").choices == (
        Choice(parts=(Thinking(text="Hm"), Text(text='{"a":1}')), stop="stop"),
    )
    assert without_tool(answer, "another") == answer
