"""Cohere's v2 `/rerank`. Sources: docs.cohere.com/reference/rerank; 2026-11."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call, Headers
from gateway.dialects.body import checked_model, read
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.ranking import Ranking, RankRequest
from gateway.dialects.rerank.parts import Result, checked_top, ranks_of, read_documents
from gateway.dialects.tokens import CohereUsage, of_cohere
from gateway.dialects.unread import shape_of, unread
from gateway.dialects.whole import read_answer

_encode: Final = msgspec.json.encode


class _Body(msgspec.Struct):
    """return_documents: of the older version of the API."""

    model: str
    query: str
    documents: list[str | dict[str, msgspec.Raw]]
    top_n: int | None = None
    max_tokens_per_doc: int | None = None
    return_documents: bool | None = None


class _Reply(msgspec.Struct):
    results: list[Result]
    id: str | None = None
    meta: CohereUsage | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_SHAPE: Final = shape_of(_Body)
_REPLY: Final = msgspec.json.Decoder(_Reply)


class CohereRerank:
    """The codec (gateway/dialects/whole.py)."""

    __slots__ = ()

    def read_request(self, body: bytes, call: Call) -> RankRequest:
        asked = read(_BODY, body)
        documents, lost = read_documents(asked.documents)
        return RankRequest(
            model=checked_model(asked.model),
            query=asked.query,
            documents=documents,
            top=checked_top(asked.top_n, "top_n"),
            document_tokens=asked.max_tokens_per_doc,
            returns=asked.return_documents is True,
            unread=unread(body, _SHAPE),
            lost=lost,
        )

    def write_request(self, request: RankRequest, facts: TargetFacts) -> Encoded:
        losses = [Loss(name) for name in request.unread]
        if request.truncates is False:
            # It has no word for it: a long document is ranked by its beginning.
            losses.append(Loss("truncation"))
        out: dict[str, object] = {"model": facts.model, "query": request.query, "documents": request.documents}
        if request.top is not None:
            out["top_n"] = request.top
        if request.document_tokens is not None:
            out["max_tokens_per_doc"] = request.document_tokens
        return Encoded(_encode(out), tuple(losses))

    def read_reply(self, body: bytes, headers: Headers, request: RankRequest) -> Ranking:
        reply = read_answer(_REPLY, body, headers, "a ranking")
        units = reply.meta.billed_units if reply.meta is not None else None
        searches = units.search_units if units is not None else None
        return Ranking(
            id=reply.id or "",
            ranks=ranks_of(reply.results, request),
            searches=int(searches) if searches is not None and 0 < searches < 1_000_000 else 0,
            usage=of_cohere(reply.meta),
        )

    def write_reply(self, answer: Ranking, request: RankRequest, echo: Echo) -> bytes:
        results: list[dict[str, object]] = []
        for rank in answer.ranks:
            one: dict[str, object] = {"index": rank.index, "relevance_score": rank.score}
            if request.returns:
                one["document"] = {"text": request.documents[rank.index]}
            results.append(one)
        billed: dict[str, int] = {}
        if answer.usage is not None:
            billed["input_tokens"] = answer.usage.input
        if answer.searches:
            billed["search_units"] = answer.searches
        meta: dict[str, object] = {"api_version": {"version": "2"}}
        if billed:
            meta["billed_units"] = billed
        return _encode({"id": answer.id or echo.id, "results": results, "meta": meta})


CODEC: Final = CohereRerank()
