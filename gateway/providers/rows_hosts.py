"""Providers that serve many vendors' models: hosts of open weights, aggregators, clouds.

Their lists change weekly and the same name stands at several of them, so no row here claims a model:
`open_models` says that any name may be asked for. Facts only, each read where `source` says.
"""

from __future__ import annotations

from typing import Final

from gateway.dialects.anthropic.hosts import HOSTS
from gateway.providers.row import Place, Row, Surface

GROQ: Final = Row(
    name="groq",
    title="Groq",
    origin="https://api.groq.com",
    env=("GROQ_API_KEY",),
    surfaces=(Surface(dialect="openai", operations=("chat", "responses", "audio", "models"), root="/openai"),),
    open_models=True,
    source="console.groq.com/docs/openai; developersdigest.tech/reference/api-compatibility/groq; 2026-11",
)

TOGETHER: Final = Row(
    name="together",
    title="Together AI",
    origin="https://api.together.ai",
    env=("TOGETHER_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "embeddings", "images", "audio", "rerank", "models"),
        ),
    ),
    open_models=True,
    source=(
        "docs.together.ai/docs/inference/openai-compatibility; "
        "developersdigest.tech/reference/api-compatibility/together; rerank: PyPI litellm 1.109.1; 2026-11"
    ),
)

FIREWORKS: Final = Row(
    name="fireworks",
    title="Fireworks AI",
    origin="https://api.fireworks.ai",
    env=("FIREWORKS_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "responses", "embeddings", "rerank", "models"),
            root="/inference",
        ),
        Surface(dialect="anthropic", operations=("messages",), root="/inference"),
    ),
    families=("accounts/fireworks/*",),
    open_models=True,
    stream_usage="always",
    source=(
        "docs.fireworks.ai/tools-sdks/anthropic-compatibility; "
        "developersdigest.tech/reference/api-compatibility/fireworks; other operations: PyPI litellm 1.109.1; "
        "2026-11"
    ),
)

OPENROUTER: Final = Row(
    name="openrouter",
    title="OpenRouter",
    origin="https://openrouter.ai",
    env=("OPENROUTER_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "responses", "embeddings", "audio", "models"),
            root="/api",
        ),
        Surface(dialect="anthropic", operations=("messages",), root="/api"),
    ),
    families=("openrouter/*",),
    open_models=True,
    stream_usage="always",
    source=(
        "openrouter.ai/docs/client-sdks, /blog/insights/every-modality-one-api; "
        "developersdigest.tech/reference/api-compatibility/openrouter; 2026-11"
    ),
)

CEREBRAS: Final = Row(
    name="cerebras",
    title="Cerebras",
    origin="https://api.cerebras.ai",
    env=("CEREBRAS_API_KEY",),
    surfaces=(Surface(dialect="openai", operations=("chat", "models")),),
    open_models=True,
    source="developersdigest.tech/reference/api-compatibility/cerebras; npm @mastra/core 0.24.9; 2026-11",
)

SAMBANOVA: Final = Row(
    name="sambanova",
    title="SambaNova",
    origin="https://api.sambanova.ai",
    env=("SAMBANOVA_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "responses", "embeddings", "audio", "models"),
        ),
        Surface(dialect="anthropic", operations=("messages", "count-tokens")),
    ),
    open_models=True,
    source=(
        "docs.sambanova.ai/docs/en/features/anthropic-compatibility, /features/messages; "
        "github.com/api-evangelist/sambanova-systems; 2026-11"
    ),
)

NVIDIA: Final = Row(
    name="nvidia",
    title="NVIDIA NIM",
    origin="https://integrate.api.nvidia.com",
    env=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
    # Ranking has a host of its own, ai.api.nvidia.com.
    surfaces=(Surface(dialect="openai", operations=("chat", "completions", "embeddings", "models")),),
    open_models=True,
    source="docs.litellm.ai/docs/providers/nvidia_nim; npm @mastra/core 0.24.9; 2026-11",
)

HUGGINGFACE: Final = Row(
    name="huggingface",
    title="Hugging Face Inference Providers",
    origin="https://router.huggingface.co",
    env=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    surfaces=(Surface(dialect="openai", operations=("chat", "responses", "models")),),
    open_models=True,
    source=(
        "huggingface.co/changelog/inference-providers-openai-compatible, "
        "/docs/inference-providers/guides/responses-api; 2026-11"
    ),
)

HYPERBOLIC: Final = Row(
    name="hyperbolic",
    title="Hyperbolic",
    origin="https://api.hyperbolic.xyz",
    env=("HYPERBOLIC_API_KEY",),
    # Images and speech have paths of their own: /v1/image/generation, /v1/audio/generation.
    surfaces=(Surface(dialect="openai", operations=("chat", "completions", "models")),),
    open_models=True,
    source="github.com/api-evangelist/hyperbolic-ai; npm @huggingface/inference 4.4.0; 2026-11",
)

NEBIUS: Final = Row(
    name="nebius",
    title="Nebius Token Factory",
    origin="https://api.tokenfactory.nebius.com",
    env=("NEBIUS_API_KEY",),
    surfaces=(Surface(dialect="openai", operations=("chat", "completions", "embeddings", "images", "models")),),
    open_models=True,
    source=(
        "docs.tokenfactory.nebius.com/api-reference/introduction; "
        "docs.getbifrost.ai/providers/supported-providers/nebius; 2026-11"
    ),
)

DEEPINFRA: Final = Row(
    name="deepinfra",
    title="DeepInfra",
    origin="https://api.deepinfra.com",
    env=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "embeddings", "models"),
            root="/v1/openai",
            version="",
        ),
    ),
    open_models=True,
    stream_usage="always",
    source="deepinfra.com/docs/openai_api; npm @ai-sdk/deepinfra 2.0.19; 2026-11",
)

ANYSCALE: Final = Row(
    name="anyscale",
    title="Anyscale Endpoints",
    origin="https://api.endpoints.anyscale.com",
    env=("ANYSCALE_API_KEY",),
    surfaces=(Surface(dialect="openai", operations=("chat", "completions", "embeddings", "models")),),
    open_models=True,
    # An Anyscale service of one's own speaks the same API at its own base URL.
    retired="2024-08-01",
    source="docs.anyscale.com/endpoints/text-generation/deprecations, /authenticate; 2026-11",
)

REPLICATE: Final = Row(
    name="replicate",
    title="Replicate",
    origin="https://api.replicate.com",
    env=("REPLICATE_API_TOKEN",),
    surfaces=(Surface(dialect="other", operations=("other",)),),
    open_models=True,
    stream_usage="never",
    source="replicate.com/docs/topics/security/api-tokens, /changelog/2024-04-03-bearer-tokens; 2026-11",
)

NOVITA: Final = Row(
    name="novita",
    title="Novita AI",
    origin="https://api.novita.ai",
    env=("NOVITA_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "embeddings", "rerank", "models"),
            root="/openai",
        ),
        Surface(dialect="anthropic", operations=("messages",), root="/anthropic"),
    ),
    open_models=True,
    source=(
        "novita.ai/docs/guides/llm-anthropic-compatibility; github.com/antinomyhq/forgecode/pull/2687; "
        "operations: PyPI litellm 1.109.1; 2026-11"
    ),
)

GITHUB: Final = Row(
    name="github",
    title="GitHub Models",
    origin="https://models.github.ai",
    env=("GITHUB_TOKEN",),
    # The list of models is not an OpenAI one: GET /catalog/models.
    surfaces=(Surface(dialect="openai", operations=("chat", "embeddings"), root="/inference", version=""),),
    open_models=True,
    retired="2026-07-30",
    source=(
        "docs.github.com/en/github-models/quickstart, github/codespaces-models/pull/28; its end: dev.to and "
        "juejin.cn after GitHub's notice; 2026-11"
    ),
)

CLOUDFLARE: Final = Row(
    name="cloudflare",
    title="Cloudflare Workers AI",
    origin="https://api.cloudflare.com",
    env=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "responses", "embeddings"),
            root="/client/v4/accounts/${env:CLOUDFLARE_ACCOUNT_ID}/ai",
        ),
    ),
    families=("@cf/*", "@hf/*"),
    open_models=True,
    source="developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility, 2026-11",
)

AZURE: Final = Row(
    name="azure",
    title="Azure OpenAI",
    origin="${env:AZURE_OPENAI_ENDPOINT}",
    auth="api-key",
    env=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    lender="azure",
    lent_by=("AZURE_CLIENT_ID",),
    places=(Place(variable="OPENAI_API_VERSION", setting="api-version"),),
    # The model is the name of a deployment, the user's own choice. Images and audio take `?api-version=preview`.
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "responses", "embeddings", "images", "audio", "models"),
            root="/openai",
        ),
    ),
    dated=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "embeddings", "images", "audio"),
            root="/openai",
            version="",
            path="/deployments/{model}{suffix}?api-version=${env:OPENAI_API_VERSION}",
        ),
        Surface(
            dialect="openai",
            operations=("responses", "models"),
            root="/openai",
            version="",
            path="{suffix}?api-version=${env:OPENAI_API_VERSION}",
        ),
    ),
    open_models=True,
    source=(
        "learn.microsoft.com/azure/ai-foundry/openai/latest (v1 API), /reference (dated versions) and "
        "/how-to/managed-identity; other operations: PyPI litellm 1.109.1; 2026-11"
    ),
)

BEDROCK: Final = Row(
    name="bedrock",
    title="Amazon Bedrock",
    origin="https://bedrock-runtime.${env:AWS_REGION}.amazonaws.com",
    places=(Place(variable="AWS_REGION", setting="region", others=("AWS_DEFAULT_REGION",)),),
    auth="sigv4",
    # A key pair in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is read too.
    env=("AWS_BEARER_TOKEN_BEDROCK",),
    lender="aws",
    lent_by=(
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ),
    surfaces=(Surface(dialect="bedrock", operations=("chat", "embeddings"), version=""),),
    families=(
        "ai21.*", "amazon.*", "anthropic.*", "cohere.*", "deepseek.*", "meta.*", "mistral.*", "us.*", "eu.*", "apac.*",
        "global.*",
    ),
    open_models=True,
    stream_usage="always",
    source=(
        "docs.aws.amazon.com/bedrock, Converse API, Bedrock API keys and inference profiles; 2026-11"
    ),
)  # fmt: skip

_VERTEX: Final = "/v1/projects/${env:GOOGLE_CLOUD_PROJECT}/locations/${env:GOOGLE_CLOUD_LOCATION}"
_CLAUDE: Final = HOSTS["vertex"]

VERTEX: Final = Row(
    name="vertex",
    title="Google Vertex AI",
    origin="https://${env:GOOGLE_CLOUD_LOCATION}-aiplatform.googleapis.com",
    places=(
        Place(
            variable="GOOGLE_CLOUD_PROJECT",
            setting="project",
            others=("GCLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"),
        ),
        Place(
            variable="GOOGLE_CLOUD_LOCATION",
            setting="region",
            others=("GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION"),
            default="global",
            origins=(
                ("global", "https://aiplatform.googleapis.com"),
                ("us", "https://aiplatform.us.rep.googleapis.com"),
                ("eu", "https://aiplatform.eu.rep.googleapis.com"),
            ),
        ),
    ),
    lender="google",
    lent_by=("GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST"),
    surfaces=(
        Surface(
            dialect="gemini",
            operations=("generate", "count-tokens"),
            root=f"{_VERTEX}/publishers/google",
            version="",
        ),
        Surface(
            dialect="anthropic",
            operations=("messages",),
            root=f"{_VERTEX}/publishers",
            version="",
            path=_CLAUDE.whole_path.removeprefix("/publishers"),
            stream_path=_CLAUDE.stream_path.removeprefix("/publishers"),
            body=(("anthropic_version", _CLAUDE.version),),
            models=("claude-*",),
        ),
        # Only the newest model embeds as it does at Google's other address.
        Surface(
            dialect="gemini",
            operations=("embeddings",),
            root=f"{_VERTEX}/publishers/google",
            version="",
            models=("gemini-embedding-2*",),
        ),
        Surface(
            dialect="vertex",
            operations=("embeddings",),
            root=f"{_VERTEX}/publishers/google",
            version="",
            models=(
                "gemini-embedding-001",
                "text-embedding-*",
                "text-multilingual-embedding-*",
            ),
        ),
    ),
    open_models=True,
    vendors=("gemini", "anthropic"),
    stream_usage="always",
    source=(
        "cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference; platform.claude.com/docs (Claude on "
        "Vertex AI); PyPI google-genai 3.4, anthropic 2.11 (hosts and variables); 2026-11"
    ),
)

ROWS: Final = (
    GROQ, TOGETHER, FIREWORKS, OPENROUTER, CEREBRAS, SAMBANOVA, NVIDIA, HUGGINGFACE, HYPERBOLIC, NEBIUS, DEEPINFRA,
    ANYSCALE, REPLICATE, NOVITA, GITHUB, CLOUDFLARE, AZURE, BEDROCK, VERTEX,
)  # fmt: skip
