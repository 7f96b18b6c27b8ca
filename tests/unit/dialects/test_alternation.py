"""What Messages and Converse have alike is the same in both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import anthropic, bedrock
from gateway.dialects.canonical import Message, Request, TargetFacts, Text, ToolUse

CLAUDE = "claude-sonnet-4-5"
WRITERS = [
    pytest.param(anthropic.CODEC, CLAUDE, id="anthropic"),
    pytest.param(bedrock.CODEC, f"anthropic.{CLAUDE}-v1:0", id="bedrock"),
]


def said(role: Any, *texts: str) -> Message:
    return Message(role, tuple(Text(text=text) for text in texts))


def written(codec: Any, model: str, *messages: Message) -> tuple[list[tuple[str, str]], list[str]]:
    """The roles and the JSON of the turns, and the fields that were lost."""
    encoded = codec.write_request(Request(model="m", messages=messages), TargetFacts(model=model))
    turns = json.loads(encoded.body)["messages"]
    return [(turn["role"], json.dumps(turn["content"])) for turn in turns], [loss.field for loss in encoded.losses]


@pytest.mark.parametrize(("codec", "model"), WRITERS)
class TestAlternation:
    def test_neighbours_of_a_role_are_one_turn(self, codec: Any, model: str) -> None:
        turns, lost = written(codec, model, said("user", "One."), said("user", "Two."), said("assistant", "Three."))
        assert [role for role, _ in turns] == ["user", "assistant"]
        assert "One." in turns[0][1]
        assert "Two." in turns[0][1]
        assert lost == []

    def test_a_turn_of_which_nothing_is_left_is_none(self, codec: Any, model: str) -> None:
        turns, _ = written(codec, model, said("user", "One."), said("assistant", "  "), said("user", "Two."))
        assert [role for role, _ in turns] == ["user"]

    def test_a_conversation_begins_with_the_user(self, codec: Any, model: str) -> None:
        turns, lost = written(codec, model, said("assistant", "Well."), said("user", "Yes?"))
        assert [role for role, _ in turns] == ["user", "assistant", "user"]
        assert lost == ["messages"]

    def test_an_empty_conversation_is_one_too(self, codec: Any, model: str) -> None:
        turns, lost = written(codec, model)
        assert [role for role, _ in turns] == ["user"]
        assert lost == ["messages"]

    def test_the_assistants_last_words_end_without_white_space(self, codec: Any, model: str) -> None:
        turns, lost = written(codec, model, said("user", "Begin."), said("assistant", "Once "))
        assert "Once " not in turns[-1][1]
        assert lost == []

    def test_a_system_turn_in_the_middle_is_the_users(self, codec: Any, model: str) -> None:
        turns, lost = written(codec, model, said("user", "Hi."), said("assistant", "Hello."), said("system", "Short!"))
        assert [role for role, _ in turns] == ["user", "assistant", "user"]
        assert lost == ["messages[2]"]

    def test_malformed_arguments_are_put_into_an_object(self, codec: Any, model: str) -> None:
        call = Message("assistant", (ToolUse(id="c1", name="look", arguments='{"city": "Os'),))
        turns, lost = written(codec, model, said("user", "Hi."), call, said("user", "And?"))
        assert json.dumps({"arguments": '{"city": "Os'})[1:-1] in turns[1][1]
        assert lost[0] == "messages[1].arguments"
