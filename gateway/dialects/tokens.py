"""Each provider's way of counting tokens, made one (gateway/core/usage.py).

The Structs name the counters of one dialect each; `None` is a counter that was not sent. A count
that is negative or absurd makes the whole usage worthless: it becomes None, never an exception.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call
from gateway.core.usage import Usage

Count = int | float | None
ABSURD: Final = 100_000_000
"""Ten times the largest window that any model has, and what no batch of embeddings comes to: nobody is billed for more
because a provider's counter is broken."""


class _CacheWrites(msgspec.Struct, gc=False):
    ttl_12h_tokens: Count = None


class _Modalities(msgspec.Struct, gc=False):
    audio_tokens: Count = None
    image_tokens: Count = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    cache_write_tokens_details: _CacheWrites | None = None
    cached_tokens_details: _Modalities | None = None
    audio_tokens: Count = None
    image_tokens: Count = None
    reasoning_tokens: Count = None


class OpenAIUsage(msgspec.Struct, gc=False):
    """Chat and embeddings say prompt and completion, Responses, images and transcriptions input and
    output. Beside OpenAI's own: prompt_cache_hit_tokens is DeepSeek's, cached_tokens Moonshot's and
    cache_read_input_tokens Databricks'. citation_tokens is Perplexity's, which counts it and its
    reasoning_tokens beside the completion."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    prompt_cache_hit_tokens: Count = None
    cached_tokens: Count = None
    cache_read_input_tokens: Count = None
    citation_tokens: Count = None
    reasoning_tokens: Count = None


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count = None
    ephemeral_1h_input_tokens: Count = None


class _Thinking(msgspec.Struct, gc=False):
    thinking_tokens: Count = None


class AnthropicUsage(msgspec.Struct, gc=False):
    """input_tokens is what was neither read from the cache nor written to it."""

    input_tokens: Count = None
    output_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _Thinking | None = None


class _Modality(msgspec.Struct, gc=False):
    modality: str | None = None
    tokenCount: Count = None  # noqa: N815


class GeminiUsage(msgspec.Struct, gc=False, rename="camel"):
    """prompt_token_count includes what was cached and excludes tool_use_prompt_token_count;
    candidates_token_count excludes thoughts."""

    prompt_token_count: Count = None
    candidates_token_count: Count = None
    cached_content_token_count: Count = None
    thoughts_token_count: Count = None
    tool_use_prompt_token_count: Count = None
    tool_use_prompt_tokens_details: list[_Modality] | None = None
    cache_tokens_details: list[_Modality] | None = None
    prompt_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None


class _CachedFor(msgspec.Struct, gc=False, rename="camel"):
    ttl: str | None = None
    input_tokens: Count = None


class BedrockUsage(msgspec.Struct, gc=False, rename="camel"):
    """input_tokens is what was neither read from the cache nor written to it. cache_details split what was written."""

    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_write_input_tokens: Count = None
    cache_details: list[_CachedFor] | None = None


class _Counted(msgspec.Struct, gc=False):
    input_tokens: Count = None
    output_tokens: Count = None
    image_tokens: Count = None
    search_units: Count = None


class CohereUsage(msgspec.Struct, gc=False):
    """billed_units is what costs; tokens also counts the provider's own prompt around it. Images are billed beside
    the text; a rerank is billed in searches, which are no tokens."""

    billed_units: _Counted | None = None
    tokens: _Counted | None = None
    cached_tokens: Count = None


def _usage(
    taken: Count,
    given: Count,
    cached: Count = None,
    write_5m: Count = None,
    write_1h: Count = None,
    reasoning: Count = None,
    audio_input: Count = None,
    audio_output: Count = None,
    audio_cached: Count = None,
    image_input: Count = None,
    image_cached: Count = None,
    image_output: Count = None,
) -> Usage | None:
    counts = (
        taken, given, cached, write_5m, write_1h, reasoning, audio_input, audio_output, audio_cached, image_input,
        image_cached, image_output,
    )  # fmt: skip
    for count in counts:
        if count is not None and not 0 <= count <= ABSURD:
            return None
    return Usage(*[int(count or 0) for count in counts])


def of_openai(raw: OpenAIUsage | None) -> Usage | None:
    if raw is None:
        return None
    prompt = raw.prompt_tokens if raw.prompt_tokens is not None else raw.input_tokens
    output = raw.completion_tokens if raw.completion_tokens is not None else raw.output_tokens
    if prompt is None and output is None:
        # Embeddings and rerank of some vendors say no more than the sum.
        return _usage(raw.total_tokens, 0) if raw.total_tokens is not None else None
    taken = raw.prompt_tokens_details or raw.input_tokens_details or raw.input_token_details
    given = raw.completion_tokens_details or raw.output_tokens_details
    reasoning = given.reasoning_tokens if given is not None else None
    if reasoning and raw.total_tokens is not None and raw.total_tokens == (prompt or 0) + (output or 0) + reasoning:
        # xAI counts reasoning beside the completion; the total tells.
        output = (output or 0) + reasoning
    if raw.citation_tokens is not None:
        if raw.citation_tokens < 0:
            return None
        reasoning = raw.reasoning_tokens
        output = (output or 0) + (reasoning or 0) + raw.citation_tokens
    elsewhere = raw.prompt_cache_hit_tokens or raw.cached_tokens or raw.cache_read_input_tokens
    audio_output = given.audio_tokens if given is not None else None
    image_output = given.image_tokens if given is not None else None
    if taken is None:
        return _usage(
            prompt, output, elsewhere, reasoning=reasoning, audio_output=audio_output, image_output=image_output
        )
    cached = taken.cached_tokens if taken.cached_tokens is not None else elsewhere
    long_writes = taken.cache_write_tokens_details.ttl_12h_tokens if taken.cache_write_tokens_details else None
    short_writes = max((taken.cache_write_tokens or 0) - (long_writes or 0), 0) if taken.cache_write_tokens else None
    read = taken.cached_tokens_details
    return _usage(
        prompt,
        output,
        cached,
        short_writes,
        long_writes,
        reasoning,
        taken.audio_tokens,
        audio_output,
        read.audio_tokens if read is not None else None,
        taken.image_tokens,
        read.image_tokens if read is not None else None,
        image_output,
    )


def of_anthropic(raw: AnthropicUsage | None) -> Usage | None:
    if raw is None or (raw.input_tokens is None and raw.output_tokens is None):
        return None
    split = raw.cache_creation
    write_1h = (split.ephemeral_1h_input_tokens or 0) if split is not None else 0
    written = raw.cache_creation_input_tokens
    if written is None:
        written = write_1h + ((split.ephemeral_5m_input_tokens or 0) if split is not None else 0)
    cached = raw.cache_read_input_tokens or 0
    fresh = raw.input_tokens or 0
    if fresh < 0 or cached < 0 or written < 0:
        return None
    details = raw.output_tokens_details
    return _usage(
        fresh + cached + written,
        raw.output_tokens,
        cached,
        max(written - write_1h, 0),
        min(write_1h, written),
        details.thinking_tokens if details is not None else None,
    )


def merge_anthropic(before: AnthropicUsage | None, later: AnthropicUsage) -> AnthropicUsage:
    """message_delta repeats, cumulatively, some of what message_start said: the later word counts."""
    if before is None:
        return later
    return AnthropicUsage(
        *[
            new if new is not None else old
            for old, new in zip(msgspec.structs.astuple(before), msgspec.structs.astuple(later), strict=True)
        ]
    )


def of_gemini(raw: GeminiUsage | None) -> Usage | None:
    if raw is None or (raw.prompt_token_count is None and raw.candidates_token_count is None):
        return None
    parts = (
        raw.prompt_token_count,
        raw.tool_use_prompt_token_count,
        raw.candidates_token_count,
        raw.thoughts_token_count,
    )
    if any(part is not None and part < 0 for part in parts):
        return None
    return _usage(
        (raw.prompt_token_count or 0) + (raw.tool_use_prompt_token_count or 0),
        (raw.candidates_token_count or 0) + (raw.thoughts_token_count or 0),
        raw.cached_content_token_count,
        reasoning=raw.thoughts_token_count,
        audio_input=_of(raw.prompt_tokens_details, _HEARD) + _of(raw.tool_use_prompt_tokens_details, _HEARD),
        audio_output=_of(raw.candidates_tokens_details, _HEARD),
        audio_cached=_of(raw.cache_tokens_details, _HEARD),
        image_input=_of(raw.prompt_tokens_details, _SEEN) + _of(raw.tool_use_prompt_tokens_details, _SEEN),
        image_cached=_of(raw.cache_tokens_details, _SEEN),
        image_output=_of(raw.candidates_tokens_details, _SEEN),
    )


def of_bedrock(raw: BedrockUsage | None) -> Usage | None:
    if raw is None or (raw.input_tokens is None and raw.output_tokens is None):
        return None
    fresh, cached, written = raw.input_tokens or 0, raw.cache_read_input_tokens or 0, raw.cache_write_input_tokens or 0
    if fresh < 0 or cached < 0 or written < 0:
        return None
    long = sum(detail.input_tokens or 0 for detail in raw.cache_details or () if detail.ttl == "1h")
    long = min(max(long, 0), written)
    return _usage(fresh + cached + written, raw.output_tokens, cached, written - long, long)


_HEARD: Final = ("AUDIO",)
_SEEN: Final = ("IMAGE", "DOCUMENT")
"""A document is read as the pictures of its pages."""


def _of(parts: list[_Modality] | None, modalities: tuple[str, ...]) -> int | float:
    return sum(part.tokenCount or 0 for part in parts if part.modality in modalities) if parts else 0


def of_cohere(raw: CohereUsage | None) -> Usage | None:
    if raw is None:
        return None
    counted = raw.billed_units or raw.tokens
    if counted is None:
        return None
    taken, pictured = counted.input_tokens, counted.image_tokens
    if pictured is not None:
        if pictured < 0:
            return None
        taken = (taken or 0) + pictured
    cached = raw.cached_tokens
    if cached is not None and cached > (taken or 0):
        # Counted over the prompt that Cohere put around what is billed.
        cached = taken
    return _usage(taken, counted.output_tokens, cached)


def of_input(count: Count) -> Usage | None:
    """Of a provider that says one number."""
    return _usage(count, 0)


class _OpenAIReply(msgspec.Struct, gc=False):
    model: str | None = None
    usage: OpenAIUsage | None = None


class _AnthropicReply(msgspec.Struct, gc=False):
    model: str | None = None
    usage: AnthropicUsage | None = None


class _GeminiReply(msgspec.Struct, gc=False):
    model: str | None = msgspec.field(default=None, name="modelVersion")
    usage: GeminiUsage | None = msgspec.field(default=None, name="usageMetadata")


class _CohereReply(msgspec.Struct, gc=False):
    model: str | None = None
    usage: CohereUsage | None = None
    meta: CohereUsage | None = None


_OPENAI_REPLY: Final = msgspec.json.Decoder(_OpenAIReply)
_ANTHROPIC_REPLY: Final = msgspec.json.Decoder(_AnthropicReply)
_GEMINI_REPLY: Final = msgspec.json.Decoder(_GeminiReply)
_COHERE_REPLY: Final = msgspec.json.Decoder(_CohereReply)
_BINARY: Final = (b"{", b" ", b"\n", b"\r", b"\t")


def usage_of(call: Call, body: bytes) -> tuple[Usage | None, str]:
    """Usage and model out of a whole reply in the call's dialect. Never raises; what cannot be read is
    `(None, "")`."""
    if body[:1] not in _BINARY:
        return None, ""
    try:
        match call.dialect:
            case "anthropic":
                message = _ANTHROPIC_REPLY.decode(body)
                return of_anthropic(message.usage) if call.operation == "messages" else None, message.model or ""
            case "gemini":
                generated = _GEMINI_REPLY.decode(body)
                return of_gemini(generated.usage), generated.model or ""
            case "cohere":
                reply = _COHERE_REPLY.decode(body)
                return of_cohere(reply.usage or reply.meta), reply.model or ""
            case _:
                answer = _OPENAI_REPLY.decode(body)
                return of_openai(answer.usage), answer.model or ""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, ""
