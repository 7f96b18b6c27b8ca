from __future__ import annotations

import typing

import pytest

from gateway.core.exchange import Dialect, Operation
from gateway.providers.catalog import CATALOG, GENERIC_SURFACES, RESERVED, detect, find_model, suggest_provider
from gateway.providers.row import Model, Row, Surface


@pytest.mark.parametrize(
    ("model", "providers"),
    [
        ("gpt-4o", ("openai",)),
        ("gpt-4o-2024-08-06", ("openai",)),
        ("gpt-9-of-next-year", ("openai",)),
        ("chatgpt-4o-latest", ("openai",)),
        ("chat-latest", ("openai",)),
        ("o3-mini", ("openai",)),
        ("o5", ("openai",)),
        ("ft:gpt-4o-mini-2024-07-18:org::id", ("openai",)),
        ("text-embedding-3-small", ("openai",)),
        ("text-embedding-v4", ("qwen",)),
        ("dall-e-3", ("openai",)),
        ("gpt-image-2", ("openai",)),
        ("whisper-1", ("openai",)),
        ("tts-1-hd", ("openai",)),
        ("omni-moderation-latest", ("openai",)),
        ("claude-sonnet-4-5-20250929", ("anthropic",)),
        ("claude-opus-5-5", ("anthropic",)),
        ("gemini-2.5-flash", ("gemini",)),
        ("imagen-4.0-generate-001", ("gemini",)),
        ("gemma-4-31b-it", ("gemini",)),
        ("mistral-large-latest", ("mistral",)),
        ("open-mistral-nemo", ("mistral",)),
        ("codestral-embed", ("mistral",)),
        ("deepseek-chat", ("deepseek",)),
        ("grok-4.7", ("xai",)),
        ("command-a-03-2025", ("cohere",)),
        ("embed-v4.0", ("cohere",)),
        ("rerank-v3.5", ("cohere",)),
        ("jamba-large", ("ai21",)),
        ("kimi-k3", ("moonshot",)),
        ("glm-5.3", ("zhipu",)),
        ("qwen3-max", ("qwen",)),
        ("sonar-pro", ("perplexity",)),
        ("MiniMax-M3", ("minimax",)),
        ("accounts/fireworks/models/kimi-k3", ("fireworks",)),
        ("@cf/meta/llama-3.1-8b-instruct", ("cloudflare",)),
        ("eleven_flash_v2_5", ("elevenlabs",)),
        ("echo", ("echo",)),
        ("echoes", ()),
        # Open weights, that many serve and nobody owns.
        ("gpt-oss-120b", ()),
        ("whisper-large-v3", ()),
        ("meta-llama/Llama-3.3-70B-Instruct", ()),
        ("openai/gpt-oss-120b", ()),
        # A tag is the way of local servers.
        ("deepseek-r1:8b", ()),
        ("qwen3:8b", ()),
        ("", ()),
        ("[", ()),
        ("*", ()),
    ],
)
def test_a_bare_name_finds_its_owner(model: str, providers: tuple[str, ...]) -> None:
    assert detect(model) == providers


def test_only_the_providers_in_question_are_answered() -> None:
    assert detect("gpt-4o", {"openai", "groq"}) == ("openai",)
    assert detect("gpt-4o", {"anthropic"}) == ()
    assert detect("gpt-4o", set()) == ()
    assert detect("gpt-4o-2024-08-06", ["azure", "openai"]) == ("openai",)


@pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG.keys())
def test_every_known_name_finds_its_row_and_its_entry(row: Row) -> None:
    for model in row.models:
        assert detect(model.name) == (row.name,)
        assert find_model(row, model.name) is model


@pytest.mark.parametrize(
    ("provider", "model", "entry"),
    [
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("openai", "ft:gpt-4o-2024-08-06:org::id", "gpt-4o"),
        ("openai", "o3-2025-04-16", "o3"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-opus-5@20260401", "claude-opus-5"),
        ("anthropic", "claude-haiku-4-5-latest", "claude-haiku-4-5"),
        ("gemini", "gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("gemini", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"),
        ("xai", "grok-4.20-0309", "grok-4.20"),
        ("deepseek", "deepseek-v4-pro-0813", "deepseek-v4-pro"),
        ("mistral", "mistral-large-4-latest", "mistral-large-4"),
    ],
)
def test_a_pin_has_the_facts_of_the_model_it_pins(provider: str, model: str, entry: str) -> None:
    found = find_model(CATALOG[provider], model)
    assert found is not None
    assert found.name == entry


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "claude-opus-5-7"),
        ("anthropic", "claude-opus-5-10"),
        ("openai", "gpt-4o-audio-preview"),
        ("openai", "gpt-5-turbo"),
        ("openai", "gpt-4"),
        ("openai", "claude-opus-5"),
        ("openai", "ft:"),
        ("openai", ""),
        ("groq", "llama-3.3-70b-versatile"),
    ],
)
def test_another_model_is_not_taken_for_a_pin(provider: str, model: str) -> None:
    assert find_model(CATALOG[provider], model) is None


def test_an_exact_entry_counts_before_the_model_it_would_be_a_pin_of() -> None:
    latest = Model(name="m-latest", context=2)
    row = Row(
        name="x",
        title="X",
        origin="https://x.invalid",
        surfaces=(Surface(dialect="openai", operations=("chat",)),),
        models=(Model(name="m", context=1), latest),
    )
    assert find_model(row, "m-latest") is latest
    assert find_model(row, "m-latest-2026-01-01") is latest


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OpenAI", "openai"),
        ("opena", "openai"),
        ("antropic", "anthropic"),
        ("open-router", "openrouter"),
        ("lm-studio", "lmstudio"),
        ("google", "gemini"),
        ("dashscope", "qwen"),
        ("firework", "fireworks"),
        ("zzzzzz", None),
        ("", None),
    ],
)
def test_a_misspelt_provider_is_recognised(written: str, meant: str | None) -> None:
    assert suggest_provider(written) == meant


def test_no_provider_stands_on_a_path_of_the_gateway() -> None:
    assert not RESERVED & CATALOG.keys()
    assert {"router", "ai", "v1", "v1beta", "livez", "readyz", "health", "metrics", "admin", "docs"} <= RESERVED
    assert {"favicon.ico", "robots.txt"} <= RESERVED


def test_a_provider_defined_by_dialect_alone_has_a_surface_of_that_dialect() -> None:
    assert set(GENERIC_SURFACES) == set(typing.get_args(Dialect))
    assert all(surface.dialect == dialect for dialect, surface in GENERIC_SURFACES.items())


def test_between_them_the_generic_surfaces_have_every_operation() -> None:
    had = {operation for surface in GENERIC_SURFACES.values() for operation in surface.operations}
    assert had == set(typing.get_args(Operation))


def test_the_catalog_cannot_be_changed_by_who_reads_it() -> None:
    with pytest.raises(TypeError):
        CATALOG["mine"] = CATALOG["openai"]  # type: ignore[index]
