from __future__ import annotations

import pytest

from gateway.core.access import Access

KNOWN = frozenset({"openai", "anthropic", "openrouter"})


@pytest.mark.parametrize(
    ("model", "admitted"),
    [
        ("gpt-4o", True),
        ("gpt-4o-mini", True),
        ("openai/gpt-4o", True),
        ("openrouter/gpt-4o", True),
        ("claude-sonnet-4-5", True),
        ("gpt-4", False),
        ("GPT-4o", False),
        ("my-gpt-4o", False),
        ("nobody/gpt-4o", False),
        ("openai/openai/gpt-4o", False),
        ("openai/", False),
        ("", False),
        ("*", False),
        ("gpt-4o\n", True),
    ],
)
def test_a_model_is_admitted_by_its_name_with_or_without_a_provider(model: str, admitted: bool) -> None:
    access = Access(models=("gpt-4o*", "claude-sonnet-4-5"), known=KNOWN)
    assert access.admits_model(model) is admitted


def test_a_pattern_with_a_provider_is_about_names_written_so() -> None:
    access = Access(models=("openai/gpt-*",), known=KNOWN)
    assert access.admits_model("openai/gpt-4o")
    assert not access.admits_model("gpt-4o")
    assert not access.admits_model("anthropic/gpt-4o")


def test_no_list_admits_all_and_an_empty_one_nothing() -> None:
    assert Access().admits_model("x")
    assert Access().admits_provider("x")
    assert not Access(models=()).admits_model("x")
    assert not Access(providers=frozenset()).admits_provider("x")
    assert Access(providers=frozenset({"x"})).admits_provider("x")
