from __future__ import annotations

import pytest

from gateway.dialects.anthropic.seal import sealed, sealed_call, sealed_redacted, unsealed, with_signatures
from gateway.dialects.canonical import Part, Text, Thinking, ToolUse


@pytest.mark.parametrize(
    "thought",
    [
        Thinking(text="t", signature="c2ln", vendor="anthropic"),
        Thinking(text="t", signature="c2ln", vendor="gemini"),
        Thinking(text="summary", redacted="ZW5j", vendor="openai", id="rs_1"),
        Thinking(text="t"),
    ],
)
def test_a_thought_with_words_comes_back_as_it_went(thought: Thinking) -> None:
    assert unsealed(thought.text, sealed(thought), False) == thought


@pytest.mark.parametrize("vendor", ["anthropic", "openai"])
def test_an_encrypted_thought_comes_back_as_it_went(vendor: str) -> None:
    thought = Thinking(redacted="ZW5j", vendor=vendor, id="rs_1" if vendor == "openai" else "")
    assert unsealed("", sealed_redacted(thought, thought.redacted), True) == thought


def test_anthropics_own_signature_goes_unmarked() -> None:
    assert sealed(Thinking(text="t", signature="c2ln", vendor="anthropic")) == "c2ln"


def test_the_signature_of_a_call_goes_back_to_its_call() -> None:
    call = ToolUse(id="call_1", name="f", arguments="{}", signature="c2ln")
    bare = ToolUse(id="call_1", name="f", arguments="{}")
    other = ToolUse(id="call_2", name="f", arguments="{}")
    parts: list[Part] = [Text(text="a"), bare, unsealed("", sealed_call(call), False), other]
    assert with_signatures(parts) == [Text(text="a"), call, other]


def test_a_call_without_a_signature_carries_none() -> None:
    assert sealed_call(ToolUse(id="a", name="f", arguments="{}")) == ""
    assert sealed_call(ToolUse(id="a:b", name="f", arguments="{}", signature="s")) == ""
