"""The complexity score."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.core.prompt import Prompt
from gateway.policy.complexity import features, score

PAGE = Path(__file__).parents[3] / "docs" / "virtual-models.md"
SIMPLE = "What is the capital of France?"
HARD = (
    "Compare PostgreSQL and DynamoDB for 5,000 orders a second. Analyze the trade-offs in consistency and cost, and "
    "design a migration that must keep downtime under five minutes:\n1. What breaks first?\n2. How do we roll back?"
)


def scored(text: str, turns: int = 1, tools: int = 0, around: int = 0) -> float:
    return score(Prompt(text=text, turns=turns, tools=tools), len(text.encode()) // 4 + around)


def test_nothing_is_not_complex() -> None:
    assert score(Prompt(), 0) == 0


def test_a_question_is_simpler_than_a_design() -> None:
    assert scored(SIMPLE) < 0.1
    assert scored(HARD) > 0.6


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("code", "Refactor this function:\n```python\ndef f(): pass\n```"),
        ("math", "Find the eigenvalues of the matrix and its integral"),
        ("reasoning", "Explain how it works, step by step"),
        ("reasoning", "为什么天空是蓝色的\uff1f请逐步分析"),
        ("constraints", "It must have exactly five lines, without adjectives"),
        ("parts", "- one\n- two\n- three"),
    ],
)
def test_each_feature_is_seen_in_what_has_it(feature: str, text: str) -> None:
    found = {one.name: one.value for one in features(Prompt(text=text, turns=1), 0)}
    assert found[feature] > 0
    plain = {one.name: one.value for one in features(Prompt(text="Good morning", turns=1), 0)}
    assert plain[feature] == 0


def test_conversation_context_and_tools_count() -> None:
    plain = scored("Go on")
    assert scored("Go on", turns=6) > plain
    assert scored("Go on", tools=8) > plain
    assert scored("Go on", around=8000) > plain


def test_one_feature_alone_makes_no_more_than_its_weight() -> None:
    for feature in features(Prompt(), 0):
        assert 0 < feature.weight < 1
    assert score(Prompt(tools=1000), 0) == 0.25
    assert score(Prompt(turns=1000), 0) == 0.15


def test_the_worked_examples_of_the_page_are_true() -> None:
    rows = re.findall(r"^\| (0\.\d+) \| `(.+?)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) >= 8
    for said, text in rows:
        assert f"{scored(text):.3f}" == said, text


def test_the_weights_of_the_page_are_true() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (0\.\d\d) \|", PAGE.read_text(), re.MULTILINE))
    assert rows == {feature.name: f"{feature.weight:.2f}" for feature in features(Prompt(), 0)}
