"""What of an answer a client's format has no room for.

Lives here: finding it, for whole answers and for streams, from what a codec says of its format. Must not: write
anything. Law: what is found is in an answer as its provider gave it, and not in what the client gets. The fields of
these losses begin with `reply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway.dialects.canonical import Answer, Audio, Citation, Cited, Event, Image, Loss, Part, PartStart, Text


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's format can say in an answer. pictures; sound, not its transcript alone; quotes, the words of a
    document that a citation rests on."""

    pictures: bool = True
    sound: bool = True
    quotes: bool = True


_PICTURE: Final = Loss("reply.image")
_SOUND: Final = Loss("reply.audio", "changed", "its transcript alone")
_QUOTE: Final = Loss("reply.citations", "changed", "without the words that are cited")
_LIMIT: Final = 16
"""Kinds of unread content that are told."""


def unsaid(answer: Answer, room: Room) -> tuple[Loss, ...]:
    """What the client does not get of a whole answer, each thing once."""
    found: dict[Loss, None] = {}
    for kind in answer.unread[:_LIMIT]:
        found[Loss(f"reply.{kind}")] = None
    for choice in answer.choices:
        for part in choice.parts:
            if type(part) is Text and not part.citations:
                continue
            for loss in _of_part(part, room):
                found[loss] = None
    return tuple(found)


def unsaid_event(event: Event, room: Room) -> Iterable[Loss]:
    """What the client does not get of one event of a stream."""
    match event:
        case PartStart(part=part):
            return _of_part(part, room)
        case Cited(citation=citation):
            return _of_citation(citation, room)
        case _:
            return ()


def _of_part(part: Part, room: Room) -> Iterator[Loss]:
    match part:
        case Image() if not room.pictures:
            yield _PICTURE
        case Audio() if not room.sound:
            yield _SOUND
        case Text(citations=citations):
            for citation in citations:
                yield from _of_citation(citation, room)
        case _:
            pass


def _of_citation(citation: Citation, room: Room) -> Iterable[Loss]:
    return () if room.quotes or not citation.quote else (_QUOTE,)
