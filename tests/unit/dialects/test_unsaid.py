from __future__ import annotations

import pytest

from gateway.dialects import anthropic, gemini, openai_chat, openai_responses
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Cited,
    Delta,
    Event,
    Image,
    Part,
    PartStart,
    Text,
    Thinking,
)
from gateway.dialects.codec import Codec
from gateway.dialects.unsaid import unsaid, unsaid_event

QUOTED = Citation(url="https://h/", quote="The sky is blue.")
PARTS: tuple[Part, ...] = (
    Thinking(text="Hm."),
    Text(text="Blue.", citations=(QUOTED, QUOTED)),
    Image(url="https://h/a.png"),
    Audio(transcript="Blue."),
)
LOST = [
    pytest.param(openai_chat.CODEC, ["reply.citations"], id="openai-chat"),
    pytest.param(openai_responses.CODEC, ["reply.citations", "reply.audio"], id="openai-responses"),
    pytest.param(anthropic.CODEC, ["reply.image", "reply.audio"], id="anthropic"),
    pytest.param(gemini.CODEC, [], id="gemini"),
]


@pytest.mark.parametrize(("client", "fields"), LOST)
def test_each_thing_that_has_no_room_is_named_once(client: Codec, fields: list[str]) -> None:
    answer = Answer(choices=(Choice(parts=PARTS), Choice(parts=PARTS, index=1)))
    assert [loss.field for loss in unsaid(answer, client.room)] == fields


@pytest.mark.parametrize(("client", "fields"), LOST)
def test_a_stream_loses_what_its_whole_reply_does(client: Codec, fields: list[str]) -> None:
    events: list[Event] = [
        PartStart(0, PARTS[0]),
        Delta(0, "Hm."),
        PartStart(1, Text(text="Blue.")),
        Cited(1, QUOTED),
        PartStart(2, PARTS[2]),
        PartStart(3, PARTS[3]),
    ]
    assert [loss.field for event in events for loss in unsaid_event(event, client.room)] == fields


def test_a_citation_without_words_loses_none() -> None:
    answer = Answer(choices=(Choice(parts=(Text(text="Blue.", citations=(Citation(url="https://h/"),)),)),))
    assert unsaid(answer, openai_chat.CODEC.room) == ()


def test_what_a_reader_could_not_read_is_named_up_to_a_bound() -> None:
    answer = Answer(unread=tuple(f"kind_{number}" for number in range(100)))
    found = unsaid(answer, gemini.CODEC.room)
    assert [loss.field for loss in found[:2]] == ["reply.kind_0", "reply.kind_1"]
    assert len(found) == 16
