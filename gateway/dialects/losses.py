"""What a translation could not carry: how much it matters, and how the client and the metrics are told.

Lives here: putting losses together and showing them. Must not: find them; the codecs do that, but for what the facts
about a model alone say. Law: nothing a client wrote becomes a metric label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.dialects.canonical import Image, Loss, Part, Request, TargetFacts, Tool, ToolResult

_SHOWN_LIMIT: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNSHOWABLE: Final = re.compile(r"[^ -~]+")

KNOWN: Final = frozenset(
    {
        # OpenAI, chat completions and Responses
        "audio", "background", "context_management", "conversation", "frequency_penalty", "function_call",
        "functions", "include", "input", "instructions", "logit_bias", "logprobs", "max_completion_tokens",
        "max_output_tokens", "max_tokens", "max_tool_calls", "messages", "metadata", "modalities", "model",
        "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "previous_response_id",
        "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning",
        "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store",
        "stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
        "truncation", "user", "verbosity", "web_search_options",
        # Anthropic
        "access_programs", "cache_control", "container", "diagnostics", "inference_geo", "mcp_servers", "output_config",
        "output_format", "speed", "stop_sequences", "system", "thinking", "top_k", "user_profile_id", "workspace_id",
        # Gemini
        "cachedContent", "contents", "generationConfig", "labels", "safetySettings", "serviceTier",
        "systemInstruction", "toolConfig", "candidateCount", "enableEnhancedCivicAnswers", "frequencyPenalty",
        "imageConfig", "maxOutputTokens", "mediaResolution", "presencePenalty", "responseJsonSchema",
        "responseLogprobs", "responseMimeType", "responseModalities", "responseSchema", "speechConfig",
        "stopSequences", "thinkingConfig", "topK", "topP", "routingConfig",
        # Embeddings and rerank
        "autoTruncate", "content", "dimensions", "documents", "embedding_type", "embedding_types", "encoding_format",
        "input_type", "late_chunking", "max_tokens_per_doc", "normalized", "outputDimensionality", "output_dimension",
        "output_dtype", "priority", "query", "requests", "return_documents", "task", "taskType", "texts", "title",
        "truncate",
        # What a model may not take, and what a client's format has no room for
        "image", "document", "reply",
    }
)  # fmt: skip
"""The members that this gateway's dialects have: the labels of gateway_dropped_total, beside `other`."""


def merged(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """The losses, each field named once: with the effect that matters most, else with what was said first."""
    found: dict[str, Loss] = {}
    for loss in losses:
        before = found.get(loss.field)
        if before is None or loss.effect == "meaning":
            found[loss.field] = loss
    return tuple(found.values())


def shortfalls(request: Request, facts: TargetFacts) -> tuple[Loss, ...]:
    """What the request has and the model is known not to take."""
    found: list[Loss] = []
    if facts.tools is False and any(isinstance(tool, Tool) for tool in request.tools):
        found.append(Loss("tools", "meaning", f"{facts.model} takes no tools"))
    if facts.vision is False and any(isinstance(part, Image) for part in _parts(request)):
        found.append(Loss("image", "meaning", f"{facts.model} sees no images"))
    return tuple(found)


def shown(losses: Iterable[Loss]) -> bytes:
    """The value of `x-gateway-dropped`: `seed, temperature(1.6->1)`; what is too long for a header is counted."""
    parts = [_shown(loss) for loss in losses]
    size = kept = 0
    for part in parts:
        size += len(part) + 2
        if size > _SHOWN_LIMIT:
            break
        kept += 1
    more = len(parts) - kept
    if more:
        parts = [*parts[:kept], f"and {more} more"]
    return ", ".join(parts).encode("ascii")


def labels(losses: Iterable[Loss]) -> tuple[str, ...]:
    """The fields for the metric: top-level names that are known, else `other`; each once."""
    return tuple(dict.fromkeys(top if (top := _top(loss.field)) in KNOWN else "other" for loss in losses))


def _top(field: str) -> str:
    match = _NAME.match(field)
    return match[0] if match else ""


def _shown(loss: Loss) -> str:
    field = _UNSHOWABLE.sub("?", loss.field)[:100]
    if loss.effect != "changed" or not loss.note:
        return field
    note = _UNSHOWABLE.sub("?", loss.note)[:100].removeprefix(field).strip(" :")
    return f"{field}({note.replace(' -> ', '->')})"


def _parts(request: Request) -> Iterator[Part]:
    for parts in (request.system, *(message.parts for message in request.messages)):
        for part in parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.content
