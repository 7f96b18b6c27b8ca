"""Examples of docs.aws.amazon.com/bedrock (Titan Text Embeddings, Titan Multimodal Embeddings G1, Cohere Embed), read
2026-11."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.canonical import TargetFacts
from gateway.dialects.embedding import EmbedRequest, Mixed, Picture
from gateway.dialects.embeddings.bedrock import CODEC, MOST, TITAN

ONE = EmbedRequest(model="e-1", inputs=("a",))
V2 = "amazon.titan-embed-text-v2:0"
IMAGE = "amazon.titan-embed-image-v1"
URL = "data:image/png;base64,aGk="


def written(request: EmbedRequest, model: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    encoded = CODEC.write_request(request, TargetFacts(model=model))
    return json.loads(encoded.body), [(loss.field, loss.effect) for loss in encoded.losses]


@pytest.mark.parametrize(
    ("model", "dimensions", "body", "lost"),
    [
        (V2, None, {"inputText": "a"}, False),
        (V2, 512, {"inputText": "a", "dimensions": 512}, False),
        (V2, 100, {"inputText": "a", "dimensions": 100}, True),
        ("us.amazon.titan-embed-text-v2:0", 256, {"inputText": "a", "dimensions": 256}, False),
        ("amazon.titan-embed-text-v1", 1536, {"inputText": "a"}, False),
        ("amazon.titan-embed-text-v1", 256, {"inputText": "a"}, True),
        (IMAGE, 384, {"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 384}}, False),
        (
            "cohere.embed-multilingual-v3",
            None,
            {"texts": ["a"], "input_type": "search_document", "embedding_types": ["float"]},
            False,
        ),
    ],
)
def test_a_text(model: str, dimensions: int | None, body: dict[str, object], lost: bool) -> None:
    request = EmbedRequest(model="e-1", inputs=("a",), dimensions=dimensions)
    assert written(request, model) == (body, [("dimensions", "meaning")] if lost else [])


def test_several_texts_are_several_calls() -> None:
    encoded = TITAN.write_request(EmbedRequest(model="e-1", inputs=("a", "b", "c")), TargetFacts(model=V2))
    assert [json.loads(body) for body in (encoded.body, *encoded.further)] == [{"inputText": text} for text in "abc"]
    assert encoded.losses == ()
    _, losses = written(EmbedRequest(model="e-1", inputs=("a",) * (MOST + 1)), V2)
    assert losses == [("input", "meaning")]


def test_several_replies_are_one() -> None:
    request = EmbedRequest(model="e-1", inputs=("a", "b"))
    body = b'[{"embedding": [0.5], "inputTextTokenCount": 2}, {"embedding": [1], "inputTextTokenCount": 3}]'
    told = TITAN.read_reply(body, [], request)
    assert (told.floats, told.usage) == (([0.5], [1.0]), Usage(input=5))
    for wrong in (b'[{"embedding": [0.5]}]', b'{"embedding": [0.5]}', b"[1, 2]"):
        with pytest.raises(UpstreamFault):
            TITAN.read_reply(wrong, [], request)


def test_a_text_and_its_image_are_one_input() -> None:
    body, losses = written(EmbedRequest(model="e-1", inputs=(Mixed(("a", Picture(URL))),)), IMAGE)
    assert (body, losses) == ({"inputText": "a", "inputImage": "aGk="}, [])
    _, losses = written(EmbedRequest(model="e-1", inputs=(Picture("https://pictures.test/1.png"),)), IMAGE)
    assert losses == [("input", "meaning")]


def test_another_model_is_not_asked() -> None:
    _, losses = written(ONE, "anthropic.claude-sonnet-4-5-v1:0")
    assert losses == [("model", "meaning")]


def test_replies_of_titan() -> None:
    for told in (
        {"embedding": [0.5, -0.25], "embeddingsByType": {"float": [0.5, -0.25]}, "inputTextTokenCount": 6},
        {"embeddingsByType": {"float": [0.5, -0.25]}, "inputTextTokenCount": 6},
    ):
        found = CODEC.read_reply(json.dumps(told).encode(), [], ONE)
        assert (found.floats, found.usage) == (([0.5, -0.25],), Usage(6))


def test_a_reply_of_cohere_s_is_counted_in_a_header() -> None:
    headers = [(b"x-amzn-bedrock-input-token-count", b"9")]
    found = CODEC.read_reply(b'{"embeddings":[[0.5]],"response_type":"embeddings_floats"}', headers, ONE)
    assert (found.floats, found.usage) == (([0.5],), Usage(9))
