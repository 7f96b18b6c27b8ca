"""The wire formats of chat that can be translated: which codec reads and writes each, and where it is asked.

Lives here: one row for each format. Must not: how a codec works, or which target is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.core.exchange import Call, Dialect, Operation
from gateway.dialects import anthropic, gemini, openai_chat, openai_responses
from gateway.dialects.codec import Codec

_SSE: Final = (b"text/event-stream",)


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format. suffix: the api path of a whole reply below its version segment, `{model}` where the model
    stands in it; stream_suffix: that of a stream, query included. stream_types: how the content type of a stream
    begins. served: clients may speak it to the gateway; the others are asked for by the gateway alone."""

    dialect: Dialect
    operation: Operation
    codec: Codec
    suffix: str
    stream_suffix: str
    stream_types: tuple[bytes, ...] = _SSE
    served: bool = True


ROWS: Final[tuple[Format, ...]] = (
    Format(
        dialect="openai",
        operation="chat",
        codec=openai_chat.CODEC,
        suffix="/chat/completions",
        stream_suffix="/chat/completions",
    ),
    Format(
        dialect="anthropic",
        operation="messages",
        codec=anthropic.CODEC,
        suffix="/messages",
        stream_suffix="/messages",
    ),
    Format(
        dialect="gemini",
        operation="generate",
        codec=gemini.CODEC,
        suffix="/models/{model}:generateContent",
        stream_suffix="/models/{model}:streamGenerateContent?alt=sse",
    ),
    Format(
        dialect="openai",
        operation="responses",
        codec=openai_responses.CODEC,
        suffix="/responses",
        stream_suffix="/responses",
    ),
)

FORMATS: Final[Mapping[tuple[Dialect, Operation], Format]] = {(row.dialect, row.operation): row for row in ROWS}
"""By dialect and operation. Where an endpoint has several, the earlier one here is asked."""

_PATHS: Final = {
    (row.dialect, path.partition("?")[0]): row for row in ROWS if row.served for path in (row.suffix, row.stream_suffix)
}


def format_of(call: Call) -> Format | None:
    """The format that a client's call is in; None where it is none of these (one response out of `/responses/id`)."""
    return _PATHS.get((call.dialect, call.suffix))
