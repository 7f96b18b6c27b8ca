"""What Converse's replies and streams have in common: stop reasons, usage, citations."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.canonical import Citation, StopReason

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

STOPS: Final[dict[str, StopReason]] = {
    "end_turn": "stop",
    "tool_use": "tool-use",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop-sequence",
    "guardrail_intervened": "content-filter",
    "content_filtered": "content-filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}

STATUSES: Final = {
    "internalServerException": 500,
    "modelStreamErrorException": 424,
    "modelErrorException": 424,
    "modelTimeoutException": 408,
    "modelNotReadyException": 429,
    "validationException": 400,
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "accessDeniedException": 403,
    "resourceNotFoundException": 404,
}
"""The HTTP status that an exception of a stream would have had as a reply."""


class Words(msgspec.Struct, gc=False):
    text: str | None = None


class _Web(msgspec.Struct, gc=False):
    url: str | None = None


class _Place(msgspec.Struct, gc=False, rename="camel"):
    document_index: int | None = None


class _Location(msgspec.Struct, gc=False, rename="camel"):
    web: _Web | None = None
    document_char: _Place | None = None
    document_page: _Place | None = None
    document_chunk: _Place | None = None


class Quote(msgspec.Struct, gc=False, rename="camel"):
    title: str | None = None
    source: str | None = None
    source_content: list[Words] | None = None
    location: _Location | None = None


def read_citation(quote: Quote) -> Citation:
    place = quote.location
    url, document = "", -1
    if place is not None:
        if place.web is not None:
            url = place.web.url or ""
        for found in (place.document_char, place.document_page, place.document_chunk):
            if found is not None and found.document_index is not None:
                document = found.document_index
    return Citation(
        url=url or quote.source or "",
        title=quote.title or "",
        quote="".join(piece.text or "" for piece in quote.source_content or ()),
        document=document,
    )
