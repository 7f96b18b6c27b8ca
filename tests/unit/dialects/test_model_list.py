from __future__ import annotations

import msgspec
import pytest

from gateway.core.exchange import Dialect
from gateway.dialects.model_list import render_models

MODELS = {"gpt-4o": "openai", "claude-x": "anthropic"}


def test_openai_lists_models_with_their_owner() -> None:
    assert msgspec.json.decode(render_models("openai", MODELS)) == {
        "object": "list",
        "data": [
            {"id": "gpt-4o", "object": "model", "created": 1_700_000_000, "owned_by": "openai"},
            {"id": "claude-x", "object": "model", "created": 1_700_000_000, "owned_by": "anthropic"},
        ],
    }


def test_anthropic_lists_models_as_one_page() -> None:
    found = msgspec.json.decode(render_models("anthropic", MODELS))
    assert (found["first_id"], found["last_id"], found["has_more"]) == ("gpt-4o", "claude-x", False)
    assert found["data"][1] == {
        "type": "model",
        "id": "claude-x",
        "display_name": "claude-x",
        "created_at": "2023-11-14T22:13:20Z",
    }


def test_gemini_lists_models_by_their_resource_names() -> None:
    found = msgspec.json.decode(render_models("gemini", MODELS))
    assert [model["name"] for model in found["models"]] == ["models/gpt-4o", "models/claude-x"]
    assert "generateContent" in found["models"][0]["supportedGenerationMethods"]


@pytest.mark.parametrize(
    ("dialect", "empty"),
    [
        ("openai", {"object": "list", "data": []}),
        ("cohere", {"object": "list", "data": []}),
        ("gemini", {"models": []}),
        ("anthropic", {"data": [], "has_more": False, "first_id": None, "last_id": None}),
    ],
)
def test_no_models_are_an_empty_list(dialect: Dialect, empty: dict[str, object]) -> None:
    assert msgspec.json.decode(render_models(dialect, {})) == empty


@pytest.mark.parametrize(
    ("dialect", "member", "name"),
    [("openai", "id", "gpt-4o"), ("anthropic", "id", "gpt-4o"), ("gemini", "name", "models/gpt-4o")],
)
def test_one_model_is_its_own_object(dialect: Dialect, member: str, name: str) -> None:
    found = msgspec.json.decode(render_models(dialect, {"gpt-4o": "openai"}, single=True))
    assert found[member] == name
    assert "data" not in found


def test_a_strange_name_stays_valid_json() -> None:
    assert msgspec.json.decode(render_models("openai", {'a"\\ü\n': "p"}))["data"][0]["id"] == 'a"\\ü\n'
