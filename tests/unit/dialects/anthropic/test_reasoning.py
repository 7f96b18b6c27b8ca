from __future__ import annotations

import pytest

from gateway.dialects.anthropic.models import traits_of
from gateway.dialects.anthropic.reasoning import Thought, effort_of, lacks_thoughts, think
from gateway.dialects.canonical import Effort, Loss, Message, Reasoning, Text, Thinking, ToolResult, ToolUse

BUDGET, BOTH, ADAPTIVE = "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5-5"


def _think(
    model: str, reasoning: Reasoning, max_tokens: int | None = None, limit: int = 64_000
) -> tuple[Thought, list[Loss]]:
    losses: list[Loss] = []
    return think(reasoning, traits_of(model, "anthropic"), max_tokens, limit, losses), losses


@pytest.mark.parametrize(
    ("effort", "budget"), [("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 16384), ("max", 32768)]
)
def test_a_level_becomes_a_number_for_a_model_that_wants_one(effort: Effort, budget: int) -> None:
    thought, losses = _think(BUDGET, Reasoning(effort=effort))
    assert thought.thinking == {"type": "enabled", "budget_tokens": budget}
    assert thought.max_tokens == 64_000
    assert losses == []
    assert effort_of(budget) == effort


def test_a_number_becomes_a_level_for_a_model_that_decides_itself() -> None:
    thought, losses = _think(ADAPTIVE, Reasoning(budget=6000))
    assert thought.thinking == {"type": "adaptive"}
    assert thought.effort == "medium"
    assert [(loss.field, loss.effect) for loss in losses] == [("reasoning.budget", "changed")]


def test_a_model_that_takes_both_keeps_the_number() -> None:
    assert _think(BOTH, Reasoning(budget=6000))[0].thinking == {"type": "enabled", "budget_tokens": 6000}


def test_the_models_own_choice_stays_one_where_there_is_such_a_thing() -> None:
    assert _think(ADAPTIVE, Reasoning(budget=-1))[0].thinking == {"type": "adaptive"}
    thought, losses = _think(BUDGET, Reasoning(budget=-1))
    assert thought.thinking == {"type": "enabled", "budget_tokens": 8192}
    assert losses[0].effect == "changed"


def test_half_of_a_small_limit_is_left_for_the_answer() -> None:
    thought, losses = _think(BUDGET, Reasoning(budget=10_000), max_tokens=4000)
    assert thought.thinking == {"type": "enabled", "budget_tokens": 2000}
    assert thought.max_tokens == 4000
    assert losses == [Loss("reasoning.budget", "changed", "10000 -> 2000")]


def test_a_limit_without_room_for_thinking_wins() -> None:
    thought, losses = _think(BUDGET, Reasoning(effort="high"), max_tokens=1000)
    assert thought.thinking is None
    assert not thought.on
    assert losses[0].effect == "changed"


def test_where_nothing_is_known_of_the_model_the_limit_holds_thinking_and_answer() -> None:
    thought, _ = _think(BUDGET, Reasoning(effort="max"), limit=0)
    assert thought.thinking == {"type": "enabled", "budget_tokens": 32768}
    assert thought.max_tokens == 32768 + 4096


@pytest.mark.parametrize("off", [Reasoning(effort="none"), Reasoning(budget=0)])
def test_thinking_is_switched_off_where_it_is_on_by_itself(off: Reasoning) -> None:
    assert _think(ADAPTIVE, off)[0].thinking == {"type": "disabled"}
    assert _think(BUDGET, off)[0].thinking is None
    assert _think("claude-mythos-5-2", off)[1] == [Loss("reasoning", "changed", "this model always thinks")]


def test_whether_thoughts_are_shown_is_told_where_it_is_known() -> None:
    assert _think(ADAPTIVE, Reasoning(budget=-1, visible=True))[0].thinking == {
        "type": "adaptive",
        "display": "summarized",
    }
    assert "display" not in (_think(BUDGET, Reasoning(budget=2000, visible=False))[0].thinking or {})


def test_a_level_that_a_model_has_not_is_the_next_lower() -> None:
    thought, losses = _think("claude-opus-4-5", Reasoning(effort="max"))
    assert thought.effort == "high"
    assert losses == [Loss("reasoning.effort", "changed", "max -> high")]


def test_a_model_that_does_not_think_loses_a_hint() -> None:
    assert _think("claude-3-haiku-20240307", Reasoning(effort="high"))[1] == [
        Loss("reasoning", "hint", "the model does not think")
    ]


_CALL = ToolUse(id="t", name="f", arguments="{}")
_RESULT = Message("user", (ToolResult(id="t"),))


@pytest.mark.parametrize(
    ("messages", "lacks"),
    [
        ((Message("user", (Text(text="a"),)),), False),
        ((Message("assistant", (_CALL,)), _RESULT), True),
        ((Message("assistant", (Thinking(signature="s", vendor="anthropic"), _CALL)), _RESULT), False),
        ((Message("assistant", (Thinking(signature="s", vendor="gemini"), _CALL)), _RESULT), True),
        ((Message("assistant", (_CALL,)), _RESULT, Message("user", (Text(text="new"),))), False),
        ((), False),
    ],
)
def test_a_round_of_tools_without_its_thoughts_is_seen(messages: tuple[Message, ...], lacks: bool) -> None:
    assert lacks_thoughts(messages) is lacks
