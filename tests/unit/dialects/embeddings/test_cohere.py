"""Examples of docs.cohere.com/reference/embed, read 2026-11."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.canonical import Echo, TargetFacts
from gateway.dialects.embedding import EmbedRequest, Mixed, Picture, Tokens
from gateway.dialects.embeddings.cohere import AT_BEDROCK, CODEC

CALL = Call("cohere", "embeddings", "/embed", model="embed-v4.0")
ECHO = Echo(id="r-1", model="m-1", created=1)
URL = "data:image/png;base64,aGk="


def read(**members: Any) -> EmbedRequest:
    return CODEC.read_request(json.dumps({"model": "embed-v4.0", **members}).encode(), CALL)


def written(request: EmbedRequest, model: str = "embed-v4.0") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    encoded = CODEC.write_request(request, TargetFacts(model=model))
    return json.loads(encoded.body), [(loss.field, loss.effect) for loss in encoded.losses]


def test_the_example_of_texts() -> None:
    body = {
        "model": "embed-v4.0",
        "texts": ["hello", "goodbye"],
        "input_type": "classification",
        "embedding_types": ["float"],
    }
    found = CODEC.read_request(json.dumps(body).encode(), CALL)
    assert (found.inputs, found.task, found.forms) == (("hello", "goodbye"), "classification", ("float",))
    assert written(found) == (body, [])


def test_the_example_of_an_image() -> None:
    found = read(input_type="image", embedding_types=["float"], images=[URL])
    assert (found.inputs, found.task, found.lost) == ((Picture(URL),), None, ())
    assert written(found)[0]["images"] == [URL]
    assert written(found, "embed-english-v3.0")[0]["input_type"] == "image"


def test_the_example_of_mixed_inputs() -> None:
    content = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": URL}}]
    found = read(inputs=[{"content": content}], input_type="search_document")
    assert found.inputs == (Mixed(("hello", Picture(URL))),)
    assert written(found)[0]["inputs"] == [{"content": content}]


def test_a_type_is_demanded_and_given() -> None:
    assert written(EmbedRequest(model="e-1", inputs=("a",)))[0]["input_type"] == "search_document"
    body, losses = written(EmbedRequest(model="e-1", inputs=("a",), task="question"))
    assert (body["input_type"], losses) == ("search_query", [("input_type", "changed")])


@pytest.mark.parametrize(
    ("request_", "cut"),
    [
        (EmbedRequest(model="e-1", inputs=("a",)), None),
        (EmbedRequest(model="e-1", inputs=("a",), refuses_long=True), "NONE"),
        (EmbedRequest(model="e-1", inputs=("a",), refuses_long=True, truncate="start"), "START"),
    ],
)
def test_nothing_is_cut_off_for_a_client_who_would_be_told(request_: EmbedRequest, cut: str | None) -> None:
    assert written(request_)[0].get("truncate") == cut


@pytest.mark.parametrize(
    ("model", "dimensions", "lost"),
    [("embed-english-v3.0", 256, True), ("embed-english-v3.0", 1024, False), ("embed-v4.0", 256, False)],
)
def test_a_length_that_a_model_does_not_have(model: str, dimensions: int, lost: bool) -> None:
    body, losses = written(EmbedRequest(model="e-1", inputs=("a",), dimensions=dimensions), model)
    assert losses == ([("dimensions", "meaning")] if lost else [])
    assert ("output_dimension" in body) == (model == "embed-v4.0")


def test_tokens_are_not_taken() -> None:
    _, losses = written(EmbedRequest(model="e-1", inputs=(Tokens((1,)),)))
    assert losses == [("input[0]", "meaning")]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({}, "texts"),
        ({"texts": ["a"], "embedding_types": ["int4"]}, "embedding_types"),
        ({"texts": ["a"], "output_dimension": -1}, "output_dimension"),
        ({"texts": ["a"], "truncate": "MIDDLE"}, "truncate"),
        ({"inputs": [{"content": []}]}, "inputs[0].content"),
    ],
)
def test_a_mistake_names_its_member(members: dict[str, object], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**members)
    assert caught.value.param == param


def test_the_example_of_a_reply() -> None:
    told = {
        "id": "da6e531f-54c5-4a73-bf92-f60566d8d753",
        "embeddings": {"float": [[0.016296387, -0.008354187], [0.04663086, -0.023239136]], "int8": [[1, -2], [3, -4]]},
        "texts": ["hello", "goodbye"],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}},
        "response_type": "embeddings_by_type",
    }
    request = EmbedRequest(model="e-1", inputs=("hello", "goodbye"), forms=("float", "int8"))
    found = CODEC.read_reply(json.dumps(told).encode(), [], request)
    assert found.floats == ([0.016296387, -0.008354187], [0.04663086, -0.023239136])
    assert (found.integers, found.usage) == ({"int8": ([1, -2], [3, -4])}, Usage(2))
    assert json.loads(CODEC.write_reply(found, request, ECHO)) == told


def test_images_are_billed_too() -> None:
    told = {"embeddings": {"float": [[1.0]]}, "meta": {"billed_units": {"input_tokens": 2, "image_tokens": 5}}}
    found = CODEC.read_reply(json.dumps(told).encode(), [], EmbedRequest(model="e-1", inputs=("a",)))
    assert found.usage == Usage(7)


def test_at_bedrock_the_list_may_be_bare_and_the_model_is_not_named() -> None:
    request = EmbedRequest(model="e-1", inputs=("a",))
    assert AT_BEDROCK.read_reply(b'{"embeddings":[[0.5]]}', [], request).floats == ([0.5],)
    encoded = AT_BEDROCK.write_request(request, TargetFacts(model="cohere.embed-english-v3"))
    assert "model" not in json.loads(encoded.body)


@pytest.mark.parametrize("vectors", [[[300]], [[-1, 2]], [[]], []])
def test_numbers_that_are_not_of_their_form(vectors: list[list[int]]) -> None:
    request = EmbedRequest(model="e-1", inputs=("a",), forms=("uint8",))
    with pytest.raises(UpstreamFault):
        CODEC.read_reply(json.dumps({"embeddings": {"uint8": vectors}}).encode(), [], request)
