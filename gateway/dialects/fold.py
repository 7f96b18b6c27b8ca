"""The events of a stream as the whole reply that they amount to.

Lives here: the one meaning that a stream and a whole reply share; a dialect whose replies come in the same pieces as
its streams reads both with it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Cited,
    Delta,
    End,
    Event,
    Finish,
    Part,
    PartStart,
    Refusal,
    Start,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)


class _Piece:
    """A part that grows."""

    __slots__ = ("citations", "part", "said")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.said: dict[str, list[str]] = {}
        self.citations: list[Citation] = []

    def whole(self) -> Part:
        part = self.part
        if not self.said and not self.citations:
            return part
        said = {kind: "".join(pieces) for kind, pieces in self.said.items()}
        replace = msgspec.structs.replace
        match part:
            case Text():
                return replace(
                    part, text=part.text + said.get("text", ""), citations=(*part.citations, *self.citations)
                )
            case Refusal():
                return replace(part, text=part.text + said.get("text", ""))
            case Thinking():
                return replace(
                    part,
                    text=part.text + said.get("text", ""),
                    signature=part.signature + said.get("signature", ""),
                    redacted=part.redacted + said.get("redacted", ""),
                )
            case ToolUse():
                return replace(
                    part,
                    arguments=part.arguments + said.get("arguments", ""),
                    signature=part.signature + said.get("signature", ""),
                )
            case Audio():
                before = part.content.text() if part.content is not None else ""
                content = before + said.get("audio", "")
                return replace(
                    part,
                    content=Blob(memoryview(content.encode())) if content else None,
                    transcript=part.transcript + said.get("transcript", ""),
                )
            case _:
                return part


class _Whole:
    __slots__ = ("logprobs", "pieces", "stop", "stop_sequence")

    def __init__(self) -> None:
        self.pieces: dict[int, _Piece] = {}
        self.logprobs: list[TokenLogprob] = []
        self.stop: StopReason = "other"
        self.stop_sequence = ""


def fold(events: Iterable[Event]) -> Answer:
    """The whole reply. A choice without a Finish has the stop `other`."""
    start = Start()
    usage: Usage | None = None
    choices: dict[int, _Whole] = {}
    for event in events:
        match event:
            case PartStart(index=index, part=part, choice=number):
                choices.setdefault(number, _Whole()).pieces[index] = _Piece(part)
            case Delta(index=index, text=text, kind=kind, choice=number, logprobs=logprobs):
                choice = choices.setdefault(number, _Whole())
                choice.logprobs += logprobs
                piece = choice.pieces.get(index)
                if piece is not None:
                    piece.said.setdefault(kind, []).append(text)
            case Cited(index=index, citation=citation, choice=number):
                cited = choices.setdefault(number, _Whole()).pieces.get(index)
                if cited is not None:
                    cited.citations.append(citation)
            case Finish(stop=stop, stop_sequence=sequence, choice=number):
                choice = choices.setdefault(number, _Whole())
                choice.stop, choice.stop_sequence = stop, sequence
            case Start():
                start = event
                usage = event.usage or usage
            case End():
                usage = event.usage or usage
            case _:
                pass
    return Answer(
        id=start.id,
        model=start.model,
        created=start.created,
        choices=tuple(
            Choice(
                parts=tuple(piece.whole() for _, piece in sorted(choice.pieces.items(), key=lambda item: item[0])),
                stop=choice.stop,
                stop_sequence=choice.stop_sequence,
                index=number,
                logprobs=tuple(choice.logprobs),
            )
            for number, choice in sorted(choices.items(), key=lambda item: item[0])
        ),
        usage=usage,
    )
