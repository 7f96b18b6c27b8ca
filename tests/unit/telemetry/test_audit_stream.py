"""What streams spell out, in each dialect that clients speak."""

from __future__ import annotations

import json

import pytest

from gateway.telemetry.audit_stream import spelt_out


def sse(*events: object) -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def chat(*pieces: tuple[int, str]) -> str:
    return sse(*({"choices": [{"index": index, "delta": {"content": text}}]} for index, text in pieces))


MESSAGES = [
    {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}}
    for index, kind, name, text in (
        (0, "text_delta", "text", "a"),
        (1, "input_json_delta", "partial_json", '{"x":'),
        (0, "text_delta", "text", "b"),
        (1, "input_json_delta", "partial_json", "1}"),
    )
]


@pytest.mark.parametrize(
    ("stream", "texts"),
    [
        (chat((0, "a"), (0, "b")), ["ab"]),
        (chat((0, "a"), (1, "x"), (0, "b"), (1, "y")), ["ab", "xy"]),
        (sse(*MESSAGES), ["ab", '{"x":1}']),
        (sse(*({"type": "response.output_text.delta", "output_index": 0, "delta": text} for text in "ab")), ["ab"]),
        (json.dumps([{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in "ab"]), ["ab"]),
        ('event: x\n: note\ndata: {"content": "a"}\n\ndata: {"content": "b"}\n\ndata: {"conte', ["ab"]),
        ("data: {\n\n", []),
        ("Hello", []),
        ("", []),
        ("[" * 100_000, []),
        (sse({"content": {"content": {"text": "a"}}}), ["a"]),
    ],
)
def test_pieces_make_texts(stream: str, texts: list[str]) -> None:
    assert spelt_out(stream) == texts
