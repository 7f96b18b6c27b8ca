"""The one form between the formats of reranking: documents and a question, and how well each answers it.

Lives here: types alone; the codecs in rerank/ turn their bytes into these.
"""

from __future__ import annotations

import msgspec

from gateway.dialects.whole import WholeAnswer, WholeRequest


class RankRequest(WholeRequest, frozen=True, kw_only=True):
    """top: how many results are wanted, None for all. document_tokens: where a document is cut, None for the model's
    own place. returns: the documents are to be in the reply. truncates: whether what is too long is cut, None where
    not said. in_data: the client is one of Voyage's, whose results stand in `data`."""

    query: str
    documents: tuple[str, ...]
    top: int | None = None
    document_tokens: int | None = None
    returns: bool = False
    truncates: bool | None = None
    in_data: bool = False


class Rank(msgspec.Struct, frozen=True):
    """index: of the document in the request."""

    index: int
    score: float


class Ranking(WholeAnswer, frozen=True, kw_only=True):
    """ranks: in the provider's order, which is that of relevance. searches: what Cohere bills, 0 where not said."""

    ranks: tuple[Rank, ...]
    searches: int = 0
