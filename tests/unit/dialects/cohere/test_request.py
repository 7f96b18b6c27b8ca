"""Canonical requests as Cohere's v2 chat is given them."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Audio,
    Document,
    Echo,
    Format,
    HostedTool,
    Image,
    Loss,
    Message,
    Part,
    Reasoning,
    Request,
    Sampling,
    TargetFacts,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.cohere import CODEC

FACTS = TargetFacts(model="command-a-03-2025")
PIXEL = Blob(memoryview(b"aGk="))
SCHEMA = msgspec.Raw(b'{"type":"object"}')


def write(request: Request, facts: TargetFacts = FACTS) -> tuple[dict[str, object], list[tuple[str, str]]]:
    encoded = CODEC.write_request(request, facts)
    return json.loads(encoded.body), [(loss.field, loss.effect) for loss in encoded.losses]


def asking(*parts: Part, **members: object) -> Request:
    message = Message("user", parts or (Text(text="Hi"),))
    return msgspec.structs.replace(Request(model="m", messages=(message,)), **members)


def beside(**members: object) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """What a request has beside its model and its message."""
    body, losses = write(asking(**members))
    del body["model"], body["messages"]
    return body, losses


def messages(*found: Message, **members: object) -> tuple[object, list[tuple[str, str]]]:
    body, losses = write(msgspec.structs.replace(Request(model="m", messages=found), **members))
    return body["messages"], losses


def test_a_plain_request_is_plain() -> None:
    assert write(asking(system=(Text(text="Be brief."), Text(text="Be kind.")), stream=True)) == (
        {
            "model": "command-a-03-2025",
            "messages": [
                {"role": "system", "content": "Be brief.\n\nBe kind."},
                {"role": "user", "content": "Hi"},
            ],
            "stream": True,
        },
        [],
    )


def test_sampling_is_clamped() -> None:
    sampling = Sampling(
        temperature=0.3, top_p=1.0, top_k=900, frequency_penalty=-1, presence_penalty=1.5, seed=-1, logprobs=2
    )
    assert beside(sampling=sampling, n=2, stop=tuple("abcdef"), max_tokens=9) == (
        {
            "max_tokens": 9,
            "stop_sequences": list("abcde"),
            "temperature": 0.3,
            "p": 0.99,
            "k": 500,
            "frequency_penalty": 0.0,
            "presence_penalty": 1.0,
            "logprobs": True,
        },
        [
            ("n", "changed"),
            ("top_logprobs", "changed"),
            ("seed", "hint"),
            ("stop", "changed"),
            ("top_p", "changed"),
            ("top_k", "changed"),
            ("frequency_penalty", "changed"),
            ("presence_penalty", "changed"),
        ],
    )


def test_pictures_are_urls() -> None:
    found, losses = messages(
        Message(
            "user",
            (
                Text(text="What is this?"),
                Image(content=PIXEL, media_type="image/png", detail="low"),
                Image(url="https://h/a.png"),
                Image(file="file-1"),
            ),
        )
    )
    assert found == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://h/a.png"}},
            ],
        }
    ]
    assert losses == [("messages[0].image", "meaning")]


def test_documents_are_text_and_cited_ones_stand_apart() -> None:
    body, losses = write(
        asking(
            Document(text="Cats purr.", name="Cats", citations=True),
            Document(text="Dogs bark.", name="Dogs"),
            Document(content=PIXEL, media_type="application/pdf"),
            Audio(content=PIXEL),
        )
    )
    assert body["documents"] == [{"id": "doc_0", "data": {"title": "Cats", "text": "Cats purr."}}]
    assert body["messages"] == [{"role": "user", "content": "Dogs\n\nDogs bark."}]
    assert losses == [("messages[0].document", "meaning"), ("messages[0].audio", "meaning")]


def test_a_round_of_tools() -> None:
    found, losses = messages(
        Message("user", (Text(text="Weather?"),)),
        Message(
            "assistant",
            (
                Thinking(text="Hm.", vendor="cohere"),
                Thinking(text="Hm.", signature="x", vendor="anthropic"),
                Text(text="I look."),
                ToolUse(id="a", name="f", arguments='{"x":'),
                ToolUse(id="b", name="g", arguments=""),
            ),
        ),
        Message(
            "user",
            (
                ToolResult(id="a", content=(Text(text="18"), Document(text="more"))),
                ToolResult(id="b", content=(Text(text="no"), Image(content=PIXEL)), error=True),
                Text(text="And?"),
            ),
        ),
        Message("assistant", (Text(text="Warm."),)),
    )
    assert found == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm."}],
            "tool_plan": "I look.",
            "tool_calls": [
                {"id": "a", "function": {"name": "f", "arguments": '{"x":'}, "type": "function"},
                {"id": "b", "function": {"name": "g", "arguments": "{}"}, "type": "function"},
            ],
        },
        {"role": "tool", "content": "18\n\nmore", "tool_call_id": "a"},
        {"role": "tool", "content": "no", "tool_call_id": "b"},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": "Warm."},
    ]
    assert losses == [
        ("messages[1].thinking", "hint"),
        ("messages[2].content", "meaning"),
        ("messages[2].is_error", "hint"),
    ]


F = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "description": "F"}}
G = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("choice", "tools", "written", "losses"),
    [
        (None, [F, G], None, []),
        (ToolChoice(), [F, G], None, []),
        (ToolChoice(mode="none"), [F, G], "NONE", []),
        (ToolChoice(mode="any", parallel=False), [F, G], "REQUIRED", [("parallel_tool_calls", "hint")]),
        (ToolChoice(mode="tool", name="g"), [G], "REQUIRED", [("tool_choice", "changed")]),
        (ToolChoice(mode="tool", name="unknown"), [F, G], "REQUIRED", []),
        (ToolChoice(allowed=("f",)), [F], None, [("tool_choice", "changed")]),
    ],
)
def test_the_choice_of_tools(
    choice: ToolChoice | None, tools: object, written: str | None, losses: list[tuple[str, str]]
) -> None:
    offered = (Tool(name="f", description="F", parameters=SCHEMA), Tool(name="g"))
    body, lost = beside(tools=offered, tool_choice=choice)
    assert (body["tools"], body.get("tool_choice"), lost) == (tools, written, losses)


def test_tools_are_strict_together() -> None:
    strict = Tool(name="f", parameters=msgspec.Raw(b'{"type":"object","required":["x"]}'), strict=True)
    assert beside(tools=(strict,))[0]["strict_tools"] is True
    for other in (Tool(name="g"), Tool(name="g", parameters=SCHEMA, strict=True)):
        body, losses = beside(tools=(strict, other))
        assert "strict_tools" not in body
        assert losses == [("tools.strict", "hint")]


def test_a_tool_that_a_provider_runs_is_not_run_here() -> None:
    tool = HostedTool(kind="web-search", vendor="openai", body=msgspec.Raw(b"{}"))
    assert beside(tools=(tool,)) == ({}, [("tools[0]", "meaning")])


def test_structured_output() -> None:
    wanted = Format(kind="schema", name="x", description="d", schema=SCHEMA)
    assert beside(format=wanted) == (
        {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
        [("response_format.description", "hint")],
    )
    assert beside(format=Format(kind="json"))[0] == {"response_format": {"type": "json_object"}}
    body, losses = beside(format=wanted, tools=(Tool(name="g"),))
    assert "response_format" not in body
    assert losses == [("response_format", "meaning")]


@pytest.mark.parametrize(
    ("reasoning", "written", "losses"),
    [
        (Reasoning(effort="none"), {"type": "disabled"}, []),
        (Reasoning(effort="low"), {"type": "enabled", "token_budget": 2048}, []),
        (Reasoning(effort="max"), {"type": "enabled"}, []),
        (Reasoning(budget=100), {"type": "enabled", "token_budget": 100}, []),
        (Reasoning(budget=-1, visible=False), {"type": "enabled"}, [("reasoning.visible", "hint")]),
        (Reasoning(visible=True), None, []),
    ],
)
def test_thinking(reasoning: Reasoning, written: object, losses: list[tuple[str, str]]) -> None:
    body, lost = beside(reasoning=reasoning)
    assert (body.get("thinking"), lost) == (written, losses)


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    request = asking(reasoning=Reasoning(effort="low"))
    body, losses = write(request, TargetFacts(model="m", reasoning=False, max_output=5))
    assert "thinking" not in body
    assert losses == [("reasoning", "hint")]


def test_what_cohere_has_no_place_for_is_named() -> None:
    request = asking(
        Text(text="Hi", cache="5m"),
        user="u", metadata=msgspec.Raw(b"{}"), service_tier="flex", unread=("logit_bias",), modalities=("audio",),
    )  # fmt: skip
    assert CODEC.write_request(request, FACTS).losses == (
        Loss("logit_bias"),
        Loss("user"),
        Loss("metadata"),
        Loss("service_tier"),
        Loss("cache_control", note="Cohere knows no such marks"),
        Loss("modalities", "meaning", "Cohere answers with text alone"),
    )


def test_clients_of_this_dialect_are_not_translated() -> None:
    with pytest.raises(GatewayError):
        CODEC.read_request(b"{}", Call("cohere", "chat", "/chat"))
    with pytest.raises(GatewayError):
        CODEC.stream_writer(Echo(id="", model="", created=0))


def test_a_request_of_instructions_alone_asks_them() -> None:
    request = Request(model="m", messages=(), system=(Text(text="Say hello."),))
    body, losses = write(request)
    assert body["messages"] == [{"role": "user", "content": "Say hello."}]
    assert losses == [("system", "changed")]
