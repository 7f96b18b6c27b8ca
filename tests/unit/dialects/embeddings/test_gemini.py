"""Examples of ai.google.dev/gemini-api/docs/embeddings and of cloud.google.com/vertex-ai (text embeddings), read
2026-11."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.canonical import Echo, TargetFacts
from gateway.dialects.embedding import Embeddings, EmbedRequest, Foreign, Mixed, Picture
from gateway.dialects.embeddings.gemini import BATCH, SINGLE, VERTEX

CALL = Call("gemini", "embeddings", "/models/{model}:embedContent", model="gemini-embedding-001", in_path=True)
ECHO = Echo(id="r-1", model="m-1", created=1)
FACTS = TargetFacts(model="gemini-embedding-001")


def single(content: object, **members: object) -> EmbedRequest:
    return SINGLE.read_request(json.dumps({"content": content, **members}).encode(), CALL)


def parts(*found: dict[str, Any]) -> dict[str, Any]:
    return {"parts": list(found)}


def test_the_example_of_one_content() -> None:
    body = {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "What is the meaning of life?"}]},
        "taskType": "SEMANTIC_SIMILARITY",
        "outputDimensionality": 768,
    }
    found = SINGLE.read_request(json.dumps(body).encode(), CALL)
    assert (found.inputs, found.task, found.dimensions) == (("What is the meaning of life?",), "similarity", 768)
    assert (found.unread, found.lost) == ((), ())
    assert json.loads(SINGLE.write_request(found, FACTS).body) == body


def test_the_example_of_a_batch() -> None:
    body = {
        "requests": [
            {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}}
            for text in ("What is the meaning of life?", "How do I bake a cake?")
        ]
    }
    found = BATCH.read_request(json.dumps(body).encode(), CALL)
    assert found.inputs == ("What is the meaning of life?", "How do I bake a cake?")
    assert json.loads(BATCH.write_request(found, FACTS).body) == body


def test_both_spellings_and_the_newer_place_of_settings() -> None:
    for settings in (
        {"task_type": "RETRIEVAL_DOCUMENT", "title": "T", "output_dimensionality": 8},
        {"embedContentConfig": {"taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 8}},
    ):
        found = single(parts({"text": "a"}), **settings)
        assert (found.task, found.titles, found.dimensions, found.unread) == ("document", ("T",), 8, ())


def test_settings_that_differ_within_a_batch_are_no_request_for_anybody_else() -> None:
    body = {
        "requests": [
            {"content": parts({"text": "a"}), "taskType": "RETRIEVAL_QUERY"},
            {"content": parts({"text": "b"}), "taskType": "RETRIEVAL_DOCUMENT", "outputDimensionality": 8},
        ]
    }
    found = BATCH.read_request(json.dumps(body).encode(), CALL)
    assert [(loss.field, loss.effect) for loss in found.lost] == [
        ("requests[1].taskType", "meaning"),
        ("requests[1].outputDimensionality", "meaning"),
    ]


def test_pieces_make_one_input() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    url = "data:image/png;base64,aGk="
    assert single(parts(picture)).inputs == (Picture(url),)
    assert single(parts({"text": "a"}, picture)).inputs == (Mixed(("a", Picture(url))),)
    assert single(parts({"inlineData": {"mimeType": "audio/mp3", "data": ""}})).inputs == (Foreign("audio/mp3"),)
    request = EmbedRequest(model="e-1", inputs=(Mixed(("a", Picture(url))),))
    assert json.loads(BATCH.write_request(request, FACTS).body)["requests"][0]["content"] == parts(
        {"text": "a"}, picture
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "content"),
        ({"content": {}}, "content.parts"),
        ({"content": {"parts": [{"text": 1}]}}, "content.parts[0].text"),
        ({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0}, "outputDimensionality"),
    ],
)
def test_a_mistake_names_its_member(body: dict[str, object], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        SINGLE.read_request(json.dumps(body).encode(), CALL)
    assert caught.value.param == param


def test_what_it_has_no_word_for_is_lost() -> None:
    request = EmbedRequest(
        model="e-1", inputs=("a",), user="u", truncate="start", task="code-document", forms=("float", "int8")
    )
    losses = [(loss.field, loss.effect) for loss in BATCH.write_request(request, FACTS).losses]
    assert losses == [
        ("encoding_format", "meaning"), ("user", "hint"), ("input_type", "changed"), ("truncation", "hint"),
    ]  # fmt: skip


def test_replies_of_both_methods() -> None:
    one = EmbedRequest(model="e-1", inputs=("a",))
    found = SINGLE.read_reply(b'{"embedding":{"values":[-0.022374554,-0.004560777]}}', [], one)
    assert (found.floats, found.usage) == (([-0.022374554, -0.004560777],), None)
    assert json.loads(SINGLE.write_reply(found, one, ECHO)) == {"embedding": {"values": [-0.022374554, -0.004560777]}}
    told = b'{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":4}}'
    assert BATCH.read_reply(told, [], one).usage == Usage(4)


def test_vertex_s_example() -> None:
    body = {
        "instances": [{"content": "I would like embeddings for this text!", "task_type": "RETRIEVAL_DOCUMENT",
                       "title": "document title"}],
        "parameters": {"autoTruncate": False, "outputDimensionality": 8},
    }  # fmt: skip
    found = VERTEX.read_request(json.dumps(body).encode(), CALL)
    assert (found.task, found.titles, found.dimensions, found.truncate) == ("document", ("document title",), 8, "none")
    assert json.loads(VERTEX.write_request(found, FACTS).body) == body
    told = (
        b'{"predictions":[{"embeddings":{"statistics":{"truncated":false,"token_count":6},"values":[0.25,-0.5]}}],'
        b'"metadata":{"billableCharacterCount":34}}'
    )
    reply = VERTEX.read_reply(told, [], found)
    assert (reply.floats, reply.usage) == (([0.25, -0.5],), Usage(6))
    answer = Embeddings(floats=([0.25],))
    assert json.loads(VERTEX.write_reply(answer, found, ECHO)) == {"predictions": [{"embeddings": {"values": [0.25]}}]}
