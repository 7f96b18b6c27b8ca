"""Canonical events become a stream of chat completion chunks.

The members around a piece of text are the same in every chunk of a choice, so they are written once and kept. The
format interleaves calls freely, so nothing is held back and nothing is remembered but what is open.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.canonical import (
    Audio,
    Cited,
    Delta,
    Echo,
    End,
    Event,
    Finish,
    Image,
    Part,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.reply_writer import AnnotationOut, annotation_of, extra_of, finish_of
from gateway.dialects.openai_chat.thoughts import detail_of
from gateway.dialects.openai_figures import chat_usage, write_logprobs
from gateway.dialects.openai_words import data_url

_encode: Final = msgspec.json.encode
_QUIET: Final = b'},"logprobs":null,"finish_reason":null}]'
_MEMBERS: Final = {"text": b'"content":', "thinking": b'"reasoning_content":', "refusal": b'"refusal":'}


class _Function(msgspec.Struct, omit_defaults=True, kw_only=True):
    name: str = ""
    arguments: str


class _Call(msgspec.Struct, omit_defaults=True):
    index: int
    id: str = ""
    type: str = ""
    function: _Function | None = None
    extra_content: dict[str, dict[str, str]] | None = None


class _Sound(msgspec.Struct, omit_defaults=True):
    id: str = ""
    data: str = ""
    transcript: str = ""


class _Url(msgspec.Struct):
    url: str


class _Picture(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: _Url


class _Delta(msgspec.Struct, omit_defaults=True):
    """What is neither text, thought nor refusal."""

    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    annotations: list[AnnotationOut] | None = None
    audio: _Sound | None = None
    images: list[_Picture] | None = None
    reasoning_details: list[wire.Detail] | None = None


class _Turn:
    """One choice under way. said: by a part's index, the bytes in front of its text. calls: by a part's index, the
    number of its tool call. bare: calls that have no arguments yet. parts: those whose later pieces need to know what
    they are. starts, lengths: of texts, in characters of the whole message."""

    __slots__ = ("bare", "calls", "head", "lengths", "parts", "said", "starts")

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.said: dict[int, bytes] = {}
        self.calls: dict[int, int] = {}
        self.bare: set[int] = set()
        self.parts: dict[int, Part] = {}
        self.starts: dict[int, int] = {}
        self.lengths: dict[int, int] = {}


class ChatWriter:
    """Writes one reply."""

    __slots__ = ("_echo", "_head", "_tail", "_turns")

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._head = b""
        # With include_usage every chunk but the last says that there is none yet.
        self._tail = b',"usage":null}\n\n' if echo.wants_usage else b"}\n\n"
        self._turns: dict[int, _Turn] = {}

    def write(self, events: list[Event]) -> bytes:
        if len(events) == 1:
            event = events[0]
            # Nearly all of a stream is one more word of a part that is open.
            if type(event) is Delta and not event.logprobs and event.kind == "text":
                turn = self._turns.get(event.choice)
                if turn is not None and (before := turn.said.get(event.index)) is not None:
                    if event.index in turn.lengths:
                        turn.lengths[event.index] += len(event.text)
                    return before + _encode(event.text) + _QUIET + self._tail
        out: list[bytes] = []
        for event in events:
            self._write(event, out)
        return b"".join(out)

    def _write(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Delta():
                self._delta(event, out)
            case PartStart():
                self._open(event, out)
            case Start():
                self._begin(event)
                self._turn(0, out)
            case Cited():
                self._cite(event, out)
            case PartEnd():
                self._close(event, out)
            case Finish():
                self._finish(event, out)
            case End():
                self._end(event, out)
            case Ping():
                out.append(b": ping\n\n")
            case _:
                pass

    def _begin(self, start: Start) -> None:
        echo = self._echo
        head = _encode(
            {
                "id": start.id or echo.id,
                "object": "chat.completion.chunk",
                "created": start.created or echo.created,
                "model": echo.model,
                "service_tier": None,
                "system_fingerprint": None,
            }
        )
        self._head = b"data: " + head[:-1] + b',"choices":['

    def _turn(self, choice: int, out: list[bytes]) -> _Turn:
        turn = self._turns.get(choice)
        if turn is None:
            if not self._head:
                self._begin(Start())
            head = self._head + b'{"index":%d,"delta":{' % choice
            turn = self._turns[choice] = _Turn(head)
            out.append(head + b'"role":"assistant","content":"","refusal":null' + _QUIET + self._tail)
        return turn

    def _say(self, turn: _Turn, delta: _Delta, out: list[bytes]) -> None:
        out.append(turn.head + _encode(delta)[1:-1] + _QUIET + self._tail)

    def _open(self, event: PartStart, out: list[bytes]) -> None:
        turn = self._turn(event.choice, out)
        part, index = event.part, event.index
        begun = ""
        match part:
            case Text():
                turn.said[index] = turn.head + _MEMBERS["text"]
                turn.starts[index] = sum(turn.lengths.values())
                turn.lengths[index] = 0
                begun = part.text
            case Thinking():
                turn.said[index] = turn.head + _MEMBERS["thinking"]
                turn.parts[index] = part
                begun = part.text
                if (detail := detail_of(part, index, told=True)) is not None:
                    self._say(turn, _Delta(reasoning_details=[detail]), out)
            case Refusal():
                turn.said[index] = turn.head + _MEMBERS["refusal"]
                turn.parts[index] = part
                begun = part.text
            case ToolUse():
                turn.parts[index] = part
                number = turn.calls[index] = len(turn.calls)
                if not part.arguments:
                    turn.bare.add(index)
                function = _Function(name=part.name, arguments=part.arguments)
                if not self._echo.legacy_calls:
                    call = _Call(number, part.id, "function", function, extra_of(part.signature))
                    self._say(turn, _Delta(tool_calls=[call]), out)
                elif number == 0:
                    # The older form has one call at a time, and no id.
                    self._say(turn, _Delta(function_call=function), out)
            case Audio():
                if part.id or part.transcript:
                    self._say(turn, _Delta(audio=_Sound(id=part.id, transcript=part.transcript)), out)
            case Image():
                url = part.url
                if part.content is not None:
                    url = data_url(part.media_type or "image/png", part.content.text())
                self._say(turn, _Delta(images=[_Picture(_Url(url))]), out)
            case _:
                pass
        if begun:
            self._delta(Delta(index, begun, "text", event.choice), out)
        if isinstance(part, Text):
            for citation in part.citations:
                self._cite(Cited(index, citation, event.choice), out)

    def _delta(self, event: Delta, out: list[bytes]) -> None:
        turn = self._turn(event.choice, out)
        index = event.index
        match event.kind:
            case "text":
                before = turn.said.get(index)
                if before is None:
                    return
                if index in turn.lengths:
                    turn.lengths[index] += len(event.text)
                after = _QUIET if not event.logprobs else _telling(event.logprobs)
                out.append(before + _encode(event.text) + after + self._tail)
            case "arguments":
                turn.bare.discard(index)
                if self._echo.legacy_calls:
                    if not turn.calls.get(index):
                        self._say(turn, _Delta(function_call=_Function(arguments=event.text)), out)
                    return
                before = turn.head + b'"tool_calls":[{"index":%d,"function":{"arguments":' % turn.calls.get(index, 0)
                out.append(before + _encode(event.text) + b"}}]" + _QUIET + self._tail)
            case "audio":
                self._say(turn, _Delta(audio=_Sound(data=event.text)), out)
            case "transcript":
                self._say(turn, _Delta(audio=_Sound(transcript=event.text)), out)
            case "signature" | "redacted":
                self._prove(event, turn, out)

    def _prove(self, event: Delta, turn: _Turn, out: list[bytes]) -> None:
        part = turn.parts.get(event.index)
        if isinstance(part, ToolUse):
            number = turn.calls.get(event.index, 0)
            self._say(turn, _Delta(tool_calls=[_Call(number, extra_content=extra_of(event.text))]), out)
        elif isinstance(part, Thinking):
            proof = (
                Thinking(signature=event.text, vendor=part.vendor, id=part.id)
                if event.kind == "signature"
                else Thinking(redacted=event.text, vendor=part.vendor, id=part.id)
            )
            if (detail := detail_of(proof, event.index, told=True)) is not None:
                self._say(turn, _Delta(reasoning_details=[detail]), out)

    def _close(self, event: PartEnd, out: list[bytes]) -> None:
        turn = self._turns.get(event.choice)
        if turn is not None and event.index in turn.bare:
            # Clients parse what they put together, and nothing is no JSON.
            self._delta(Delta(event.index, "{}", "arguments", event.choice), out)

    def _cite(self, event: Cited, out: list[bytes]) -> None:
        turn = self._turn(event.choice, out)
        start = turn.starts.get(event.index, 0)
        note = annotation_of(event.citation, start, start + turn.lengths.get(event.index, 0))
        self._say(turn, _Delta(annotations=[note]), out)

    def _finish(self, event: Finish, out: list[bytes]) -> None:
        turn = self._turn(event.choice, out)
        refused = any(isinstance(part, Refusal) for part in turn.parts.values())
        reason = finish_of(event.stop, refused, self._echo.legacy_calls)
        out.append(turn.head + b'},"logprobs":null,"finish_reason":"' + reason.encode() + b'"}]' + self._tail)

    def _end(self, event: End, out: list[bytes]) -> None:
        if not self._head:
            self._begin(Start())
        if self._echo.wants_usage and event.usage is not None:
            out.append(self._head + b'],"usage":' + _encode(chat_usage(event.usage)) + b"}\n\n")
        out.append(b"data: [DONE]\n\n")


def _telling(logprobs: tuple[TokenLogprob, ...]) -> bytes:
    return b'},"logprobs":{"content":' + _encode(write_logprobs(logprobs)) + b',"refusal":null},"finish_reason":null}]'
