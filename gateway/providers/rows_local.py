"""Servers on the user's own machine, and the echo that is built in.

They need no key; one that is configured is sent. Facts only, no logic.
"""

from __future__ import annotations

from typing import Final

from gateway.providers.row import Model, Row, Surface

OLLAMA: Final = Row(
    name="ollama",
    title="Ollama",
    origin="http://127.0.0.1:11434",
    auth="none",
    env=("OLLAMA_API_KEY",),
    surfaces=(
        Surface(dialect="openai", operations=("chat", "completions", "responses", "embeddings", "models")),
        Surface(dialect="anthropic", operations=("messages",)),
    ),
    open_models=True,
    local=True,
    source=(
        "docs.ollama.com/api/anthropic-compatibility; developersdigest.tech/reference/api-compatibility/ollama; 2026-11"
    ),
)

LMSTUDIO: Final = Row(
    name="lmstudio",
    title="LM Studio",
    origin="http://127.0.0.1:1234",
    auth="none",
    env=("LM_STUDIO_API_KEY", "LM_API_TOKEN"),
    surfaces=(
        Surface(dialect="openai", operations=("chat", "completions", "responses", "embeddings", "models")),
        Surface(dialect="anthropic", operations=("messages",)),
    ),
    open_models=True,
    local=True,
    source="lmstudio.ai/docs/developer/anthropic-compat, /docs/api/openai-api; 2026-11",
)

VLLM: Final = Row(
    name="vllm",
    title="vLLM",
    origin="http://127.0.0.1:8000",
    auth="none",
    env=("VLLM_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "responses", "embeddings", "audio", "rerank", "models"),
        ),
        Surface(dialect="anthropic", operations=("messages", "count-tokens")),
        Surface(dialect="cohere", operations=("embeddings", "rerank"), version="v2"),
    ),
    open_models=True,
    local=True,
    source="docs.vllm.ai/en/stable/serving/online_serving, 2026-11",
)

ECHO: Final = Row(
    name="echo",
    title="Echo (built in)",
    # No address: the gateway answers it inside its own process and sends nothing anywhere.
    origin="echo://local",
    auth="none",
    surfaces=(Surface(dialect="openai", operations=("chat", "models")),),
    families=("echo",),
    models=(Model(name="echo"),),
    # A router that lists it may ask it for any model: it repeats the request whatever the name.
    open_models=True,
    local=True,
    source="this project: answered inside the process, no request leaves it; 2026-11",
)

ROWS: Final = (OLLAMA, LMSTUDIO, VLLM, ECHO)
