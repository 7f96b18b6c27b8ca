"""What has numbers in it and is alike in OpenAI's two formats of chat: log probabilities, citations, usage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Citation,
    TokenLogprob,
)
from gateway.dialects.openai_words import UNREADABLE, opens
from gateway.dialects.tokens import OpenAIUsage, of_openai

_USAGE: Final = msgspec.json.Decoder(OpenAIUsage)


class TopLogprob(msgspec.Struct, gc=False):
    """bytes: the token's, as a list of numbers."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


def read_logprobs(found: list[Logprob] | None) -> tuple[TokenLogprob, ...]:
    if not found:
        return ()
    return tuple(
        TokenLogprob(one.token, one.logprob, tuple((top.token, top.logprob) for top in one.top_logprobs or ()))
        for one in found
    )


def write_logprobs(known: Iterable[TokenLogprob]) -> list[Logprob]:
    return [
        Logprob(
            one.token,
            one.logprob,
            list(one.token.encode("utf-8", "replace")),
            [TopLogprob(token, value, list(token.encode("utf-8", "replace"))) for token, value in one.top],
        )
        for one in known
    ]


class UrlCitation(msgspec.Struct, gc=False):
    """start_index and end_index: characters of the message's whole text."""

    start_index: int | None = None
    end_index: int | None = None
    title: str | None = None
    url: str | None = None


def read_citation(found: UrlCitation) -> Citation:
    return Citation(
        url=found.url or "",
        title=found.title or "",
        start=-1 if found.start_index is None else found.start_index,
        end=-1 if found.end_index is None else found.end_index,
    )


def write_citation(citation: Citation, start: int, end: int) -> UrlCitation:
    """start, end: the stretch it stands for where the citation itself does not say."""
    if citation.start >= 0:
        end = start + max(citation.end, citation.start)
        start += citation.start
    return UrlCitation(start, end, citation.title or citation.quote[:80], citation.url)


class _CacheWrites(msgspec.Struct, gc=False):
    ttl_30m_tokens: int
    ttl_12h_tokens: int


class _Taken(msgspec.Struct, gc=False, omit_defaults=True):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int | msgspec.UnsetType = msgspec.UNSET
    cache_write_tokens_details: _CacheWrites | msgspec.UnsetType = msgspec.UNSET


class _Given(msgspec.Struct, gc=False):
    reasoning_tokens: int
    audio_tokens: int
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class ChatUsage(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _Taken
    completion_tokens_details: _Given


class _Thought(msgspec.Struct, gc=False):
    reasoning_tokens: int


class ResponsesUsage(msgspec.Struct, gc=False):
    input_tokens: int
    input_tokens_details: _Taken
    output_tokens: int
    output_tokens_details: _Thought
    total_tokens: int


def chat_usage(usage: Usage) -> ChatUsage:
    return ChatUsage(
        usage.input,
        usage.output,
        usage.total,
        _Taken(usage.cached, _written(usage), usage.audio_input, _write_details(usage)),
        _Given(usage.reasoning, usage.audio_output),
    )


def responses_usage(usage: Usage) -> ResponsesUsage:
    return ResponsesUsage(
        usage.input,
        _Taken(usage.cached, _written(usage), cache_write_tokens_details=_write_details(usage)),
        usage.output,
        _Thought(usage.reasoning),
        usage.total,
    )


def _written(usage: Usage) -> int:
    return usage.cache_write_5m + usage.cache_write_1h


def _write_details(usage: Usage) -> _CacheWrites | msgspec.UnsetType:
    return _CacheWrites(usage.cache_write_5m, usage.cache_write_1h) if usage.cache_write_1h else msgspec.UNSET


def usage_of(raw: msgspec.Raw) -> Usage | None:
    """Usage that was left undecoded, for what is wrong in it must not cost the reply."""
    if not opens(raw, b"{"):
        return None
    try:
        return of_openai(_USAGE.decode(raw))
    except UNREADABLE:
        return None
