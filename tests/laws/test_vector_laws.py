"""Embeddings and rerank: what is written is read back, numbers are the same in both their forms, and nothing foreign
leaves a codec whatever it is given."""

from __future__ import annotations

import base64
import json
import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.canonical import Echo, TargetFacts
from gateway.dialects.embedding import Embeddings, EmbedRequest, Mixed, Picture, Tokens
from gateway.dialects.embeddings.bedrock import CODEC as BEDROCK
from gateway.dialects.embeddings.bedrock import TITAN
from gateway.dialects.embeddings.cohere import CODEC as COHERE
from gateway.dialects.embeddings.gemini import BATCH, SINGLE, VERTEX
from gateway.dialects.embeddings.openai import CODEC as OPENAI
from gateway.dialects.embeddings.vectors import base64_of, numbers_of, unpacked
from gateway.dialects.ranking import Rank, Ranking, RankRequest
from gateway.dialects.rerank.cohere import CODEC as COHERE_RERANK
from gateway.dialects.rerank.jina import CODEC as JINA
from gateway.dialects.whole import WholeCodec

EMBEDDERS: dict[str, WholeCodec[EmbedRequest, Embeddings]] = {
    "openai": OPENAI,
    "gemini-batch": BATCH,
    "gemini-single": SINGLE,
    "vertex": VERTEX,
    "cohere": COHERE,
    "titan": TITAN,
    "bedrock": BEDROCK,
}
RERANKERS: dict[str, WholeCodec[RankRequest, Ranking]] = {"jina": JINA, "cohere": COHERE_RERANK}
MODELS = (
    "text-embedding-3-small", "text-embedding-ada-002", "voyage-3.5", "jina-embeddings-v4", "mistral-embed",
    "embed-v4.0", "embed-english-v3.0", "amazon.titan-embed-text-v2:0", "amazon.titan-embed-image-v1",
    "cohere.embed-v4:0", "rerank-2.5", "e-1",
)  # fmt: skip
CALL = Call("openai", "embeddings", "/embeddings", model="e-1")
ECHO = Echo(id="id-1", model="e-1", created=1)
ONE_OF_EACH = (EmbedRequest(model="e-1", inputs=("a", "b")), EmbedRequest(model="e-1", inputs=("a",)))

singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
lengths = st.integers(1, 8)
texts = st.text(max_size=20)
pieces = texts | st.builds(Picture, st.sampled_from(("data:image/png;base64,aGk=", "https://pictures.test/1.png")))
inputs = (
    texts
    | st.builds(Tokens, st.lists(st.integers(0, 99_999), min_size=1, max_size=4).map(tuple))
    | st.builds(Picture, st.just("data:image/png;base64,aGk="))
    | st.builds(Mixed, st.lists(pieces, min_size=2, max_size=3).map(tuple))
)
tasks = st.sampled_from(
    (None, "query", "document", "similarity", "classification", "clustering", "question", "fact", "code-query",
     "code-document")
)  # fmt: skip
requests = st.builds(
    EmbedRequest,
    model=st.just("e-1"),
    inputs=st.lists(inputs, min_size=1, max_size=4).map(tuple),
    dimensions=st.none() | st.sampled_from((256, 1024, 1536)),
    task=tasks,
    truncate=st.sampled_from((None, "none", "start", "end")),
    refuses_long=st.booleans(),
    forms=st.lists(
        st.sampled_from(("float", "int8", "uint8", "binary", "ubinary")), min_size=1, max_size=3, unique=True
    ).map(tuple),
    base64=st.booleans(),
    plain=st.booleans(),
    user=texts,
)  # fmt: skip
wire = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    "input", "model", "texts", "images", "inputs", "content", "parts", "text", "requests", "instances",
                    "inputText", "embedding_types", "encoding_format", "data", "embedding", "embeddings", "index",
                    "values", "float", "int8", "base64", "usage", "meta", "billed_units", "input_tokens",
                    "predictions", "statistics", "results", "relevance_score", "query", "documents", "top_n", "top_k",
                    "usageMetadata", "promptTokenCount", "inputTextTokenCount", "embeddingsByType", "inlineData",
                    "mimeType", "taskType", "outputDimensionality", "dimensions", "truncate", "task", "parameters",
                )
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=16,
)  # fmt: skip
bodies = st.binary(max_size=60) | wire.map(lambda value: json.dumps(value).encode())


@given(st.lists(singles, min_size=1, max_size=16))
def test_numbers_are_the_same_in_both_forms(numbers: list[float]) -> None:
    packed = base64_of(numbers)
    assert base64.b64decode(packed) == struct.pack(f"<{len(numbers)}f", *numbers)
    assert numbers_of(unpacked(packed)) == numbers
    # Through JSON, and back to the same bytes.
    assert base64_of(json.loads(json.dumps(numbers_of(unpacked(packed))))) == packed


@given(st.binary(min_size=1, max_size=64))
def test_packed_vectors_are_not_touched_or_refused(packed: bytes) -> None:
    text = base64.b64encode(packed).decode()
    try:
        vector = unpacked(text)
    except UpstreamFault:
        assert len(packed) % 4
        return
    assert base64_of(vector) == text
    try:
        assert all(map(math.isfinite, numbers_of(vector)))
    except UpstreamFault:
        assert not all(map(math.isfinite, struct.unpack(f"<{len(packed) // 4}f", packed)))


@pytest.mark.parametrize("name", ["openai", "gemini-batch", "vertex", "cohere"])
@given(st.data(), lengths, st.lists(st.text(max_size=5), min_size=1, max_size=4), st.none() | st.integers(0, 1000))
def test_a_reply_that_is_written_is_read_back(
    name: str, data: st.DataObject, length: int, given_texts: list[str], used: int | None
) -> None:
    codec = EMBEDDERS[name]
    request = EmbedRequest(model="e-1", inputs=tuple(given_texts))
    vector = st.lists(singles, min_size=length, max_size=length)
    floats = tuple(data.draw(vector) for _ in given_texts)
    answer = Embeddings(floats=floats, usage=Usage(used) if used is not None else None)
    read = codec.read_reply(codec.write_reply(answer, request, ECHO), [], request)
    assert read.floats == floats
    if name in ("gemini-batch", "cohere"):
        assert read.usage == answer.usage


@pytest.mark.parametrize("name", ["openai", "gemini-batch", "cohere"])
@given(requests)
def test_a_request_that_is_written_without_loss_is_read_back(name: str, request: EmbedRequest) -> None:
    codec = EMBEDDERS[name]
    encoded = codec.write_request(request, TargetFacts(model="e-1"))
    if any(loss.effect != "hint" for loss in encoded.losses):
        return
    lost = {loss.field for loss in encoded.losses}
    read = codec.read_request(encoded.body, CALL)
    assert read.dimensions == request.dimensions
    assert read.unread == ()
    if "input_type" not in lost:
        assert read.task == request.task or (name == "cohere" and request.task is None)
    if request.truncate is not None and "truncation" not in lost and name == "cohere":
        assert read.truncate == request.truncate
    if name != "cohere":
        assert read.inputs == request.inputs


@given(requests, st.sampled_from(MODELS))
def test_every_request_can_be_written(request: EmbedRequest, model: str) -> None:
    for name, codec in EMBEDDERS.items():
        note(name)
        check_written(codec, request, model)


def check_written(codec: WholeCodec[EmbedRequest, Embeddings], request: EmbedRequest, model: str) -> None:
    encoded = codec.write_request(request, TargetFacts(model=model))
    bodies = [json.loads(body) for body in (encoded.body, *encoded.further)]
    if any(loss.effect == "meaning" for loss in encoded.losses):
        return
    carried = json.dumps(bodies, ensure_ascii=False)
    for one in request.inputs:
        assert not isinstance(one, str) or json.dumps(one, ensure_ascii=False) in carried
    lost = {loss.field for loss in encoded.losses}
    if request.task is not None and "input_type" not in lost:
        assert "task" in carried or "input_type" in carried
    if request.user and "user" not in lost:
        assert '"user"' in carried
    if request.truncate in ("start", "end") and "truncation" not in lost:
        assert "runca" in carried


@given(bodies)
def test_nothing_foreign_leaves_a_codec_of_embeddings(body: bytes) -> None:
    for name, codec in EMBEDDERS.items():
        note(name)
        with suppress(GatewayError):
            codec.read_request(body, CALL)
        for request in ONE_OF_EACH:
            with suppress(UpstreamFault):
                json.loads(codec.write_reply(codec.read_reply(body, [], request), request, ECHO))


@given(bodies)
def test_nothing_foreign_leaves_a_codec_of_rerank(body: bytes) -> None:
    request = RankRequest(model="e-1", query="q", documents=("x", "y"), returns=True)
    for name, codec in RERANKERS.items():
        note(name)
        with suppress(GatewayError):
            codec.read_request(body, CALL)
        with suppress(UpstreamFault):
            json.loads(codec.write_reply(codec.read_reply(body, [], request), request, ECHO))


@pytest.mark.parametrize("name", RERANKERS)
@given(
    st.lists(st.text(max_size=5), min_size=1, max_size=5), st.none() | st.integers(1, 9), st.booleans(), st.booleans(),
    st.permutations(range(5)), st.sampled_from(MODELS),
)  # fmt: skip
def test_a_ranking_that_is_written_is_read_back(
    name: str, documents: list[str], top: int | None, returns: bool, in_data: bool, order: list[int], model: str
) -> None:
    codec = RERANKERS[name]
    request = RankRequest(model="e-1", query="q", documents=tuple(documents), top=top, returns=returns, in_data=in_data)
    indices = [index for index in order if index < len(documents)][:top]
    answer = Ranking(ranks=tuple(Rank(index, 1 / (place + 2)) for place, index in enumerate(indices)), usage=Usage(7))
    read = codec.read_reply(codec.write_reply(answer, request, ECHO), [], request)
    assert (read.ranks, read.usage) == (answer.ranks, answer.usage)
    encoded: Any = codec.write_request(request, TargetFacts(model=model))
    again = codec.read_request(encoded.body, CALL)
    assert (again.query, again.documents, again.top) == (request.query, request.documents, request.top)
