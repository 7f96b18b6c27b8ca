"""A client's stream as Gemini has it, in either framing: every chunk a whole GenerateContentResponse."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.blob import Blob, BlobWriter
from gateway.dialects.canonical import (
    Audio,
    Citation,
    Cited,
    Delta,
    Document,
    Echo,
    End,
    Event,
    Finish,
    Image,
    Part,
    PartEnd,
    PartStart,
    Refusal,
    Start,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.grounding import Meter, metadata_of
from gateway.dialects.gemini.media import inline, write_media
from gateway.dialects.gemini.reply import MALFORMED, finish_of, logprobs_of, malformed_message, usage_out
from gateway.dialects.gemini.thoughts import signature_of
from gateway.dialects.tool_calls import arguments_of

_encode: Final = msgspec.json.encode


class _Growing:
    """A part that is being written. said: what cannot be given out before the part is whole."""

    __slots__ = ("part", "said", "spoke")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.said: list[str] = []
        self.spoke = False


class _Choice:
    __slots__ = ("citations", "finish", "growing", "malformed", "meter", "text_at")

    def __init__(self) -> None:
        self.growing: dict[int, _Growing] = {}
        self.citations: list[Citation] = []
        self.meter = Meter()
        self.text_at = -1
        self.malformed = ""
        self.finish = "OTHER"


class Writer:
    """Writes a client's stream: a chunk for each piece of text and for each whole part, and the finish of every
    candidate with the usage in the last one."""

    __slots__ = ("_array", "_choices", "_echo", "_id", "_out", "_tail")

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._array = b"[" if echo.framing == "json-array" else b""
        self._choices: dict[int, _Choice] = {}
        self._id = echo.id
        self._tail = b""
        self._out: list[bytes] = []

    def write(self, events: list[Event]) -> bytes:
        self._out = []
        for event in events:
            kind = type(event)
            if kind is Delta:
                assert isinstance(event, Delta)
                self._delta(event)
            else:
                self._rare(event)
        return b"".join(self._out)

    def _rare(self, event: Event) -> None:
        match event:
            case Start():
                self._id = event.id or self._id
            case PartStart():
                self._start(event)
            case PartEnd():
                growing = self._choice(event.choice).growing.pop(event.index, None)
                if growing is not None:
                    self._close(event.choice, growing)
            case Cited():
                choice = self._choice(event.choice)
                if event.index == choice.text_at:
                    choice.citations.append(event.citation)
            case Finish():
                choice = self._choice(event.choice)
                for growing in choice.growing.values():
                    self._close(event.choice, growing)
                choice.growing.clear()
                choice.finish = finish_of(event.stop)
            case End():
                self._end(event)
            case _:
                pass

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def _start(self, event: PartStart) -> None:
        choice = self._choice(event.choice)
        part = event.part
        if isinstance(part, Image | Document) or (isinstance(part, Audio) and part.content is not None):
            blobs = BlobWriter()
            written = write_media(part, blobs)
            if written is not None:
                self._part(event.choice, written, blobs)
            return
        growing = choice.growing[event.index] = _Growing(part)
        match part:
            case Text(text=text):
                if choice.text_at < 0:
                    choice.text_at = event.index
                if choice.text_at == event.index:
                    choice.citations += part.citations
                self._said(event.choice, event.index, growing, text)
            case Refusal(text=text) | Thinking(text=text):
                self._said(event.choice, event.index, growing, text)
            case ToolUse(arguments=text):
                growing.said.append(text)
            case _:
                pass

    def _delta(self, event: Delta) -> None:
        growing = self._choice(event.choice).growing.get(event.index)
        if growing is None:
            return
        kind = event.kind
        if kind == "text" or kind == "transcript":
            self._said(event.choice, event.index, growing, event.text, event.logprobs)
        elif kind == "arguments":
            growing.said.append(event.text)
        elif kind == "audio":
            self._sound(event.choice, growing.part, event.text)
        else:
            growing.part = _proven(growing.part, kind, event.text)

    def _said(
        self, choice: int, index: int, growing: _Growing, text: str, logprobs: tuple[TokenLogprob, ...] = ()
    ) -> None:
        if not text:
            return
        growing.spoke = True
        known = self._choice(choice)
        if index == known.text_at:
            known.meter.add(text)
        if logprobs:
            content = wire.Content("model", [wire.Part(text=text)])
            self._candidates([wire.Candidate(content, index=choice, logprobs_result=logprobs_of(logprobs))])
            return
        opening = b'{"candidates":[{"content":{"role":"model","parts":[{"text":'
        thought = b',"thought":true' if isinstance(growing.part, Thinking) else b""
        self._chunk(b'%b%b%b}]},"index":%d}]' % (opening, _encode(text), thought, choice))

    def _sound(self, choice: int, part: Part, base64: str) -> None:
        media_type = part.media_type if isinstance(part, Audio) and part.media_type else "audio/pcm"
        blobs = BlobWriter()
        data = inline(Blob(memoryview(base64.encode("utf-8", "replace"))), media_type, blobs)
        self._part(choice, wire.Part(inline_data=data), blobs)

    def _close(self, index: int, growing: _Growing) -> None:
        part = growing.part
        if isinstance(part, ToolUse):
            text = "".join(growing.said)
            arguments = arguments_of(text)
            if arguments is None:
                choice = self._choice(index)
                choice.malformed = choice.malformed or malformed_message(part.name, text)
                return
            call = wire.FunctionCall(part.id or None, part.name, arguments)
            self._part(index, wire.Part(function_call=call, thought_signature=part.signature or None))
        elif isinstance(part, Thinking):
            signature = signature_of(part)
            if signature:
                thought = True if growing.spoke or part.vendor != "gemini" else None
                self._part(index, wire.Part(text="", thought=thought, thought_signature=signature))

    def _end(self, event: End) -> None:
        candidates = [
            wire.Candidate(
                # google-genai takes a chunk without parts for an invalid one.
                content=wire.Content("model", [wire.Part(text="")]),
                finish_reason=MALFORMED if choice.malformed else choice.finish,
                finish_message=choice.malformed or None,
                index=index,
                grounding_metadata=metadata_of(choice.citations, choice.meter),
            )
            for index, choice in sorted(self._choices.items(), key=lambda item: item[0])
        ]
        usage = b',"usageMetadata":' + _encode(usage_out(event.usage)) if event.usage is not None else b""
        self._chunk(b'{"candidates":' + _encode(candidates) + usage)
        if self._array:
            self._out.append(b"]")

    def _part(self, choice: int, part: wire.Part, blobs: BlobWriter | None = None) -> None:
        self._candidates([wire.Candidate(wire.Content("model", [part]), index=choice)], blobs)

    def _candidates(self, candidates: list[wire.Candidate], blobs: BlobWriter | None = None) -> None:
        flat = _encode(candidates) if blobs is None else blobs.encode(candidates)
        self._chunk(b'{"candidates":' + flat)

    def _chunk(self, opened: bytes) -> None:
        """Write a response that lacks its last members."""
        tail = self._tail
        if not tail:
            echo = self._echo
            names = {"modelVersion": echo.model, "responseId": self._id}
            tail = self._tail = b"," + _encode(names)[1:]
        if self._array:
            self._out += (self._array, opened, tail)
            self._array = b",\r\n"
        else:
            self._out += (b"data: ", opened, tail, b"\r\n\r\n")


def _proven(part: Part, kind: str, text: str) -> Part:
    """The part with more of its proof."""
    replace = msgspec.structs.replace
    if isinstance(part, ToolUse):
        return replace(part, signature=part.signature + text)
    if isinstance(part, Thinking):
        if kind == "redacted":
            return replace(part, redacted=part.redacted + text)
        return replace(part, signature=part.signature + text)
    return part
