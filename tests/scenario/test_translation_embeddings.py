"""Embeddings before providers of another dialect: the same vectors, in the client's form."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec
import pytest

from gateway.upstream.transport import UpstreamRequest
from tests.support.house import Serve, Served
from tests.support.scripted import Script, ok, status

PROVIDERS = """
providers:
  o: {dialect: openai, base-url: 'http://o.test/v1', models: ['*']}
  g: {dialect: gemini, base-url: 'http://g.test/v1beta', models: ['*']}
  c: {dialect: cohere, base-url: 'http://c.test/v2', models: ['*']}
  b: {dialect: bedrock, base-url: 'http://b.test', models: ['*'], keys: ['${env:ALPHA_1}']}
"""
ROUTERS = """
routers:
  o: {load-balance: {embeddings: {providers: [o]}}}
  g: {load-balance: {embeddings: {providers: [g]}}}
  c: {load-balance: {embeddings: {providers: [c]}}}
  titan: {load-balance: {embeddings: {providers: [{provider: b, model: 'amazon.titan-embed-text-v2:0'}]}}}
  voyage: {load-balance: {embeddings: {providers: [{provider: o, model: voyage-3.5}]}}}
  both:
    load-balance:
      embeddings: {strategy: priority, providers: [{provider: b, model: 'amazon.titan-embed-text-v2:0'}, g]}
  chain: {load-balance: {embeddings: {strategy: priority, providers: [c, g]}}}
  strict: {on-loss: reject, load-balance: {embeddings: {providers: [g]}}}
  kept: {load-balance: {embeddings: {providers: [g]}}, cache: {directive: max-age=60}}
"""
HOUSE = PROVIDERS + ROUTERS
GEMINI = {"embeddings": [{"values": [0.5, -0.25]}, {"values": [1.0, 0.125]}], "usageMetadata": {"promptTokenCount": 7}}
COHERE = {
    "id": "emb-1",
    "embeddings": {"float": [[0.5, -0.25], [1.0, 0.125]]},
    "texts": ["a", "b"],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7}},
    "response_type": "embeddings_by_type",
}
OPENAI = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 1, "embedding": [1.0, 0.125]},
        {"object": "embedding", "index": 0, "embedding": [0.5, -0.25]},
    ],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
VECTORS = [[0.5, -0.25], [1.0, 0.125]]


async def embed(served: Served, router: str, given: object = ("a", "b"), **more: object) -> Any:
    return await served.client.post(f"/router/{router}/v1/embeddings", {"model": "e-1", "input": given, **more})


@pytest.mark.parametrize(
    ("router", "host", "told", "path", "sent"),
    [
        (
            "g",
            "g.test",
            GEMINI,
            "/v1beta/models/e-1:batchEmbedContents",
            {
                "requests": [
                    {"model": "models/e-1", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
                    for text in ("a", "b")
                ]
            },
        ),
        (
            "c",
            "c.test",
            COHERE,
            "/v2/embed",
            {
                "model": "e-1",
                "texts": ["a", "b"],
                "input_type": "search_document",
                "embedding_types": ["float"],
                "output_dimension": 2,
                "truncate": "NONE",
            },
        ),
    ],
)
async def test_an_openai_client(
    serve: Serve, router: str, host: str, told: object, path: str, sent: dict[str, Any]
) -> None:
    served = serve(HOUSE)
    served.upstream.on(host, ok(told))
    reply = await embed(served, router, dimensions=2)
    assert reply.status == 200, reply.text
    assert reply.json() == {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(VECTORS)],
        "model": "e-1",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    assert served.upstream.last.path == path
    assert served.upstream.last.json() == sent
    assert "x-gateway-dropped" not in reply.headers
    assert reply.headers["x-gateway-model"] == "e-1"
    assert await served.metric("gateway_tokens_total", kind="input") == 7


async def test_an_openai_client_before_titan(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("b.test", ok({"embedding": [0.5, -0.25], "inputTextTokenCount": 3}))
    reply = await embed(served, "titan", "a", dimensions=256)
    assert reply.status == 200, reply.text
    assert [item["embedding"] for item in reply.json()["data"]] == [[0.5, -0.25]]
    assert reply.json()["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert served.upstream.last.path == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert served.upstream.last.json() == {"inputText": "a", "dimensions": 256}


async def test_titan_takes_one_text_and_is_asked_once_for_each(serve: Serve) -> None:
    served = serve(HOUSE)
    vectors = {text: [number / 4, -0.5] for number, text in enumerate("abcdefghijkl")}

    def reply_to(request: UpstreamRequest, number: int) -> Script:
        text = msgspec.json.decode(request.body)["inputText"]
        # Those that were asked later answer sooner.
        return ok({"embedding": vectors[text], "inputTextTokenCount": 2}, delay=1.0 - number / 20)

    served.upstream.on("b.test", reply_to)
    reply = await embed(served, "titan", list(vectors), dimensions=256)
    assert reply.status == 200, reply.text
    assert [item["embedding"] for item in reply.json()["data"]] == list(vectors.values())
    assert reply.json()["usage"] == {"prompt_tokens": 24, "total_tokens": 24}
    assert [sent.json() for sent in served.upstream.sent[:1]] == [{"inputText": "a", "dimensions": 256}]
    assert sorted(sent.json()["inputText"] for sent in served.upstream.sent) == list(vectors)


async def test_one_of_many_that_titan_refuses_fails_the_attempt(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("b.test", ok({"embedding": [0.5], "inputTextTokenCount": 2}), status(503))
    served.upstream.on("g.test", ok(GEMINI))
    reply = await embed(served, "both")
    assert [item["embedding"] for item in reply.json()["data"]] == VECTORS
    assert served.upstream.hosts() == ["b.test", "b.test", "g.test"]


async def test_more_than_titan_can_be_asked_one_by_one_is_for_others(serve: Serve) -> None:
    served = serve(HOUSE)
    alone = await embed(served, "titan", ["a"] * 257)
    assert (alone.status, alone.headers["x-gateway-error"]) == (400, "unsupported_feature")
    assert "input" in alone.json()["error"]["message"]
    assert served.upstream.sent == []


async def test_base64_is_the_same_floats(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("g.test", ok(GEMINI))
    reply = await embed(served, "g", encoding_format="base64")
    packed = [base64.b64decode(item["embedding"]) for item in reply.json()["data"]]
    assert packed == [struct.pack("<2f", *vector) for vector in VECTORS]
    assert "encoding_format" not in reply.headers.get("x-gateway-dropped", "")


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
async def test_tokens_mean_nothing_to_another_provider(serve: Serve, given: object) -> None:
    served = serve(HOUSE)
    for router in ("g", "c", "titan"):
        reply = await embed(served, router, given)
        assert (reply.status, reply.headers["x-gateway-error"]) == (400, "unsupported_feature"), router
    assert served.upstream.sent == []


async def test_what_is_lost_is_shown(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("g.test", ok(GEMINI))
    reply = await embed(served, "g", user="u-1", input_type="query", novel=1)
    assert reply.headers["x-gateway-dropped"] == "novel, user"
    assert served.upstream.last.json()["requests"][0]["taskType"] == "RETRIEVAL_QUERY"
    assert await served.metric("gateway_dropped_total", field="user") == 1
    strict = await embed(served, "strict", user="u-1")
    assert (strict.status, strict.headers["x-gateway-error"]) == (400, "unsupported_feature")


async def test_a_gemini_client_before_openai(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("o.test", ok(OPENAI))
    asked = {
        "requests": [
            {"model": "models/e-1", "content": {"parts": [{"text": text}]}, "taskType": "CLUSTERING",
             "outputDimensionality": 2}
            for text in ("a", "b")
        ]
    }  # fmt: skip
    reply = await served.client.post("/router/o/v1beta/models/e-1:batchEmbedContents", asked)
    assert reply.status == 200, reply.text
    assert reply.json() == {
        "embeddings": [{"values": vector} for vector in VECTORS],
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
    }
    assert served.upstream.last.path == "/v1/embeddings"
    assert served.upstream.last.json() == {"model": "e-1", "input": ["a", "b"], "dimensions": 2}
    assert reply.headers["x-gateway-dropped"] == "taskType"


async def test_a_gemini_client_with_one_content(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("c.test", ok({"embeddings": {"float": [[0.5]]}}))
    asked = {"content": {"parts": [{"text": "a"}]}, "task_type": "RETRIEVAL_QUERY", "title": "T"}
    reply = await served.client.post("/router/c/v1beta/models/e-1:embedContent", asked)
    assert reply.json() == {"embedding": {"values": [0.5]}}
    assert served.upstream.last.json()["input_type"] == "search_query"
    assert reply.headers["x-gateway-dropped"] == "title"


async def test_a_cohere_client_before_openai(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("o.test", ok(OPENAI))
    asked = {
        "model": "e-1", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float", "base64"],
    }  # fmt: skip
    reply = await served.client.post("/router/o/v2/embed", asked)
    assert reply.status == 200, reply.text
    told = reply.json()
    assert told["embeddings"]["float"] == VECTORS
    assert base64.b64decode(told["embeddings"]["base64"][1]) == struct.pack("<2f", *VECTORS[1])
    assert told["response_type"] == "embeddings_by_type"
    assert told["meta"]["billed_units"] == {"input_tokens": 7}
    assert reply.headers["x-gateway-dropped"] == "input_type"
    refused = await served.client.post("/router/o/v2/embed", {**asked, "embedding_types": ["int8"]})
    assert refused.headers["x-gateway-error"] == "unsupported_feature"


async def test_a_model_with_words_of_its_own_is_asked_in_them(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("o.test", ok(OPENAI))
    reply = await embed(served, "voyage", dimensions=256, encoding_format="base64", input_type="query")
    assert served.upstream.last.json() == {
        "model": "voyage-3.5", "input": ["a", "b"], "input_type": "query", "output_dimension": 256,
        "truncation": False, "encoding_format": "base64",
    }  # fmt: skip
    assert base64.b64decode(reply.json()["data"][0]["embedding"]) == struct.pack("<2f", *VECTORS[0])
    # Asked for by its own name, its words are the client's own.
    body = {"model": "voyage-3.5", "input": ["a"], "input_type": "query", "output_dtype": "int8"}
    await served.client.post("/router/voyage/v1/embeddings", body)
    assert served.upstream.last.json() == body


async def test_another_provider_is_asked_from_the_original(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("c.test", status(503))
    served.upstream.on("g.test", ok(GEMINI))
    reply = await embed(served, "chain")
    assert [item["embedding"] for item in reply.json()["data"]] == VECTORS
    assert served.upstream.hosts() == ["c.test", "g.test"]
    assert reply.headers["x-gateway-attempts"] == "2"


@pytest.mark.parametrize(
    "told",
    [
        {"embeddings": [{"values": [0.5]}]},
        {"embeddings": [{"values": [0.5]}, {"values": [0.5, 1.0]}]},
        {"embeddings": [{"values": []}, {"values": []}]},
        {"embeddings": [{"values": ["x"]}, {"values": [1.0]}]},
        {"embeddings": None},
        {},
        [],
    ],
)
async def test_vectors_that_cannot_be_those_are_a_failure_of_the_provider(serve: Serve, told: object) -> None:
    served = serve(HOUSE)
    served.upstream.on("g.test", ok(told))
    reply = await embed(served, "g")
    assert (reply.status, reply.headers["x-gateway-error"]) == (502, "upstream_failed")


async def test_a_client_s_mistake_is_told(serve: Serve) -> None:
    served = serve(HOUSE)
    for body, param in (
        ({"model": "e-1", "input": []}, "input"),
        ({"model": "e-1", "input": {"a": 1}}, "input"),
        ({"model": "e-1", "input": ["a", 1]}, "input"),
        ({"model": "e-1", "input": "a", "dimensions": 0}, "dimensions"),
    ):
        reply = await served.client.post("/router/g/v1/embeddings", body)
        assert (reply.status, reply.json()["error"]["param"]) == (400, param)
    assert served.upstream.sent == []


async def test_a_stream_that_was_asked_for_comes_whole(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("g.test", ok(GEMINI))
    reply = await embed(served, "g", stream=True)
    assert reply.headers["content-type"] == "application/json"
    assert [item["embedding"] for item in reply.json()["data"]] == VECTORS


def length_of(request: UpstreamRequest, number: int) -> Script:
    """Gemini: a vector for each text, that is made of its length; a token for each letter."""
    texts = [one["content"]["parts"][0]["text"] for one in msgspec.json.decode(request.body)["requests"]]
    usage = {"promptTokenCount": sum(map(len, texts))}
    return ok({"embeddings": [{"values": [float(len(text)), 1.0]} for text in texts], "usageMetadata": usage})


async def test_translated_embeddings_are_kept_input_by_input(serve: Serve) -> None:
    served = serve(HOUSE)
    served.upstream.on("g.test", length_of)
    await embed(served, "kept", ["a", "bb"])
    reply = await embed(served, "kept", ["ccc", "bb", "a"])
    assert [item["embedding"][0] for item in reply.json()["data"]] == [3.0, 2.0, 1.0]
    assert reply.json()["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    assert [one["content"]["parts"][0]["text"] for one in served.upstream.last.json()["requests"]] == ["ccc"]
    again = await embed(served, "kept", "bb")
    assert again.headers["x-gateway-cache"] == "hit"
    assert len(served.upstream.sent) == 2


VERTEX = """
providers:
  vertex: {project: p-1, region: europe-west1, keys: ['${env:ALPHA_1}']}
routers:
  v: {load-balance: {embeddings: {providers: [vertex]}}}
"""


async def test_vertex_s_older_models_are_asked_to_predict(serve: Serve) -> None:
    served = serve(VERTEX)
    host = "europe-west1-aiplatform.googleapis.com"
    told = [
        {"embeddings": {"values": vector, "statistics": {"token_count": 3, "truncated": False}}} for vector in VECTORS
    ]
    served.upstream.on(host, ok({"predictions": told}))
    body = {"model": "gemini-embedding-001", "input": ["a", "b"], "dimensions": 2, "input_type": "query"}
    reply = await served.client.post("/router/v/v1/embeddings", body)
    assert reply.status == 200, reply.text
    assert [item["embedding"] for item in reply.json()["data"]] == VECTORS
    assert reply.json()["usage"]["prompt_tokens"] == 6
    path = "/v1/projects/p-1/locations/europe-west1/publishers/google/models"
    assert served.upstream.last.path == f"{path}/gemini-embedding-001:predict"
    assert served.upstream.last.json() == {
        "instances": [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in ("a", "b")],
        "parameters": {"autoTruncate": False, "outputDimensionality": 2},
    }
    served.upstream.on(host, ok(GEMINI))
    reply = await served.client.post("/router/v/v1/embeddings", {**body, "model": "gemini-embedding-2"})
    assert [item["embedding"] for item in reply.json()["data"]] == VECTORS
    assert served.upstream.last.path == f"{path}/gemini-embedding-2:batchEmbedContents"
