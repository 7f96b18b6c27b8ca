"""Mistral, xAI, Cohere, AI21, Perplexity: vendors of their own models beside the three great ones.

Facts only, each read where `source` says. No logic lives here.
"""

from __future__ import annotations

from typing import Final

from gateway.providers.row import Model, Row, Surface

MISTRAL: Final = Row(
    name="mistral",
    title="Mistral AI",
    origin="https://api.mistral.ai",
    env=("MISTRAL_API_KEY",),
    surfaces=(Surface(dialect="openai", operations=("chat", "embeddings", "audio", "moderations", "models")),),
    families=(
        "mistral-*",
        "ministral-*",
        "codestral-*",
        "magistral-*",
        "devstral-*",
        "pixtral-*",
        "voxtral-*",
        "open-mistral-*",
        "open-mixtral-*",
    ),
    models=(
        Model(name="mistral-large-4", context=1_048_576, vision=True, tools=True),
        Model(name="mistral-large-4-0", context=1_048_576, vision=True, tools=True),
        Model(name="mistral-large-3", context=262_144, vision=True, tools=True),
        Model(name="mistral-large-2512", context=262_144, vision=True, tools=True),
        Model(name="mistral-large-latest", context=262_144, vision=True, tools=True),
        Model(name="mistral-medium-3-5", context=262_144, vision=True, tools=True),
        Model(name="mistral-medium-latest", context=262_144, vision=True, tools=True),
        Model(name="mistral-small-2603", context=262_144, vision=True, tools=True),
        Model(name="mistral-small-latest", context=262_144, vision=True, tools=True),
        Model(name="ministral-14b-latest", context=262_144, vision=True, tools=True),
        Model(name="ministral-8b-latest", context=262_144, vision=True, tools=True),
        Model(name="ministral-3b-latest", context=131_072, vision=True, tools=True),
        Model(name="ministral-14b-2512", context=262_144, vision=True, tools=True),
        Model(name="ministral-8b-2512", context=262_144, vision=True, tools=True),
        Model(name="ministral-3b-2512", context=131_072, vision=True, tools=True),
        Model(name="magistral-medium-latest", context=262_144, vision=True, tools=True),
        Model(name="magistral-small-latest", context=262_144, vision=True, tools=True),
        # Two sources give 128,000 and 256,000: the smaller cannot mislead a router.
        Model(name="codestral-2508", context=128_000, tools=True),
        Model(name="codestral-latest", context=128_000, tools=True),
        Model(name="devstral-latest", context=256_000, tools=True),
        Model(name="voxtral-small-latest", context=32_768, tools=True),
        Model(name="voxtral-mini-latest"),
        Model(name="mistral-embed", context=8_192),
        Model(name="codestral-embed", context=8_192),
        Model(name="mistral-moderation-2603", context=131_072),
    ),
    # Usage stands in the last chunk of every stream; the API refuses fields that it does not know.
    stream_usage="always",
    source=(
        "developersdigest.tech/reference/api-compatibility/mistral; usage in streams: "
        "github.com/BerriAI/litellm/issues/8978, davidmigloz/langchain_dart/pull/795; operations and models: "
        "PyPI litellm 1.109.1, genai-prices 0.2.3; 2026-11"
    ),
)

XAI: Final = Row(
    name="xai",
    title="xAI",
    origin="https://api.x.ai",
    env=("XAI_API_KEY",),
    # POST /v1/messages is still listed, but its Anthropic compatibility is fully deprecated.
    surfaces=(Surface(dialect="openai", operations=("chat", "responses", "images", "models")),),
    families=("grok-*",),
    models=(
        Model(name="grok-4.7", context=500_000, vision=True, tools=True),
        Model(name="grok-4.6", context=500_000, vision=True, tools=True),
        Model(name="grok-4.5", context=500_000, vision=True, tools=True),
        Model(name="grok-4.3", context=1_000_000, vision=True, tools=True),
        Model(name="grok-4.20", context=1_000_000, vision=True, tools=True),
        Model(name="grok-4.20-reasoning", context=1_000_000, vision=True, tools=True),
        Model(name="grok-4.20-non-reasoning", context=1_000_000, vision=True, tools=True),
        Model(name="grok-4.20-multi-agent", context=1_000_000, vision=True, tools=False),
        Model(name="grok-build-0.1", context=256_000, vision=True, tools=True),
        Model(name="grok-imagine-image"),
        Model(name="grok-imagine-image-2.0"),
    ),
    source=(
        "developersdigest.tech/reference/api-compatibility/xai; models: PyPI genai-prices 0.2.3 and litellm "
        "1.109.1; 2026-11"
    ),
)

COHERE: Final = Row(
    name="cohere",
    title="Cohere",
    origin="https://api.cohere.com",
    env=("COHERE_API_KEY", "CO_API_KEY"),
    surfaces=(
        Surface(dialect="cohere", operations=("chat", "embeddings", "rerank"), version="v2"),
        Surface(dialect="cohere", operations=("models",), version="v1"),
        Surface(dialect="openai", operations=("chat", "embeddings"), root="/compatibility", stopgap=True),
    ),
    families=("command-*", "c4ai-*", "embed-english-*", "embed-multilingual-*", "embed-v*", "rerank-*"),
    models=(
        Model(name="command-a-plus-05-2026", context=128_000, max_output=64_000, vision=True, tools=True),
        Model(name="command-a-03-2025", context=256_000, max_output=8_000, tools=True),
        Model(name="command-r-08-2024", context=128_000, max_output=4_096, tools=True),
        Model(name="command-r-plus-08-2024", context=128_000, max_output=4_096, tools=True),
        Model(name="command-r7b-12-2024", context=128_000, max_output=4_096, tools=True),
        Model(name="c4ai-aya-expanse-32b", context=128_000, max_output=4_000),
        Model(name="embed-v5.0-pro", context=128_000),
        Model(name="embed-v5.0-fast", context=128_000),
        Model(name="embed-v4.0", context=128_000),
        Model(name="embed-english-v3.0", context=512),
        Model(name="embed-multilingual-v3.0", context=512),
        Model(name="rerank-v5.0-pro", context=32_768),
        Model(name="rerank-v5.0-fast", context=32_768),
        Model(name="rerank-v4.0-pro", context=32_768),
        Model(name="rerank-v4.0-fast", context=32_768),
        Model(name="rerank-v3.5", context=4_096),
    ),
    # The native stream ends with usage; the compatibility API refuses stream_options.
    stream_usage="always",
    source=(
        "docs.cohere.com/docs/compatibility-api; stream_options: strandsagents.com; native paths and models: "
        "PyPI litellm 1.109.1; 2026-11"
    ),
)

AI21: Final = Row(
    name="ai21",
    title="AI21 Labs",
    origin="https://api.ai21.com",
    env=("AI21_API_KEY",),
    surfaces=(Surface(dialect="openai", operations=("chat", "models"), root="/studio"),),
    families=("jamba-*",),
    models=(
        Model(name="jamba-large", context=256_000, tools=True),
        Model(name="jamba-mini", context=256_000, tools=True),
        Model(name="jamba-large-1.7", context=256_000, tools=True),
        Model(name="jamba-mini-1.7", context=256_000, tools=True),
    ),
    # The last chunk of every stream has the usage.
    stream_usage="always",
    source="mastra.ai/models/providers/ai21; address and models: PyPI litellm 1.109.1; 2026-11",
)

PERPLEXITY: Final = Row(
    name="perplexity",
    title="Perplexity",
    origin="https://api.perplexity.ai",
    env=("PERPLEXITY_API_KEY",),
    # POST /chat/completions (Sonar) was switched off on 2026-09-27 for the Agent API, which speaks Responses.
    surfaces=(Surface(dialect="openai", operations=("responses", "embeddings")),),
    families=("sonar*", "pplx-*", "perplexity/*"),
    models=(
        Model(name="perplexity/sonar", context=128_000),
        Model(name="pplx-embed-v1-0.6b", context=32_768),
        Model(name="pplx-embed-v1-4b", context=32_768),
    ),
    stream_usage="always",
    source=(
        "docs.perplexity.ai/docs/grounded-llm/openai-compatibility, /docs/agent-api/migrate-from-sonar; the "
        "end of Sonar: github.com/vercel/ai releases, truefoundry.com; embeddings and models: PyPI litellm "
        "1.109.1; 2026-11"
    ),
)

ROWS: Final = (MISTRAL, XAI, COHERE, AI21, PERPLEXITY)
