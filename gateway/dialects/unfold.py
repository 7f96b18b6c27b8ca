"""A whole answer as the events of a stream, for a client that asked for one and a provider that did not give it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Cited,
    Delta,
    End,
    Event,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Refusal,
    Start,
    Text,
    Thinking,
    ToolUse,
)

_Kind = Literal["text", "arguments", "signature", "redacted", "audio", "transcript"]


def events_of(answer: Answer) -> list[Event]:
    """The grammar of canonical.py, each part in as few deltas as it has kinds."""
    out: list[Event] = [Start(id=answer.id, model=answer.model, created=answer.created)]
    for choice in answer.choices:
        out.extend(_choice(choice))
    out.append(End(answer.usage))
    return out


def _choice(choice: Choice) -> Iterator[Event]:
    logprobs = choice.logprobs
    for index, part in enumerate(choice.parts):
        begun, more = _opened(part)
        yield PartStart(index, begun, choice.index)
        for kind, text in more:
            if text:
                said = logprobs if kind == "text" and isinstance(part, Text) else ()
                yield Delta(index, text, kind, choice.index, said)
                logprobs = () if said else logprobs
        if isinstance(part, Text):
            for citation in part.citations:
                yield Cited(index, citation, choice.index)
        yield PartEnd(index, choice.index)
    yield Finish(choice.stop, choice.stop_sequence, choice.index)


def _opened(part: Part) -> tuple[Part, list[tuple[_Kind, str]]]:
    """The part as it begins, and what is said of it then."""
    match part:
        case Text():
            return Text(text=""), [("text", part.text)]
        case Refusal():
            return Refusal(text=""), [("text", part.text)]
        case Thinking():
            thought = msgspec.structs.replace(part, text="", signature="", redacted="")
            return thought, [("text", part.text), ("signature", part.signature), ("redacted", part.redacted)]
        case ToolUse():
            call = msgspec.structs.replace(part, arguments="", signature="")
            return call, [("signature", part.signature), ("arguments", part.arguments)]
        case Audio():
            sound = part.content.text() if part.content is not None else ""
            silence = msgspec.structs.replace(part, content=None, transcript="")
            return silence, [("transcript", part.transcript), ("audio", sound)]
        case _:
            return part, []
