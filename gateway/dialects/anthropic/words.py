"""What Anthropic's requests, replies and streams have in common: blocks, citations, usage, reasons to stop.

Lives here: the small objects and their names. A block is one flat Struct with the members of all kinds, for there are
many kinds and new ones come; a kind nobody knows is then a name in the losses and not an error.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.canonical import Citation, StopReason

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
EMPTY: Final = msgspec.Raw()


class CacheControl(msgspec.Struct, gc=False):
    type: str | None = None
    ttl: str | None = None


class Quote(msgspec.Struct, gc=False):
    """A citation of any of the five kinds. Positions in a document have no place in the canonical form."""

    type: str | None = None
    cited_text: str | None = None
    url: str | None = None
    source: str | None = None
    title: str | None = None
    document_title: str | None = None
    document_index: int | None = None


class Block(msgspec.Struct, gc=False):
    """A content block of a reply, or of the start of one in a stream."""

    type: str | None = None
    text: str | None = None
    citations: list[Quote] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = EMPTY


STOPS: Final[dict[str, StopReason]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop-sequence",
    "tool_use": "tool-use",
    "pause_turn": "pause",
    "refusal": "refusal",
    "compaction": "pause",
}
WRITTEN_STOPS: Final[dict[StopReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool-use": "tool_use",
    "stop-sequence": "stop_sequence",
    "content-filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    # It has no word for a reply that failed on its way; this one says at least that there is more to come.
    "error": "max_tokens",
    "other": "end_turn",
}
TIERS: Final = {"default": "standard", "standard": "standard", "priority": "priority", "batch": "batch"}


def read_citation(quote: Quote) -> Citation:
    return Citation(
        url=quote.url or quote.source or "",
        title=quote.title or quote.document_title or "",
        quote=quote.cited_text or "",
        document=-1 if quote.document_index is None else quote.document_index,
    )


class _WebCitation(msgspec.Struct, gc=False, tag="web_search_result_location"):
    cited_text: str
    url: str
    title: str | None
    encrypted_index: str = ""


class _DocumentCitation(msgspec.Struct, gc=False, tag="char_location"):
    cited_text: str
    document_index: int
    document_title: str | None
    start_char_index: int
    end_char_index: int
    file_id: str | None = None


def write_citation(citation: Citation) -> _WebCitation | _DocumentCitation:
    """Where in a document the words stand is not known here: it is told as its beginning."""
    if citation.url or citation.document < 0:
        return _WebCitation(citation.quote, citation.url, citation.title or None)
    return _DocumentCitation(citation.quote, citation.document, citation.title or None, 0, len(citation.quote))


class _Writes(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class _Thought(msgspec.Struct, gc=False):
    thinking_tokens: int


class WrittenUsage(msgspec.Struct, gc=False):
    """As a whole message and message_start have it."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    cache_creation: _Writes
    output_tokens: int
    output_tokens_details: _Thought | None
    service_tier: str | None
    server_tool_use: None = None
    inference_geo: None = None


class WrittenDelta(msgspec.Struct, gc=False):
    """As message_delta has it. cache_creation: only where it is not all of the short kind, which is what a client
    takes it for."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: _Thought | None
    cache_creation: _Writes | msgspec.UnsetType = msgspec.UNSET
    server_tool_use: None = None


_NOTHING: Final = Usage()


def write_usage(usage: Usage | None, tier: str = "") -> WrittenUsage:
    """Zeros where the provider told nothing: the schema knows no usage without numbers."""
    usage = usage or _NOTHING
    written = usage.cache_write_5m + usage.cache_write_1h
    return WrittenUsage(
        max(usage.input - usage.cached - written, 0),
        written,
        usage.cached,
        _Writes(usage.cache_write_5m, usage.cache_write_1h),
        usage.output,
        _Thought(usage.reasoning) if usage.reasoning else None,
        TIERS.get(tier),
    )


def write_delta_usage(usage: Usage | None) -> WrittenDelta:
    whole = write_usage(usage)
    return WrittenDelta(
        whole.input_tokens,
        whole.cache_creation_input_tokens,
        whole.cache_read_input_tokens,
        whole.output_tokens,
        whole.output_tokens_details,
        whole.cache_creation if whole.cache_creation.ephemeral_1h_input_tokens else msgspec.UNSET,
    )


def is_object(raw: msgspec.Raw) -> bool:
    view = memoryview(raw)
    return len(view) > 0 and view[0] == 0x7B
