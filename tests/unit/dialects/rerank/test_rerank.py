"""Examples of docs.cohere.com/reference/rerank, jina.ai/reranker and docs.voyageai.com/reference/reranker-api, read
2026-11."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.canonical import Echo, TargetFacts
from gateway.dialects.ranking import Rank, RankRequest
from gateway.dialects.rerank.cohere import CODEC as COHERE
from gateway.dialects.rerank.jina import CODEC as JINA

CALL = Call("openai", "rerank", "/rerank")
ECHO = Echo(id="r-1", model="m-1", created=1)
ASKED: dict[str, Any] = {
    "model": "rerank-v4.0-pro",
    "query": "What is the capital of the United States?",
    "top_n": 3,
    "documents": [
        "Carson City is the capital city of the American state of Nevada.",
        "Capitalization in English grammar is the use of a capital letter at the start of a word.",
        "Washington, D.C. is the capital of the United States.",
    ],
}
TOLD: dict[str, Any] = {
    "results": [
        {"index": 2, "relevance_score": 0.999071},
        {"index": 0, "relevance_score": 0.32713068},
        {"index": 1, "relevance_score": 0.1867867},
    ],
    "id": "07734bd2-2473-4f07-94e1-0d9f0e6843cf",
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}


def asked() -> RankRequest:
    return COHERE.read_request(json.dumps(ASKED).encode(), CALL)


def test_cohere_s_example() -> None:
    found = asked()
    assert (found.top, found.documents[2], found.unread) == (3, ASKED["documents"][2], ())
    assert json.loads(COHERE.write_request(found, TargetFacts(model="rerank-v4.0-pro")).body) == ASKED
    ranking = COHERE.read_reply(json.dumps(TOLD).encode(), [], found)
    assert ranking.ranks[0] == Rank(2, 0.999071)
    assert ranking.searches == 1
    told = json.loads(COHERE.write_reply(ranking, found, ECHO))
    assert told["results"] == TOLD["results"]
    assert told["meta"]["billed_units"]["search_units"] == 1


def test_voyage_s_example() -> None:
    body = b'{"query":"Sample query","documents":["Sample document 1","Sample document 2"],"model":"rerank-2.5"}'
    found = JINA.read_request(body, CALL)
    assert (found.in_data, found.returns) == (True, False)
    told = {
        "object": "list",
        "data": [{"relevance_score": 0.4375, "index": 0}, {"relevance_score": 0.421875, "index": 1}],
        "model": "rerank-2.5",
        "usage": {"total_tokens": 26},
    }
    ranking = JINA.read_reply(json.dumps(told).encode(), [], found)
    assert (ranking.ranks, ranking.usage) == ((Rank(0, 0.4375), Rank(1, 0.421875)), Usage(26))
    assert json.loads(JINA.write_reply(ranking, found, ECHO)) == told


def test_jina_s_example() -> None:
    body = {"model": "jina-reranker-v2-base-multilingual", "query": "Organic skincare products for sensitive skin",
            "top_n": 1, "documents": ["Organic skincare with aloe vera", "New makeup trends"]}  # fmt: skip
    found = JINA.read_request(json.dumps(body).encode(), CALL)
    assert (found.returns, found.in_data) == (True, False)
    told = {
        "model": "jina-reranker-v2-base-multilingual",
        "usage": {"total_tokens": 815, "prompt_tokens": 815},
        "results": [
            {"index": 0, "document": {"text": "Organic skincare with aloe vera"}, "relevance_score": 0.8783142566680908}
        ],
    }
    ranking = JINA.read_reply(json.dumps(told).encode(), [], found)
    assert json.loads(JINA.write_reply(ranking, found, ECHO)) == {"object": "list", **told}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"documents": []}, "documents"),
        ({"documents": [{"text": 1}]}, "documents[0].text"),
        ({"documents": [1]}, "documents[0]"),
        ({"query": None}, "query"),
        ({"top_n": 0}, "top_n"),
    ],
)
def test_a_mistake_names_its_member(members: dict[str, object], param: str) -> None:
    body = json.dumps({**ASKED, **members}).encode()
    for codec in (COHERE, JINA):
        with pytest.raises(GatewayError) as caught:
            codec.read_request(body, CALL)
        assert caught.value.param == param


def test_two_words_for_one_number_are_a_mistake() -> None:
    with pytest.raises(GatewayError) as caught:
        JINA.read_request(json.dumps({**ASKED, "top_k": 1}).encode(), CALL)
    assert caught.value.param == "top_k"


def test_more_than_was_asked_for_is_left_out() -> None:
    found = JINA.read_request(json.dumps({**ASKED, "top_n": 1}).encode(), CALL)
    assert JINA.read_reply(json.dumps(TOLD).encode(), [], found).ranks == (Rank(2, 0.999071),)


@pytest.mark.parametrize("results", [[], [{"index": 3, "relevance_score": 1}], [{"index": 0, "relevance_score": "x"}]])
def test_a_ranking_of_something_else(results: list[dict[str, object]]) -> None:
    for codec in (COHERE, JINA):
        with pytest.raises(UpstreamFault):
            codec.read_reply(json.dumps({"results": results}).encode(), [], asked())
