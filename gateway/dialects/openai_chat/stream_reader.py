"""A stream of chat completion chunks becomes canonical events.

Everybody's chunks are a little different: no role, an id that is repeated, a whole call at once, usage beside the last
words, choices that are empty or missing. What a chunk says is taken whatever is around it; one that cannot be read is
skipped. `[DONE]` alone completes a stream.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Headers
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Audio,
    Cited,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    Image,
    PartEnd,
    PartStart,
    Refusal,
    Start,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.faults import fault_of_event
from gateway.dialects.framed import FramedReader
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.reply_reader import (
    Annotation,
    Logprobs,
    Picture,
    Sound,
    call_id,
    read_picture,
    stop_of,
)
from gateway.dialects.openai_chat.thoughts import mistral_thinking, vendor_of
from gateway.dialects.openai_figures import read_citation, read_logprobs, usage_of
from gateway.dialects.openai_words import UNREADABLE, kind_hint, says_error


class _Delta(msgspec.Struct):
    content: str | list[wire.Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[wire.ToolCall] | None = None
    function_call: wire.Function | None = None
    annotations: list[Annotation] | None = None
    audio: Sound | None = None
    images: list[Picture] | None = None
    reasoning_details: list[wire.Detail] | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: Logprobs | None = None


class _Chunk(msgspec.Struct):
    """usage: left undecoded, for what is wrong in it must not cost the words beside it."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = wire.NO_JSON
    object: str | None = None
    error: msgspec.Raw = wire.NO_JSON


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class _Call:
    """A tool call under way. index: of its part, -1 while its name is not known; held: arguments until then."""

    __slots__ = ("held", "id", "index", "name")

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.name = ""
        self.index = -1
        self.held = ""


class _Turn:
    """One choice: which parts are open. said: the kind of the open part that is text, thinking or a refusal."""

    __slots__ = (
        "_audio",
        "_calls",
        "_last_text",
        "_made",
        "_parts",
        "_reply",
        "at",
        "choice",
        "finished",
        "refused",
        "said",
    )

    def __init__(self, choice: int, reply: str) -> None:
        self.choice = choice
        self.finished = False
        self.refused = False
        self.said = ""
        self.at = -1
        self._reply = reply
        self._parts = 0
        self._audio = -1
        self._last_text = -1
        self._made: list[_Call] = []
        self._calls: dict[int, _Call] = {}

    def say(
        self, kind: str, text: str, logprobs: tuple[TokenLogprob, ...], found: list[Event], vendor: str = ""
    ) -> None:
        """More of the part of this kind, which is opened where another was."""
        if self.said != kind:
            self._open(kind, found, vendor)
        found.append(Delta(self.at, text, "text", self.choice, logprobs))

    def prove(self, detail: wire.Detail, found: list[Event]) -> None:
        """A signature or encrypted reasoning, as OpenRouter sends it beside the text."""
        if detail.type == "reasoning.encrypted":
            if detail.data:
                self.hush(found)
                part = Thinking(redacted=detail.data, vendor=vendor_of(detail.format), id=detail.id or "")
                index = self._next()
                found += (PartStart(index, part, self.choice), PartEnd(index, self.choice))
        elif detail.signature:
            if self.said != "thinking":
                self._open("thinking", found, vendor_of(detail.format))
            found.append(Delta(self.at, detail.signature, "signature", self.choice))

    def call(self, call: wire.ToolCall, found: list[Event]) -> None:
        """A piece of a tool call: its index tells which, but a new id under an old index is a new call (Gemini's
        endpoint counts them all as 0), and without an index it goes on with the last."""
        self.hush(found)
        known = self._calls.get(call.index) if call.index is not None else (self._made[-1] if self._made else None)
        function = call.function
        if function is None and call.custom is not None:
            function = wire.Function(call.custom.name, call.custom.input)
        name = function.name if function is not None else None
        if known is None or (call.id and known.id != call.id and name):
            known = _Call(call.id or call_id(self._reply, self.choice, len(self._made)))
            self._calls[len(self._made) if call.index is None else call.index] = known
            self._made.append(known)
        arguments = wire.arguments_of(function) if function is not None else ""
        if known.index < 0:
            if not name:
                known.held += arguments
                return
            known.name = name
            arguments, known.held = known.held + arguments, ""
            known.index = self._next()
            part = ToolUse(id=known.id, name=name, arguments="", signature=wire.signature_of(call))
            found.append(PartStart(known.index, part, self.choice))
        if arguments:
            found.append(Delta(known.index, arguments, "arguments", self.choice))

    def sound(self, sound: Sound, found: list[Event]) -> None:
        if self._audio < 0:
            self.hush(found)
            self._audio = self._next()
            found.append(PartStart(self._audio, Audio(media_type="audio/pcm", id=sound.id or ""), self.choice))
        if sound.transcript:
            found.append(Delta(self._audio, sound.transcript, "transcript", self.choice))
        if sound.data:
            found.append(Delta(self._audio, sound.data, "audio", self.choice))

    def show(self, image: Image, found: list[Event]) -> None:
        index = self._next()
        found += (PartStart(index, image, self.choice), PartEnd(index, self.choice))

    def cite(self, annotations: list[Annotation], found: list[Event]) -> None:
        if self._last_text >= 0:
            found += [
                Cited(self._last_text, read_citation(note.url_citation), self.choice)
                for note in annotations
                if note.url_citation is not None
            ]

    def finish(self, reason: str | None, met: str | int | None, found: list[Event]) -> None:
        self.hush(found)
        for call in self._made:
            if call.index < 0:
                call.index = self._next()
                found.append(PartStart(call.index, ToolUse(id=call.id, name="", arguments=""), self.choice))
                if call.held:
                    found.append(Delta(call.index, call.held, "arguments", self.choice))
            found.append(PartEnd(call.index, self.choice))
        if self._audio >= 0:
            found.append(PartEnd(self._audio, self.choice))
        stop = stop_of(reason, bool(self._made), self.refused)
        sequence = met if isinstance(met, str) else ""
        found.append(Finish("stop-sequence" if sequence and stop == "stop" else stop, sequence, self.choice))
        self.finished = True

    def hush(self, found: list[Event]) -> None:
        """What was said last is over."""
        if self.said:
            found.append(PartEnd(self.at, self.choice))
            self.said = ""

    def _open(self, kind: str, found: list[Event], vendor: str = "") -> None:
        self.hush(found)
        self.said = kind
        self.at = self._next()
        if kind == "text":
            self._last_text = self.at
            found.append(PartStart(self.at, Text(text=""), self.choice))
        elif kind == "thinking":
            found.append(PartStart(self.at, Thinking(vendor=vendor), self.choice))
        else:
            self.refused = True
            found.append(PartStart(self.at, Refusal(text=""), self.choice))

    def _next(self) -> int:
        self._parts += 1
        return self._parts - 1


class ChatReader(FramedReader):
    """Reads one reply."""

    __slots__ = ("_reply", "_started", "_turns", "_usage")

    def __init__(self, headers: Headers) -> None:
        super().__init__()
        self._started = False
        self._reply = ""
        self._usage: Usage | None = None
        self._turns: dict[int, _Turn] = {}

    def _read(self, payload: bytes, name: bytes, found: list[Event]) -> None:
        if payload == b"[DONE]":
            self._close(found)
            return
        try:
            chunk = _CHUNK.decode(payload)
        except UNREADABLE:
            if name == b"error":
                self._fail(payload, found)
            return
        if name == b"error" or chunk.object == "error" or says_error(chunk.error):
            self._fail(payload, found)
            return
        if not self._started:
            if not chunk.choices and not chunk.id and not chunk.model:
                # Azure speaks of its filters before it knows what answers.
                return
            self._started = True
            self._reply = chunk.id or ""
            found.append(Start(id=self._reply, model=chunk.model or "", created=int(chunk.created or 0)))
        self._usage = usage_of(chunk.usage) or self._usage
        for choice in chunk.choices or ():
            self._take(choice, found)

    def _take(self, choice: _Choice, found: list[Event]) -> None:
        index = choice.index or 0
        turn = self._turns.get(index)
        if turn is None:
            turn = self._turns[index] = _Turn(index, self._reply)
        if turn.finished:
            return
        delta = choice.delta
        if delta is not None:
            _tell(delta, choice.logprobs, turn, found)
        if choice.finish_reason:
            turn.finish(choice.finish_reason, choice.stop_reason, found)

    def _close(self, found: list[Event]) -> None:
        if not self._started:
            found.append(Start())
        for turn in self._turns.values():
            if not turn.finished:
                turn.finish(None, None, found)
        found.append(End(self._usage))
        self._over = True

    def _fail(self, payload: bytes, found: list[Event]) -> None:
        fault = fault_of_event("openai", payload)
        found.append(Failed(fault.message, fault.status, kind_hint(payload)))
        self._over = True


def _tell(delta: _Delta, said: Logprobs | None, turn: _Turn, found: list[Event]) -> None:
    thought, details = delta.reasoning_content or delta.reasoning, delta.reasoning_details
    if thought:
        turn.say("thinking", thought, (), found, vendor_of(details[0].format) if details else "")
    for detail in details or ():
        text = detail.text or detail.summary
        if text and not thought:
            turn.say("thinking", text, (), found, vendor_of(detail.format))
        turn.prove(detail, found)
    content = delta.content
    if content:
        logprobs = read_logprobs(said.content) if said is not None else ()
        if isinstance(content, str):
            turn.say("text", content, logprobs, found)
        else:
            for piece in content:
                if piece.type == "thinking":
                    if text := mistral_thinking(piece.thinking):
                        turn.say("thinking", text, (), found)
                elif piece.text:
                    turn.say("text", piece.text, logprobs, found)
    if delta.refusal:
        turn.say("refusal", delta.refusal, read_logprobs(said.refusal) if said is not None else (), found)
    if delta.annotations:
        turn.cite(delta.annotations, found)
    if delta.audio is not None:
        turn.sound(delta.audio, found)
    for picture in delta.images or ():
        if (image := read_picture(picture)) is not None:
            turn.hush(found)
            turn.show(image, found)
    for call in delta.tool_calls or ():
        turn.call(call, found)
    if delta.function_call is not None:
        turn.call(wire.ToolCall(index=0, function=delta.function_call), found)
