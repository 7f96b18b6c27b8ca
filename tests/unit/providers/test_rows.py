"""The facts of the catalog, against URLs copied by hand from the vendors' documentation."""

from __future__ import annotations

import re

import pytest

from gateway.core.exchange import Dialect, Operation
from gateway.providers.catalog import CATALOG, detect
from gateway.providers.row import Row

PROMISED = {
    "openai", "anthropic", "gemini", "ollama", "lmstudio", "vllm", "mistral", "groq", "deepseek", "xai", "together",
    "fireworks", "openrouter", "perplexity", "cohere", "cerebras", "sambanova", "nvidia", "huggingface", "hyperbolic",
    "nebius", "deepinfra", "moonshot", "zhipu", "qwen", "minimax", "ai21", "anyscale", "replicate", "novita",
    "github", "cloudflare", "azure", "elevenlabs", "stability", "runway", "echo",
    "bedrock", "vertex",
}  # fmt: skip

CHAT_URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "anthropic": "https://api.anthropic.com/v1/chat/completions",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "xai": "https://api.x.ai/v1/chat/completions",
    "cohere": "https://api.cohere.com/compatibility/v1/chat/completions",
    "ai21": "https://api.ai21.com/studio/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "moonshot": "https://api.moonshot.ai/v1/chat/completions",
    "zhipu": "https://api.z.ai/api/paas/v4/chat/completions",
    "qwen": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
    "minimax": "https://api.minimax.io/v1/chat/completions",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "together": "https://api.together.ai/v1/chat/completions",
    "fireworks": "https://api.fireworks.ai/inference/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
    "sambanova": "https://api.sambanova.ai/v1/chat/completions",
    "nvidia": "https://integrate.api.nvidia.com/v1/chat/completions",
    "huggingface": "https://router.huggingface.co/v1/chat/completions",
    "hyperbolic": "https://api.hyperbolic.xyz/v1/chat/completions",
    "nebius": "https://api.tokenfactory.nebius.com/v1/chat/completions",
    "deepinfra": "https://api.deepinfra.com/v1/openai/chat/completions",
    "anyscale": "https://api.endpoints.anyscale.com/v1/chat/completions",
    "novita": "https://api.novita.ai/openai/v1/chat/completions",
    "github": "https://models.github.ai/inference/chat/completions",
    "cloudflare": ("https://api.cloudflare.com/client/v4/accounts/${env:CLOUDFLARE_ACCOUNT_ID}/ai/v1/chat/completions"),
    "azure": "${env:AZURE_OPENAI_ENDPOINT}/openai/v1/chat/completions",
    "ollama": "http://127.0.0.1:11434/v1/chat/completions",
    "lmstudio": "http://127.0.0.1:1234/v1/chat/completions",
    "vllm": "http://127.0.0.1:8000/v1/chat/completions",
    "echo": "echo://local/v1/chat/completions",
}

MESSAGES_URLS = {
    "vertex": "https://${env:GOOGLE_CLOUD_LOCATION}-aiplatform.googleapis.com/v1/projects/${env:GOOGLE_CLOUD_PROJECT}"
    "/locations/${env:GOOGLE_CLOUD_LOCATION}/publishers/anthropic/models/{model}:rawPredict",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "deepseek": "https://api.deepseek.com/anthropic/v1/messages",
    "moonshot": "https://api.moonshot.ai/anthropic/v1/messages",
    "zhipu": "https://api.z.ai/api/anthropic/v1/messages",
    "qwen": "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages",
    "minimax": "https://api.minimax.io/anthropic/v1/messages",
    "fireworks": "https://api.fireworks.ai/inference/v1/messages",
    "openrouter": "https://openrouter.ai/api/v1/messages",
    "sambanova": "https://api.sambanova.ai/v1/messages",
    "novita": "https://api.novita.ai/anthropic/v1/messages",
    "ollama": "http://127.0.0.1:11434/v1/messages",
    "lmstudio": "http://127.0.0.1:1234/v1/messages",
    "vllm": "http://127.0.0.1:8000/v1/messages",
}

OTHER_URLS: list[tuple[str, Dialect, Operation, str, str]] = [
    ("anthropic", "anthropic", "count-tokens", "/messages/count_tokens",
     "https://api.anthropic.com/v1/messages/count_tokens"),
    ("bedrock", "bedrock", "chat", "/model/amazon.nova-pro-v1%3A0/converse",
     "https://bedrock-runtime.${env:AWS_REGION}.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse"),
    ("gemini", "gemini", "generate", "/models/gemini-2.5-pro:generateContent",
     "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent"),
    ("gemini", "openai", "embeddings", "/embeddings",
     "https://generativelanguage.googleapis.com/v1beta/openai/embeddings"),
    ("cohere", "cohere", "chat", "/chat", "https://api.cohere.com/v2/chat"),
    ("cohere", "cohere", "rerank", "/rerank", "https://api.cohere.com/v2/rerank"),
    ("cohere", "cohere", "models", "/models", "https://api.cohere.com/v1/models"),
    ("perplexity", "openai", "responses", "/responses", "https://api.perplexity.ai/v1/responses"),
    ("perplexity", "openai", "embeddings", "/embeddings", "https://api.perplexity.ai/v1/embeddings"),
    ("deepseek", "openai", "completions", "/completions", "https://api.deepseek.com/beta/completions"),
    ("qwen", "openai", "responses", "/responses",
     "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/responses"),
    ("fireworks", "openai", "rerank", "/rerank", "https://api.fireworks.ai/inference/v1/rerank"),
    ("groq", "openai", "audio", "/audio/transcriptions", "https://api.groq.com/openai/v1/audio/transcriptions"),
    ("vllm", "cohere", "embeddings", "/embed", "http://127.0.0.1:8000/v2/embed"),
    ("elevenlabs", "other", "other", "/text-to-speech/v", "https://api.elevenlabs.io/v1/text-to-speech/v"),
    ("replicate", "other", "other", "/predictions", "https://api.replicate.com/v1/predictions"),
    ("runway", "other", "other", "/image_to_video", "https://api.dev.runwayml.com/v1/image_to_video"),
    ("stability", "other", "other", "/v2beta/stable-image/generate/core",
     "https://api.stability.ai/v2beta/stable-image/generate/core"),
]  # fmt: skip

WITHOUT_CHAT = {"perplexity", "replicate", "elevenlabs", "stability", "runway", "bedrock", "vertex"}

rows = pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG.keys())


def compose(row: Row, dialect: Dialect, operation: Operation, suffix: str) -> str:
    surface = next(s for s in row.surfaces if s.dialect == dialect and operation in s.operations)
    path = surface.path.replace("{suffix}", suffix)
    return row.origin + surface.root + (f"/{surface.version}" if surface.version else "") + path


def speaking(dialect: Dialect, operation: Operation) -> set[str]:
    return {
        row.name
        for row in CATALOG.values()
        if any(s.dialect == dialect and operation in s.operations for s in row.surfaces)
    }


def sample(family: str) -> str:
    """A name of the family: wildcards and sets filled in."""
    return re.sub(r"\[(.)[^]]*\]", r"\1", family).replace("*", "x").replace("?", "x")


def test_every_provider_that_was_promised_is_there() -> None:
    assert set(CATALOG) == PROMISED


@pytest.mark.parametrize(("name", "url"), CHAT_URLS.items(), ids=CHAT_URLS.keys())
def test_chat_goes_to_the_documented_url(name: str, url: str) -> None:
    assert compose(CATALOG[name], "openai", "chat", "/chat/completions") == url


@pytest.mark.parametrize(("name", "url"), MESSAGES_URLS.items(), ids=MESSAGES_URLS.keys())
def test_messages_go_to_the_documented_url(name: str, url: str) -> None:
    assert compose(CATALOG[name], "anthropic", "messages", "/messages") == url


@pytest.mark.parametrize(("name", "dialect", "operation", "suffix", "url"), OTHER_URLS)
def test_other_operations_go_to_the_documented_url(
    name: str, dialect: Dialect, operation: Operation, suffix: str, url: str
) -> None:
    assert compose(CATALOG[name], dialect, operation, suffix) == url


def test_the_tables_above_leave_no_surface_out() -> None:
    assert speaking("openai", "chat") == set(CHAT_URLS) == PROMISED - WITHOUT_CHAT
    assert speaking("anthropic", "messages") == set(MESSAGES_URLS)


@rows
def test_a_row_says_where_its_facts_are_from(row: Row) -> None:
    assert re.search(r"\d{4}-\d{2}\Z", row.source)
    assert row.title


@rows
def test_an_origin_is_a_bare_https_address_unless_it_is_local_or_the_users_own(row: Row) -> None:
    assert row.origin.startswith("${env:") or (
        re.fullmatch(r"(http://127\.0\.0\.1:\d+|echo://local)", row.origin)
        if row.local
        else re.fullmatch(r"https://([a-z0-9.-]|\$\{env:[A-Z_]+\})+", row.origin)
    )


@rows
def test_a_surface_joins_up_into_a_path(row: Row) -> None:
    assert row.surfaces
    for surface in row.surfaces:
        assert surface.operations
        assert surface.root == "" or (surface.root.startswith("/") and not surface.root.endswith("/"))
        assert "/" not in surface.version


@rows
def test_one_operation_of_a_dialect_stands_at_one_place(row: Row) -> None:
    places = [(surface.dialect, operation) for surface in row.surfaces for operation in surface.operations]
    assert len(places) == len(set(places))


@rows
def test_a_key_is_read_from_the_environment_unless_none_can_be_needed(row: Row) -> None:
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in row.env)
    assert row.env or row.lent_by or row.name == "echo"
    assert (row.auth == "none") == row.local


def test_no_environment_variable_holds_the_keys_of_two_providers() -> None:
    names = [name for row in CATALOG.values() for name in (*row.env, *row.lent_by)]
    assert len(names) == len(set(names))


@rows
def test_headers_are_lower_case_so_that_a_clients_own_is_recognised(row: Row) -> None:
    assert all(name == name.lower() for name, _ in row.headers)


@rows
def test_who_serves_everybodys_models_claims_none(row: Row) -> None:
    assert not (row.open_models and row.models) or row.name == "echo"


def test_a_model_name_has_one_owner() -> None:
    names = [model.name for row in CATALOG.values() for model in row.models]
    assert len(names) == len(set(names))


def test_a_family_has_one_owner() -> None:
    families = [family for row in CATALOG.values() for family in row.families]
    assert len(families) == len(set(families))


@rows
def test_windows_are_not_smaller_than_what_fits_in_them(row: Row) -> None:
    for model in row.models:
        assert model.context >= 0
        assert model.max_output <= model.context or model.name.endswith("-tts")


def test_what_is_switched_off_says_since_when() -> None:
    assert {row.name: row.retired for row in CATALOG.values() if row.retired} == {
        "anyscale": "2024-08-01",
        "github": "2026-07-30",
    }


def test_usage_is_asked_for_where_openai_chat_streams_without_it() -> None:
    assert CATALOG["openai"].stream_usage == "ask"
    assert CATALOG["anthropic"].stream_usage == "ask"
    assert CATALOG["mistral"].stream_usage == "always"


def test_the_echo_has_no_address_on_any_network() -> None:
    echo = CATALOG["echo"]
    assert echo.origin == "echo://local"
    assert "inside the process" in echo.source


@pytest.mark.parametrize(
    ("family", "name"), [(family, row.name) for row in CATALOG.values() for family in row.families]
)
def test_no_other_provider_claims_a_name_of_this_family(family: str, name: str) -> None:
    assert detect(sample(family)) == (name,)
