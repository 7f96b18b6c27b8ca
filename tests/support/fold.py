"""What a stream says as a whole reply: the other side of the law `fold(stream) == whole reply`.

Also keeps the grammar of canonical.py: an event out of its place is an AssertionError.
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
    Cited,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    Thinking,
    ToolUse,
)


def fold(events: Iterable[Event]) -> Answer:
    """The reply that the events tell. Raises AssertionError where they break the grammar."""
    start: Start | None = None
    usage: Usage | None = None
    parts: dict[int, dict[int, Part]] = {}
    open_parts: set[tuple[int, int]] = set()
    finishes: dict[int, Finish] = {}
    logprobs: dict[int, list[object]] = {}
    over = False
    for event in events:
        assert not over, f"{event} after the end"
        match event:
            case Ping():
                continue
            case Failed():
                over = True
                continue
            case Start():
                assert start is None, "a second Start"
                start = event
                usage = event.usage or usage
                continue
            case _:
                assert start is not None, f"{event} before Start"
        match event:
            case PartStart():
                assert event.choice not in finishes, "a part after Finish"
                mine = parts.setdefault(event.choice, {})
                assert event.index == len(mine), f"part {event.index} is the {len(mine)}th to start"
                mine[event.index] = event.part
                open_parts.add((event.choice, event.index))
            case Delta():
                assert (event.choice, event.index) in open_parts, f"{event} for a part that is not open"
                parts[event.choice][event.index] = _grown(parts[event.choice][event.index], event)
                logprobs.setdefault(event.choice, []).extend(event.logprobs)
            case Cited():
                assert (event.choice, event.index) in open_parts
                part = parts[event.choice][event.index]
                assert isinstance(part, Text)
                parts[event.choice][event.index] = msgspec.structs.replace(
                    part, citations=(*part.citations, event.citation)
                )
            case PartEnd():
                open_parts.remove((event.choice, event.index))
            case Finish():
                assert event.choice not in finishes, "a second Finish"
                assert not any(choice == event.choice for choice, _ in open_parts), "Finish before the parts ended"
                finishes[event.choice] = event
            case End():
                assert finishes, "End without Finish"
                over = True
                usage = event.usage or usage
            case _:
                raise AssertionError(f"no such event: {event}")
    choices = tuple(
        Choice(
            parts=tuple(parts.get(choice, {}).values()),
            stop=finish.stop,
            stop_sequence=finish.stop_sequence,
            index=choice,
            logprobs=tuple(logprobs.get(choice, ())),  # type: ignore[arg-type]
        )
        for choice, finish in sorted(finishes.items())
    )
    first = start or Start()
    return Answer(id=first.id, model=first.model, created=first.created, choices=choices, usage=usage)


def _grown(part: Part, delta: Delta) -> Part:
    text = delta.text
    match part, delta.kind:
        case (Text() | Refusal(), "text"):
            return msgspec.structs.replace(part, text=part.text + text)
        case (Thinking(), "text"):
            return msgspec.structs.replace(part, text=part.text + text)
        case (Thinking() | ToolUse(), "signature"):
            return msgspec.structs.replace(part, signature=part.signature + text)
        case (Thinking(), "redacted"):
            return msgspec.structs.replace(part, redacted=part.redacted + text)
        case (ToolUse(), "arguments"):
            return msgspec.structs.replace(part, arguments=part.arguments + text)
        case (Audio(), "transcript"):
            return msgspec.structs.replace(part, transcript=part.transcript + text)
        case (Audio(), "audio"):
            before = bytes(part.content.view) if part.content is not None else b""
            return msgspec.structs.replace(part, content=Blob(memoryview(before + text.encode())))
        case _:
            raise AssertionError(f"a {delta.kind} delta for {type(part).__name__}")
