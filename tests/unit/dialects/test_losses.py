from __future__ import annotations

from typing import get_type_hints

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from gateway.dialects.canonical import Image, Loss, Message, Request, TargetFacts, Text, Tool, ToolResult
from gateway.dialects.losses import KNOWN, labels, merged, shortfalls, shown

SEEN = Image(url="https://example.test/a.png")


def test_losses_are_shown_by_field_and_changes_with_how() -> None:
    losses = (
        Loss("seed"),
        Loss("temperature", "changed", "temperature 1.6 -> 1.0"),
        Loss("top_k", "changed", "40 -> 20"),
        Loss("stop", "changed"),
        Loss("logit_bias", "hint", "no such thing there"),
    )
    assert shown(losses) == b"seed, temperature(1.6->1.0), top_k(40->20), stop, logit_bias"


def test_a_header_holds_what_a_header_can() -> None:
    value = shown([Loss("b\u00f6se\r\nx-evil: 1"), *(Loss(f"field{n:03}") for n in range(500))])
    assert value.startswith(b"b?se?x-evil: 1, field000, ")
    assert value.endswith(b" more")
    assert len(value) < 1100
    assert b"\r" not in value


def test_labels_are_known_names_only() -> None:
    losses = (Loss("seed"), Loss("messages[2].audio"), Loss("messages[3].image"), Loss("x-made-up"), Loss("another"))
    assert labels(losses) == ("seed", "messages", "other")


def test_a_field_is_named_once_with_what_matters_most() -> None:
    losses = (Loss("tools"), Loss("seed"), Loss("tools", "meaning", "why"), Loss("seed", "hint", "again"))
    assert merged(losses) == (Loss("tools", "meaning", "why"), Loss("seed"))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message("user", (Text(text="Hi"), SEEN)), ["image"]),
        (Message("user", (ToolResult(id="1", content=(SEEN,)),)), ["image"]),
        (Message("user", (Text(text="Hi"),)), []),
    ],
    ids=["in-a-turn", "in-a-tool-s-result", "none"],
)
def test_an_image_is_not_for_a_model_that_sees_none(message: Message, expected: list[str]) -> None:
    found = shortfalls(Request(model="m", messages=(message,)), TargetFacts(model="m", vision=False))
    assert [(loss.field, loss.effect) for loss in found] == [(field, "meaning") for field in expected]


def test_what_is_not_known_of_a_model_is_let_through() -> None:
    request = Request(model="m", messages=(Message("user", (SEEN,)),), tools=(Tool(name="f"),))
    assert shortfalls(request, TargetFacts(model="m")) == ()
    assert [loss.field for loss in shortfalls(request, TargetFacts(model="m", tools=False))] == ["tools"]


def test_the_labels_are_what_the_vendors_requests_have() -> None:
    members = {
        *get_type_hints(CompletionCreateParamsNonStreaming),
        *get_type_hints(ResponseCreateParamsNonStreaming),
        *get_type_hints(MessageCreateParamsNonStreaming),
        "contents", "generationConfig", "safetySettings", "systemInstruction", "toolConfig", "cachedContent",
    }  # fmt: skip
    assert members - KNOWN == set()
