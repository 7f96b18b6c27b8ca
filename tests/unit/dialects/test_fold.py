"""Events that amount to a whole reply."""

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
    Failed,
    Finish,
    Image,
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
from gateway.dialects.fold import fold


def test_parts_that_overlap_grow_each_by_itself() -> None:
    logprob = TokenLogprob("a", -1.0)
    citation = Citation(url="https://a")
    image = Image(url="https://b")
    assert fold(
        [
            Start(id="r", model="m", created=7, usage=Usage(3)),
            Ping(),
            PartStart(0, Thinking(vendor="anthropic")),
            Delta(0, "Hm."),
            Delta(0, "sig", "signature"),
            Delta(0, "red", "redacted"),
            PartEnd(0),
            PartStart(1, Text(text="A")),
            PartStart(2, ToolUse(id="c", name="f", arguments="")),
            Delta(2, '{"x"', "arguments"),
            Delta(1, "b", logprobs=(logprob,)),
            Delta(2, ":1}", "arguments"),
            Delta(2, "proof", "signature"),
            Cited(1, citation),
            PartStart(3, Refusal(text="")),
            Delta(3, "No."),
            PartStart(4, image),
            Finish("stop-sequence", "END"),
            End(Usage(3, 4)),
        ]
    ) == Answer(
        id="r",
        model="m",
        created=7,
        choices=(
            Choice(
                parts=(
                    Thinking(text="Hm.", signature="sig", redacted="red", vendor="anthropic"),
                    Text(text="Ab", citations=(citation,)),
                    ToolUse(id="c", name="f", arguments='{"x":1}', signature="proof"),
                    Refusal(text="No."),
                    image,
                ),
                stop="stop-sequence",
                stop_sequence="END",
                logprobs=(logprob,),
            ),
        ),
        usage=Usage(3, 4),
    )


def test_sound_and_what_is_said_in_it() -> None:
    answer = fold(
        [PartStart(0, Audio(media_type="audio/pcm")), Delta(0, "aGk=", "audio"), Delta(0, "hi", "transcript")]
    )
    (part,) = answer.choices[0].parts
    assert part == Audio(content=Blob(memoryview(b"aGk=")), media_type="audio/pcm", transcript="hi")


def test_choices_are_in_order_and_one_without_a_finish_is_other() -> None:
    answer = fold([PartStart(0, Text(text="b"), 1), PartStart(0, Text(text="a")), Finish("stop"), Failed("x")])
    assert answer.choices == (
        Choice(parts=(Text(text="a"),), stop="stop"),
        Choice(parts=(Text(text="b"),), stop="other", index=1),
    )


def test_what_belongs_to_no_part_is_left_out() -> None:
    assert fold([Delta(0, "x"), Cited(4, Citation())]).choices == (Choice(parts=(), stop="other"),)
