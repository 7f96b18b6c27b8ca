from __future__ import annotations

import json

import pytest

from gateway.dialects.shape import NO_SHAPE, Shape, shape_of

SAID = [{"role": "user", "content": "Hi"}]
PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.test/cat.png"}}


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ({"messages": SAID}, Shape()),
        ({"messages": SAID, "tools": [{"type": "function"}], "n": 3}, Shape(("tools",), 3)),
        ({"messages": SAID, "tools": []}, Shape()),
        ({"messages": SAID, "functions": [{}]}, Shape(("tools",))),
        ({"messages": SAID, "response_format": {"type": "json_schema"}}, Shape(("json",))),
        ({"messages": SAID, "response_format": {"type": "text"}}, Shape()),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, Shape(("images",))),
        ({"input": [{"content": [{"type": "input_image"}]}], "text": {"format": {"type": "json_object"}}},
         Shape(("images", "json"))),
        ({"messages": [{"content": [{"type": "image", "source": {}}, {"type": "document"}]}]},
         Shape(("images", "files"))),
        ({"messages": SAID, "output_format": {"type": "json_schema"}}, Shape(("json",))),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}],
          "generationConfig": {"responseMimeType": "application/json", "candidateCount": 2}},
         Shape(("images", "json"), 2)),
        ({"contents": [], "generation_config": {"candidateCount": 4}}, Shape((), 4)),
        ({"messages": [{"content": [{"type": "input_audio", "input_audio": {}}]}]}, Shape(("audio",))),
    ],
)  # fmt: skip
def test_a_body_shows_what_it_has(body: dict[str, object], shape: Shape) -> None:
    assert shape_of(json.dumps(body).encode()) == shape
    assert shape_of(json.dumps(body, separators=(",", ":")).encode()) == shape


def test_a_word_in_the_users_text_is_not_a_part_of_the_body() -> None:
    text = 'send "image/png" or "image_url" and {"type":"image"} and "input_audio"'
    assert shape_of(json.dumps({"messages": [{"role": "user", "content": text}]}).encode()) == NO_SHAPE


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"tools":7}', b'{"n":"two"}', b"--boundary"])
def test_a_body_of_another_kind_has_no_features(body: bytes) -> None:
    assert shape_of(body) is NO_SHAPE
