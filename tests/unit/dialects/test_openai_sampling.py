from __future__ import annotations

import pytest

from gateway.dialects.canonical import Effort, Loss, Reasoning, TargetFacts
from gateway.dialects.openai_sampling import effort_of, takes_no_sampling


@pytest.mark.parametrize(
    ("model", "reasoning", "thinks"),
    [
        ("o3", None, True),
        ("o4-mini-2025-04-16", None, True),
        ("openai/gpt-5.2", None, True),
        ("gpt-6-astra", None, True),
        ("gpt-5-chat-latest", None, False),
        ("gpt-5.2", False, False),
        ("gpt-4o", None, False),
        ("gpt-oss-120b", True, False),
        ("olmo-2", None, False),
    ],
)
def test_which_models_take_no_sampling(model: str, reasoning: bool | None, thinks: bool) -> None:
    assert takes_no_sampling(TargetFacts(model=model, reasoning=reasoning)) is thinks


@pytest.mark.parametrize(
    ("budget", "effort"), [(0, "none"), (1, "low"), (2048, "low"), (8192, "medium"), (8193, "high"), (-1, "")]
)
def test_a_budget_is_told_as_a_level(budget: int, effort: Effort) -> None:
    losses: list[Loss] = []
    assert effort_of(Reasoning(budget=budget), TargetFacts(model="m"), losses) == effort
    assert bool(losses) is (budget > 0)
