from __future__ import annotations

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
    Finish,
    PartEnd,
    PartStart,
    Refusal,
    Start,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.unfold import events_of


def test_an_answer_is_said_part_by_part() -> None:
    source = Citation(url="https://example.test")
    thought = Thinking(text="Hm", signature="s", vendor="anthropic")
    call = ToolUse(id="1", name="f", arguments="{}")
    parts = (thought, Text(text="Hi", citations=(source,)), call)
    told = Answer(id="a", model="m", created=5, choices=(Choice(parts=parts, stop="tool-use"),), usage=Usage(1, 2))
    assert events_of(told) == [
        Start(id="a", model="m", created=5),
        PartStart(0, Thinking(vendor="anthropic")), Delta(0, "Hm"), Delta(0, "s", "signature"), PartEnd(0),
        PartStart(1, Text(text="")), Delta(1, "Hi"), Cited(1, source), PartEnd(1),
        PartStart(2, ToolUse(id="1", name="f", arguments="")), Delta(2, "{}", "arguments"), PartEnd(2),
        Finish("tool-use"), End(Usage(1, 2)),
    ]  # fmt: skip


def test_choices_keep_their_number_and_logprobs_come_once() -> None:
    likely = (TokenLogprob("A", -0.1),)
    choices = (
        Choice(parts=(Text(text="A"), Text(text="B")), logprobs=likely),
        Choice(parts=(), index=1, stop="length"),
    )
    assert events_of(Answer(choices=choices)) == [
        Start(),
        PartStart(0, Text(text="")), Delta(0, "A", logprobs=likely), PartEnd(0),
        PartStart(1, Text(text="")), Delta(1, "B"), PartEnd(1),
        Finish(), Finish("length", choice=1), End(),
    ]  # fmt: skip


def test_sound_and_refusals() -> None:
    sound = Audio(id="x", content=Blob(memoryview(b"AAAA")), transcript="Hi")
    found = events_of(Answer(choices=(Choice(parts=(sound, Refusal(text="No."))),)))
    assert found[1:-2] == [
        PartStart(0, Audio(id="x")), Delta(0, "Hi", "transcript"), Delta(0, "AAAA", "audio"), PartEnd(0),
        PartStart(1, Refusal(text="")), Delta(1, "No."), PartEnd(1),
    ]  # fmt: skip
