from __future__ import annotations

import pytest

from gateway.dialects.anthropic.models import traits_of


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-3-haiku-20240307", "none"),
        ("claude-3-5-sonnet-20241022", "none"),
        ("claude-3-7-sonnet-20250219", "budget"),
        ("claude-sonnet-4-20250514", "budget"),
        ("claude-opus-4-0", "budget"),
        ("claude-opus-4-5-20251101", "budget"),
        ("claude-opus-4-6", "both"),
        ("claude-opus-4-7", "adaptive"),
        ("claude-sonnet-5", "adaptive"),
        ("claude-haiku-5-5", "adaptive"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "budget"),
        ("claude-opus-4-8@20260528", "adaptive"),
        ("anthropic/claude-opus-4.6", "both"),
    ],
)
def test_a_name_tells_how_a_model_thinks(model: str, thinking: str) -> None:
    assert traits_of(model, "anthropic").thinking == thinking


def test_a_date_is_no_minor_version() -> None:
    assert traits_of("claude-sonnet-4-20250514", "").structured is False
    assert traits_of("claude-sonnet-4-5-20250929", "").structured is True


def test_an_unknown_name_is_the_newest_at_anthropic_and_the_least_elsewhere() -> None:
    assert traits_of("claude-latest", "anthropic") == traits_of("claude-opus-5-5", "anthropic")
    assert traits_of("kimi-k3", "moonshot").structured is False
    assert traits_of("claude-latest", "somebody").structured is True


def test_models_that_always_think_are_known() -> None:
    assert traits_of("claude-mythos-5-2", "").always_thinking
    assert not traits_of("claude-opus-5-5", "").always_thinking
