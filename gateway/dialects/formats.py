"""The wire formats of chat that can be translated: which codec reads and writes each, and where it is asked.

Lives here: one row for each format. Must not: how a codec works, or which target is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.core.exchange import Call, Dialect, Operation
from gateway.dialects import anthropic, bedrock, cohere, gemini, ollama, openai_chat, openai_responses
from gateway.dialects.codec import Codec
from gateway.dialects.counting import anthropic_counting, gemini_counting, responses_counting

_SSE: Final = (b"text/event-stream",)
# Newer ones refuse sampling parameters.
_ANTHROPIC_VERSION: Final = (("anthropic-version", "2023-06-01"),)


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format. suffix: the api path of a whole reply below its version segment, `{model}` where the model
    stands in it; stream_suffix: that of a stream, query included. stream_types: how the content type of a stream
    begins. served: clients may speak it to the gateway. asked: translation may write it for a provider. counts: it asks
    for a number of tokens and no answer; such a format is translated to such a one alone. headers: demanded of whoever
    asks, unless the provider's own settings say them."""

    dialect: Dialect
    operation: Operation
    codec: Codec
    suffix: str
    stream_suffix: str
    stream_types: tuple[bytes, ...] = _SSE
    served: bool = True
    asked: bool = True
    counts: bool = False
    headers: tuple[tuple[str, str], ...] = ()


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
        headers=_ANTHROPIC_VERSION,
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
    Format(
        dialect="cohere",
        operation="chat",
        codec=cohere.CODEC,
        suffix="/chat",
        stream_suffix="/chat",
        served=False,
    ),
    Format(
        dialect="ollama",
        operation="chat",
        codec=ollama.CODEC,
        suffix="/api/chat",
        stream_suffix="/api/chat",
        stream_types=(b"application/x-ndjson",),
        served=False,
    ),
    Format(
        dialect="bedrock",
        operation="chat",
        codec=bedrock.CODEC,
        suffix="/model/{model}/converse",
        stream_suffix="/model/{model}/converse-stream",
        stream_types=(b"application/vnd.amazon.eventstream",),
        served=False,
    ),
    Format(
        dialect="anthropic",
        operation="count-tokens",
        codec=anthropic_counting(anthropic.CODEC),
        suffix="/messages/count_tokens",
        stream_suffix="/messages/count_tokens",
        headers=_ANTHROPIC_VERSION,
        counts=True,
    ),
    Format(
        dialect="gemini",
        operation="count-tokens",
        codec=gemini_counting(gemini.CODEC),
        suffix="/models/{model}:countTokens",
        stream_suffix="/models/{model}:countTokens",
        counts=True,
    ),
    Format(
        dialect="openai",
        operation="responses",
        codec=responses_counting(openai_responses.CODEC),
        suffix="/responses/input_tokens",
        stream_suffix="/responses/input_tokens",
        asked=False,
        counts=True,
    ),
)

FORMATS: Final[Mapping[tuple[Dialect, Operation], Format]] = {
    (row.dialect, row.operation): row for row in ROWS if row.asked
}
"""By dialect and operation, those that a provider may be asked in. Where one has several, the earlier one is taken."""

_PATHS: Final = {
    (row.dialect, path.partition("?")[0]): row for row in ROWS if row.served for path in (row.suffix, row.stream_suffix)
}


def format_of(call: Call) -> Format | None:
    """The format that a client's call is in; None where it is none of these (one response out of `/responses/id`)."""
    return _PATHS.get((call.dialect, call.suffix))
