"""Examples of developers.openai.com (embeddings), docs.voyageai.com (text embeddings), jina.ai (embeddings) and
docs.mistral.ai (embeddings), read 2026-11."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.canonical import Echo, TargetFacts
from gateway.dialects.embedding import Embeddings, EmbedRequest, Picture, Tokens
from gateway.dialects.embeddings.openai import CODEC

CALL = Call("openai", "embeddings", "/embeddings")
ECHO = Echo(id="r-1", model="m-1", created=1)
ONE = EmbedRequest(model="e-1", inputs=("a",))


def read(**members: Any) -> EmbedRequest:
    return CODEC.read_request(json.dumps({"model": "e-1", "input": "a", **members}).encode(), CALL)


def written(request: EmbedRequest, model: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    encoded = CODEC.write_request(request, TargetFacts(model=model))
    return json.loads(encoded.body), [(loss.field, loss.effect) for loss in encoded.losses]


def test_openai_s_example() -> None:
    found = CODEC.read_request(
        b'{"input":"The food was delicious and the waiter...","model":"text-embedding-ada-002",'
        b'"encoding_format":"float"}',
        CALL,
    )
    assert (found.model, found.inputs) == ("text-embedding-ada-002", ("The food was delicious and the waiter...",))
    assert (found.base64, found.plain, found.refuses_long, found.unread) == (False, True, True, ())


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], (Tokens((1, 2)),)),
        ([[1], [2, 3]], (Tokens((1,)), Tokens((2, 3)))),
        ([{"text": "a"}, {"image": "https://pictures.test/1.png"}], ("a", Picture("https://pictures.test/1.png"))),
    ],
)
def test_every_form_of_input(given: object, inputs: tuple[object, ...]) -> None:
    assert read(input=given).inputs == inputs


@pytest.mark.parametrize(
    ("members", "task"),
    [
        ({"input_type": "document"}, "document"),
        ({"input_type": "query"}, "query"),
        ({"task": "text-matching"}, "similarity"),
        ({"task": "retrieval.passage"}, "document"),
        ({}, None),
    ],
)
def test_each_vendor_s_word_for_a_task(members: dict[str, str], task: str | None) -> None:
    assert read(**members).task == task


def test_a_task_that_nobody_knows_is_lost() -> None:
    found = read(task="haiku")
    assert (found.task, [loss.field for loss in found.lost]) == (None, ["task"])


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"output_dtype": "int4"}, "output_dtype"),
        ({"embedding_type": ["float", "binary"]}, "embedding_type"),
    ],
)
def test_a_mistake_names_its_member(members: dict[str, object], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**members)
    assert caught.value.param == param


def test_a_request_in_the_words_of_each_family() -> None:
    request = EmbedRequest(
        model="e-1", inputs=("a", "b"), dimensions=512, task="query", truncate="end", base64=True, plain=False, user="u"
    )
    assert written(request, "text-embedding-3-large") == (
        {
            "model": "text-embedding-3-large",
            "input": ["a", "b"],
            "dimensions": 512,
            "user": "u",
            "encoding_format": "base64",
        },
        [("input_type", "hint"), ("truncation", "hint")],
    )
    assert written(request, "voyage-3.5") == (
        {
            "model": "voyage-3.5",
            "input": ["a", "b"],
            "input_type": "query",
            "output_dimension": 512,
            "truncation": True,
            "encoding_format": "base64",
        },
        [("user", "hint")],
    )
    assert written(request, "jina-embeddings-v4") == (
        {
            "model": "jina-embeddings-v4",
            "input": ["a", "b"],
            "task": "retrieval.query",
            "dimensions": 512,
            "truncate": True,
            "embedding_type": "base64",
        },
        [("user", "hint")],
    )
    assert written(request, "codestral-embed") == (
        {"model": "codestral-embed", "input": ["a", "b"], "output_dimension": 512},
        [("input_type", "hint"), ("truncation", "hint"), ("user", "hint")],
    )


@pytest.mark.parametrize(
    ("model", "dimensions", "lost"),
    [
        ("text-embedding-ada-002", 1536, False),
        ("text-embedding-ada-002", 256, True),
        ("mistral-embed", 1024, False),
        ("mistral-embed", 256, True),
        ("text-embedding-3-small", 256, False),
    ],
)
def test_a_length_that_a_model_does_not_have(model: str, dimensions: int, lost: bool) -> None:
    _, losses = written(EmbedRequest(model="e-1", inputs=("a",), dimensions=dimensions), model)
    assert losses == ([("dimensions", "meaning")] if lost else [])


@pytest.mark.parametrize(
    ("model", "one", "lost"),
    [
        ("text-embedding-3-small", Tokens((1,)), False),
        ("voyage-3.5", Tokens((1,)), True),
        ("jina-embeddings-v4", Tokens((1,)), True),
        ("mistral-embed", Tokens((1,)), True),
        ("text-embedding-3-small", Picture("data:image/png;base64,aGk="), True),
        ("jina-embeddings-v4", Picture("data:image/png;base64,aGk="), False),
    ],
)
def test_an_input_that_a_model_does_not_take(model: str, one: Tokens | Picture, lost: bool) -> None:
    _, losses = written(EmbedRequest(model="e-1", inputs=("a", one)), model)
    assert losses == ([("input[1]", "meaning")] if lost else [])


def test_images_are_told_from_texts() -> None:
    body, _ = written(
        EmbedRequest(model="e-1", inputs=("a", Picture("data:image/png;base64,aGk="))), "jina-embeddings-v4"
    )
    assert body["input"] == [{"text": "a"}, {"image": "aGk="}]


def test_openai_s_example_of_a_reply() -> None:
    told = (
        b'{"object":"list","data":[{"object":"embedding","embedding":[0.0023064255,-0.009327292,-0.0028842222],'
        b'"index":0}],"model":"text-embedding-ada-002","usage":{"prompt_tokens":8,"total_tokens":8}}'
    )
    found = CODEC.read_reply(told, [], ONE)
    assert found.floats == ([0.0023064255, -0.009327292, -0.0028842222],)
    assert (found.model, found.usage) == ("text-embedding-ada-002", Usage(8))
    assert json.loads(CODEC.write_reply(found, ONE, ECHO)) == json.loads(told)


def test_voyage_s_reply_counts_the_sum_alone() -> None:
    told = (
        b'{"object":"list","data":[{"object":"embedding","embedding":[-3,5],"index":0}],"model":"voyage-3.5",'
        b'"usage":{"total_tokens":10}}'
    )
    request = EmbedRequest(model="e-1", inputs=("a",), forms=("int8",))
    found = CODEC.read_reply(told, [], request)
    assert (found.integers, found.usage) == ({"int8": ([-3, 5],)}, Usage(10))
    assert json.loads(CODEC.write_reply(found, request, ECHO))["data"][0]["embedding"] == [-3, 5]


@pytest.mark.parametrize(
    "item",
    [
        {"embedding": "not base64!"},
        {"embedding": "AAA="},
        {"embedding": []},
        {"embedding": None},
        {"embedding": [1.0], "index": 1},
        {"embedding": [1.0], "index": -1},
        {},
    ],
)
def test_a_vector_that_cannot_be_read(item: dict[str, object]) -> None:
    with pytest.raises(UpstreamFault, match="not one of embeddings"):
        CODEC.read_reply(json.dumps({"data": [item]}).encode(), [], ONE)


def test_numbers_that_are_none_are_not_written() -> None:
    request = EmbedRequest(model="e-1", inputs=("a",))
    with pytest.raises(UpstreamFault):
        CODEC.write_reply(Embeddings(floats=(b"\x00\x00\xc0\x7f",)), request, ECHO)


def test_a_number_beyond_float32_is_not_packed() -> None:
    request = EmbedRequest(model="e-1", inputs=("a",), base64=True, plain=False)
    with pytest.raises(UpstreamFault):
        CODEC.write_reply(Embeddings(floats=([1e300],)), request, ECHO)
