"""Rerank before providers of another dialect: the same ranking, in the client's form."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import Serve
from tests.support.scripted import ok, status

HOUSE = """
providers:
  j: {dialect: openai, base-url: 'http://j.test/v1', models: ['*']}
  c: {dialect: cohere, base-url: 'http://c.test/v2', models: ['*']}
routers:
  j: {load-balance: {rerank: {providers: [j]}}}
  c: {load-balance: {rerank: {providers: [c]}}}
  voyage: {load-balance: {rerank: {providers: [{provider: j, model: rerank-2.5}]}}}
  chain: {load-balance: {rerank: {strategy: priority, providers: [c, j]}}}
"""
JINA: dict[str, Any] = {
    "model": "jina-reranker-v2-base-multilingual",
    "object": "list",
    "usage": {"total_tokens": 15, "prompt_tokens": 15},
    "results": [
        {"index": 2, "relevance_score": 0.75},
        {"index": 0, "relevance_score": 0.25},
    ],
}
VOYAGE: dict[str, Any] = {
    "object": "list",
    "data": [{"relevance_score": 0.75, "index": 2}, {"relevance_score": 0.25, "index": 0}],
    "model": "rerank-2.5",
    "usage": {"total_tokens": 26},
}
COHERE: dict[str, Any] = {
    "id": "rr-1",
    "results": [{"index": 2, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.25}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}
ASKED: dict[str, Any] = {"model": "m-1", "query": "Which?", "documents": ["x", "y", "z"]}
RESULTS = JINA["results"]


async def test_a_cohere_client_before_jina(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("j.test", ok(JINA))
    reply = await served.client.post("/router/j/v2/rerank", {**ASKED, "top_n": 2, "priority": 3})
    assert reply.status == 200, reply.text
    told = reply.json()
    assert told["results"] == RESULTS
    assert told["meta"]["billed_units"] == {"input_tokens": 15}
    assert told["id"]
    assert served.upstream.last.path == "/v1/rerank"
    assert served.upstream.last.json() == {**ASKED, "top_n": 2, "return_documents": False}
    assert reply.headers["x-gateway-dropped"] == "priority"
    assert await served.metric("gateway_tokens_total", kind="input") == 15


async def test_a_cohere_client_before_voyage(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("j.test", ok(VOYAGE))
    reply = await served.client.post("/router/voyage/v2/rerank", {**ASKED, "top_n": 2, "max_tokens_per_doc": 9})
    assert reply.json()["results"] == RESULTS
    assert served.upstream.last.json() == {**ASKED, "model": "rerank-2.5", "top_k": 2}
    assert reply.headers["x-gateway-dropped"] == "max_tokens_per_doc"


async def test_a_jina_client_before_cohere_has_its_documents(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("c.test", ok(COHERE))
    documents = [{"text": "x", "page": 3}, {"text": "y"}, "z"]
    asked = {**ASKED, "documents": documents, "return_documents": True, "truncation": False}
    reply = await served.client.post("/router/c/v1/rerank", asked)
    assert reply.status == 200, reply.text
    assert reply.json()["results"] == [
        {"index": 2, "relevance_score": 0.75, "document": {"text": "z"}},
        {"index": 0, "relevance_score": 0.25, "document": {"text": "x"}},
    ]
    assert reply.json()["model"] == "m-1"
    assert served.upstream.last.path == "/v2/rerank"
    assert served.upstream.last.json() == ASKED
    assert reply.headers["x-gateway-dropped"] == "documents[0].page, truncation"


async def test_a_voyage_client_has_its_results_in_data(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("c.test", ok(COHERE))
    asked = {**ASKED, "top_k": 1, "return_documents": True}
    reply = await served.client.post("/router/c/v1/rerank", asked)
    told = reply.json()
    assert told["data"] == [{"index": 2, "relevance_score": 0.75, "document": "z"}]
    assert "results" not in told
    assert served.upstream.last.json() == {**ASKED, "top_n": 1}


async def test_a_jina_client_before_voyage_s_model(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("j.test", ok(VOYAGE))
    reply = await served.client.post("/router/voyage/v1/rerank", {**ASKED, "top_n": 2})
    assert reply.json()["results"] == RESULTS
    assert served.upstream.last.json() == {**ASKED, "model": "rerank-2.5", "top_k": 2}


async def test_what_is_no_text_is_refused(serve: Serve) -> None:
    served = serve(HOUSE)
    asked = {**ASKED, "documents": ["x", {"image": "https://pictures.test/1.png"}]}
    reply = await served.client.post("/router/c/v1/rerank", asked)
    assert (reply.status, reply.headers["x-gateway-error"]) == (400, "unsupported_feature")


async def test_another_provider_is_asked(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("c.test", status(500))
    served.upstream.on("j.test", ok(JINA))
    reply = await served.client.post("/router/chain/v2/rerank", ASKED)
    assert reply.json()["results"] == RESULTS
    assert served.upstream.hosts() == ["c.test", "j.test"]


@pytest.mark.parametrize(
    "results",
    [
        [],
        None,
        [{"index": 3, "relevance_score": 1}],
        [{"index": -1, "relevance_score": 1}],
        [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 0.5}],
        [{"index": 0}],
    ],
)
async def test_a_ranking_of_other_documents_is_a_failure_of_the_provider(serve: Serve, results: object) -> None:
    served = serve(HOUSE)
    served.upstream.on("c.test", ok({"results": results}))
    reply = await served.client.post("/router/c/v1/rerank", ASKED)
    assert (reply.status, reply.headers["x-gateway-error"]) == (502, "upstream_failed")
