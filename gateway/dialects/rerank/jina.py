"""`/v1/rerank` as Jina has it, and most who came after, and as Voyage has it, who names its members otherwise.

A request is read in both vendors' words. It is written, and answered, in those of the vendor whose model is meant.
Sources: jina.ai/reranker and api.jina.ai/docs; docs.voyageai.com/reference/reranker-api; 2026-11.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call, Headers
from gateway.dialects.body import checked_model, read
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.embeddings.families import family_of
from gateway.dialects.ranking import Ranking, RankRequest
from gateway.dialects.rerank.parts import Result, checked_top, ranks_of, read_documents
from gateway.dialects.tokens import CohereUsage, OpenAIUsage, of_cohere, of_openai
from gateway.dialects.unread import shape_of, unread
from gateway.dialects.whole import mistake, read_answer

_encode: Final = msgspec.json.encode


class _Body(msgspec.Struct):
    model: str
    query: str | dict[str, msgspec.Raw]
    documents: list[str | dict[str, msgspec.Raw]]
    top_n: int | None = None
    top_k: int | None = None
    return_documents: bool | None = None
    truncation: bool | None = None
    max_tokens_per_doc: int | None = None


class _Reply(msgspec.Struct):
    """results: Jina's. data: Voyage's. meta: of those who took Cohere's reply for their own."""

    results: list[Result] | None = None
    data: list[Result] | None = None
    model: str | None = None
    id: str | None = None
    usage: OpenAIUsage | None = None
    meta: CohereUsage | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_SHAPE: Final = shape_of(_Body)
_REPLY: Final = msgspec.json.Decoder(_Reply)


class JinaRerank:
    """The codec (gateway/dialects/whole.py)."""

    __slots__ = ()

    def read_request(self, body: bytes, call: Call) -> RankRequest:
        asked = read(_BODY, body)
        documents, lost = read_documents(asked.documents)
        query = asked.query
        if isinstance(query, dict):
            (query,), more = read_documents([query])
            lost = (*(_of_query(loss) for loss in more), *lost)
        if asked.top_n is not None and asked.top_k is not None:
            raise mistake("top_k", "it is another word for `top_n`; one of them is due.")
        voyage = _is_voyage(asked)
        # Jina returns the documents unless it is told not to, Voyage only when it is told to.
        returns = asked.return_documents if asked.return_documents is not None else asked.model.startswith("jina-")
        return RankRequest(
            model=checked_model(asked.model),
            query=query,
            documents=documents,
            top=checked_top(asked.top_k, "top_k") if asked.top_n is None else checked_top(asked.top_n, "top_n"),
            document_tokens=asked.max_tokens_per_doc,
            returns=returns,
            truncates=asked.truncation,
            in_data=voyage,
            unread=unread(body, _SHAPE),
            lost=lost,
        )

    def write_request(self, request: RankRequest, facts: TargetFacts) -> Encoded:
        losses = [Loss(name) for name in request.unread]
        family = family_of(facts.model)
        out: dict[str, object] = {"model": facts.model, "query": request.query, "documents": request.documents}
        if request.top is not None:
            out["top_k" if family == "voyage" else "top_n"] = request.top
        if request.truncates is not None:
            if family == "voyage":
                out["truncation"] = request.truncates
            else:
                losses.append(Loss("truncation"))
        if request.document_tokens is not None:
            if family == "openai":
                out["max_tokens_per_doc"] = request.document_tokens
            else:
                losses.append(Loss("max_tokens_per_doc"))
        # The gateway has the documents, and puts them in the reply itself.
        if family != "voyage":
            out["return_documents"] = False
        return Encoded(_encode(out), tuple(losses))

    def read_reply(self, body: bytes, headers: Headers, request: RankRequest) -> Ranking:
        reply = read_answer(_REPLY, body, headers, "a ranking")
        found = reply.results if reply.results is not None else reply.data
        return Ranking(
            model=reply.model or "",
            id=reply.id or "",
            ranks=ranks_of(found or (), request),
            usage=of_openai(reply.usage) or of_cohere(reply.meta),
        )

    def write_reply(self, answer: Ranking, request: RankRequest, echo: Echo) -> bytes:
        results: list[dict[str, object]] = []
        for rank in answer.ranks:
            one: dict[str, object] = {"index": rank.index, "relevance_score": rank.score}
            if request.returns:
                text = request.documents[rank.index]
                one["document"] = text if request.in_data else {"text": text}
            results.append(one)
        used = answer.usage.input if answer.usage is not None else 0
        return _encode(
            {
                "object": "list",
                "model": answer.model or echo.model,
                "data" if request.in_data else "results": results,
                "usage": {"total_tokens": used} if request.in_data else {"prompt_tokens": used, "total_tokens": used},
            }
        )


def _is_voyage(asked: _Body) -> bool:
    return family_of(asked.model) == "voyage" or asked.top_k is not None


def _of_query(loss: Loss) -> Loss:
    return msgspec.structs.replace(loss, field=loss.field.replace("documents[0]", "query"))


CODEC: Final = JinaRerank()
