"""The wire formats that can be translated: which codec reads and writes each, and where it is asked.

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
from gateway.dialects.embedding import Embeddings, EmbedRequest
from gateway.dialects.embeddings import bedrock as bedrock_embeddings
from gateway.dialects.embeddings import cohere as cohere_embeddings
from gateway.dialects.embeddings import gemini as gemini_embeddings
from gateway.dialects.embeddings import openai as openai_embeddings
from gateway.dialects.embeddings.families import family_of
from gateway.dialects.ranking import Ranking, RankRequest
from gateway.dialects.rerank import cohere as cohere_rerank
from gateway.dialects.rerank import jina
from gateway.dialects.whole import WholeCodec

_SSE: Final = (b"text/event-stream",)
# Newer ones refuse sampling parameters.
_ANTHROPIC_VERSION: Final = (("anthropic-version", "2023-06-01"),)


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format. suffix: the api path of a whole reply below its version segment, `{model}` where the model
    stands in it; stream_suffix: that of a stream, query included. stream_types: how the content type of a stream
    begins. served: clients may speak it to the gateway. asked: translation may write it for a provider. counts: it asks
    for a number of tokens and no answer; such a format is translated to such a one alone. headers: demanded of whoever
    asks, unless the provider's own settings say them."""

    dialect: Dialect
    operation: Operation
    suffix: str
    stream_suffix: str
    stream_types: tuple[bytes, ...] = _SSE
    served: bool = True
    asked: bool = True
    counts: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    def becomes(self, other: Wire) -> bool:
        """Whether there is a translation from this format to the other."""
        return type(self) is type(other) and self.counts == other.counts

    def differs(self, named: str, asked: str) -> bool:
        """Whether it has other words for the model that is asked than for the one that the client named."""
        return False


class Format(Wire, frozen=True, kw_only=True):
    """A format of chat."""

    codec: Codec


class EmbeddingFormat(Wire, frozen=True, kw_only=True):
    """A format of embeddings."""

    codec: WholeCodec[EmbedRequest, Embeddings]
    stream_types: tuple[bytes, ...] = ()

    def differs(self, named: str, asked: str) -> bool:
        return self.dialect == "openai" and family_of(named) != family_of(asked)


class RerankFormat(Wire, frozen=True, kw_only=True):
    """A format of reranking."""

    codec: WholeCodec[RankRequest, Ranking]
    stream_types: tuple[bytes, ...] = ()

    def differs(self, named: str, asked: str) -> bool:
        return self.dialect == "openai" and (family_of(named) == "voyage") != (family_of(asked) == "voyage")


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
        operation="count-tokens",
        codec=responses_counting(openai_responses.CODEC),
        suffix="/responses/input_tokens",
        stream_suffix="/responses/input_tokens",
        counts=True,
    ),
)

WHOLE: Final[tuple[EmbeddingFormat | RerankFormat, ...]] = (
    EmbeddingFormat(
        dialect="openai",
        operation="embeddings",
        codec=openai_embeddings.CODEC,
        suffix="/embeddings",
        stream_suffix="/embeddings",
    ),
    EmbeddingFormat(
        dialect="gemini",
        operation="embeddings",
        codec=gemini_embeddings.BATCH,
        suffix="/models/{model}:batchEmbedContents",
        stream_suffix="/models/{model}:batchEmbedContents",
    ),
    EmbeddingFormat(
        dialect="gemini",
        operation="embeddings",
        codec=gemini_embeddings.SINGLE,
        suffix="/models/{model}:embedContent",
        stream_suffix="/models/{model}:embedContent",
        asked=False,
    ),
    EmbeddingFormat(
        dialect="cohere",
        operation="embeddings",
        codec=cohere_embeddings.CODEC,
        suffix="/embed",
        stream_suffix="/embed",
    ),
    EmbeddingFormat(
        dialect="bedrock",
        operation="embeddings",
        codec=bedrock_embeddings.CODEC,
        suffix="/model/{model}/invoke",
        stream_suffix="/model/{model}/invoke",
        served=False,
    ),
    EmbeddingFormat(
        dialect="vertex",
        operation="embeddings",
        codec=gemini_embeddings.VERTEX,
        suffix="/models/{model}:predict",
        stream_suffix="/models/{model}:predict",
        served=False,
    ),
    RerankFormat(
        dialect="openai",
        operation="rerank",
        codec=jina.CODEC,
        suffix="/rerank",
        stream_suffix="/rerank",
    ),
    RerankFormat(
        dialect="cohere",
        operation="rerank",
        codec=cohere_rerank.CODEC,
        suffix="/rerank",
        stream_suffix="/rerank",
    ),
)

FORMATS: Final[Mapping[tuple[Dialect, Operation], Wire]] = {
    (row.dialect, row.operation): row for row in (*ROWS, *WHOLE) if row.asked
}
"""By dialect and operation, those that a provider may be asked in. Where one has several, the earlier one is taken."""

_PATHS: Final = {
    (row.dialect, path.partition("?")[0]): row
    for row in (*ROWS, *WHOLE)
    if row.served
    for path in (row.suffix, row.stream_suffix)
}


def format_of(call: Call) -> Wire | None:
    """The format that a client's call is in; None where it is none of these (one response out of `/responses/id`)."""
    return _PATHS.get((call.dialect, call.suffix))
