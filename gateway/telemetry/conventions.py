"""The names that spans and their attributes have: OpenTelemetry's semantic conventions, and ours for what they lack.

All such strings stand here and nowhere else. Source: the GenAI conventions (open-telemetry/semantic-conventions-genai,
as of September 2026, in development; `cache_write` was `cache_creation` before) and the stable ones of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.exchange import Operation

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS_CODE: Final = "http.response.status_code"
RESEND_COUNT: Final = "http.request.resend_count"

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE: Final = "service.instance.id"

FIRST_CHUNK_EVENT: Final = "gateway.first_chunk"
REQUEST_ID: Final = "gateway.request.id"
RECORD_ID: Final = "gateway.record.id"
ROUTER: Final = "gateway.router"
CONFIG: Final = "gateway.config"
CALLER: Final = "gateway.caller"
TEAM: Final = "gateway.team"
PROJECT: Final = "gateway.project"
RULE: Final = "gateway.rule"
CACHE: Final = "gateway.cache"
OUTCOME: Final = "gateway.outcome"
ATTEMPTS: Final = "gateway.attempts"
COST: Final = "gateway.cost.nano_usd"
SAVED: Final = "gateway.saved.nano_usd"
PROVIDER: Final = "gateway.provider"
PROVIDER_KEY: Final = "gateway.provider.key"

OPERATIONS: Final[Mapping[Operation, str]] = MappingProxyType({
    "chat": "chat", "messages": "chat", "responses": "chat", "generate": "generate_content",
    "completions": "text_completion", "embeddings": "embeddings",
})  # fmt: skip
"""The conventions' name of an operation; one that they have none for goes by its own."""

PROVIDERS: Final[Mapping[str, str]] = MappingProxyType({
    "gemini": "gcp.gemini", "vertex": "gcp.vertex_ai", "azure": "azure.ai.openai", "bedrock": "aws.bedrock",
    "mistral": "mistral_ai", "xai": "x_ai", "moonshot": "moonshot_ai",
})  # fmt: skip
"""The conventions' name of a provider where it is not the catalog's; one of your own goes by its own."""
