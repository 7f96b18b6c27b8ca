"""Canonical requests as Ollama's own chat is given them."""

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
    Effort,
    Format,
    HostedTool,
    Image,
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
from gateway.dialects.ollama import CODEC

FACTS = TargetFacts(model="gemma3")
PIXEL = Blob(memoryview(b"aGk="))
SCHEMA = msgspec.Raw(b'{"type":"object"}')


def write(request: Request, facts: TargetFacts = FACTS) -> tuple[dict[str, object], list[tuple[str, str]]]:
    encoded = CODEC.write_request(request, facts)
    return json.loads(encoded.body), [(loss.field, loss.effect) for loss in encoded.losses]


def asking(*parts: Part, **members: object) -> Request:
    message = Message("user", parts or (Text(text="Hi"),))
    return msgspec.structs.replace(Request(model="m", messages=(message,)), **members)


def beside(facts: TargetFacts = FACTS, **members: object) -> tuple[dict[str, object], list[tuple[str, str]]]:
    body, losses = write(asking(**members), facts)
    for name in ("model", "messages", "stream"):
        del body[name]
    return body, losses


def test_a_plain_request_says_that_it_is_no_stream() -> None:
    assert write(asking(system=(Text(text="Be brief."), Text(text="Be kind.")))) == (
        {
            "model": "gemma3",
            "messages": [
                {"role": "system", "content": "Be brief.\n\nBe kind."},
                {"role": "user", "content": "Hi"},
            ],
            "stream": False,
        },
        [],
    )


def test_sampling_stands_under_options() -> None:
    sampling = Sampling(
        temperature=0.1, top_p=0.2, top_k=3, frequency_penalty=0.4, presence_penalty=0.5, seed=6, logprobs=2
    )
    assert beside(sampling=sampling, max_tokens=9, stop=("x",), n=2) == (
        {
            "options": {
                "num_predict": 9,
                "temperature": 0.1,
                "top_p": 0.2,
                "top_k": 3,
                "frequency_penalty": 0.4,
                "presence_penalty": 0.5,
                "seed": 6,
                "stop": ["x"],
            },
            "logprobs": True,
            "top_logprobs": 2,
        },
        [("n", "changed")],
    )


def test_pictures_are_base64_beside_the_text() -> None:
    request = asking(
        Text(text="What?"), Image(content=PIXEL), Image(url="https://h/a.png"), Document(text="x", name="n"),
        Document(content=PIXEL), Audio(content=PIXEL),
    )  # fmt: skip
    body, losses = write(request)
    assert body["messages"] == [{"role": "user", "content": "What?\n\nn\n\nx", "images": ["aGk="]}]
    assert losses == [
        ("messages[0].image", "meaning"),
        ("messages[0].document", "meaning"),
        ("messages[0].audio", "meaning"),
    ]


def test_a_round_of_tools() -> None:
    messages = (
        Message(
            "assistant",
            (
                Thinking(text="Hm."),
                Thinking(text="Hm.", signature="x", vendor="anthropic"),
                Text(text="I look."),
                ToolUse(id="a", name="f", arguments='{"x": 1}'),
                ToolUse(id="b", name="g", arguments="{oops"),
            ),
        ),
        Message(
            "user",
            (
                ToolResult(id="a", name="f", content=(Text(text="18"), Image(content=PIXEL))),
                ToolResult(id="b", name="g", content=(Text(text="no"),), error=True),
                Text(text="And?"),
            ),
        ),
    )
    body, losses = write(Request(model="m", messages=messages))
    assert body["messages"] == [
        {
            "role": "assistant",
            "content": "I look.",
            "thinking": "Hm.",
            "tool_calls": [
                {"function": {"name": "f", "arguments": {"x": 1}}},
                {"function": {"name": "g", "arguments": {"arguments": "{oops"}}},
            ],
        },
        {"role": "tool", "content": "18", "images": ["aGk="], "tool_name": "f"},
        {"role": "tool", "content": "no", "tool_name": "g"},
        {"role": "user", "content": "And?"},
    ]
    assert losses == [
        ("messages[0].thinking", "hint"),
        ("messages[0].arguments", "changed"),
        ("messages[1].is_error", "hint"),
    ]


F = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
G = {"type": "function", "function": {"name": "g", "description": "G"}}


@pytest.mark.parametrize(
    ("choice", "tools", "losses"),
    [
        (None, [F, G], []),
        (ToolChoice(parallel=False), [F, G], [("parallel_tool_calls", "hint")]),
        (ToolChoice(mode="none"), None, [("tool_choice", "changed")]),
        (ToolChoice(mode="any"), [F, G], [("tool_choice", "meaning")]),
        (ToolChoice(allowed=("g",)), [G], [("tool_choice", "changed")]),
    ],
)
def test_a_tool_cannot_be_forced(choice: ToolChoice | None, tools: object, losses: list[tuple[str, str]]) -> None:
    offered = (Tool(name="f", parameters=SCHEMA), Tool(name="g", description="G"))
    body, lost = beside(tools=offered, tool_choice=choice)
    assert (body.get("tools"), lost) == (tools, losses)


def test_a_tool_that_a_provider_runs_is_not_run_here() -> None:
    tool = HostedTool(kind="web-search", vendor="openai", body=msgspec.Raw(b"{}"))
    assert beside(tools=(tool, Tool(name="g", description="G", strict=True))) == (
        {"tools": [G]},
        [("tools[0]", "meaning"), ("tools.strict", "hint")],
    )


def test_structured_output() -> None:
    assert beside(format=Format(kind="json"))[0] == {"format": "json"}
    assert beside(format=Format(kind="schema", schema=SCHEMA))[0] == {"format": {"type": "object"}}


@pytest.mark.parametrize(
    ("model", "effort", "think"),
    [
        ("qwen3", "none", False),
        ("qwen3", "low", True),
        ("gpt-oss:20b", "minimal", "low"),
        ("gpt-oss:20b", "medium", "medium"),
        ("gpt-oss:20b", "max", "high"),
    ],
)
def test_thinking_is_switched_or_a_level(model: str, effort: Effort, think: object) -> None:
    assert beside(TargetFacts(model=model), reasoning=Reasoning(effort=effort))[0] == {"think": think}


def test_a_budget_is_no_more_than_a_switch() -> None:
    assert beside(reasoning=Reasoning(budget=1024)) == ({"think": True}, [("reasoning.budget", "changed")])
    assert beside(reasoning=Reasoning(visible=True)) == ({}, [])
    facts = TargetFacts(model="m", reasoning=False)
    assert beside(facts, reasoning=Reasoning(effort="low")) == ({}, [("reasoning", "hint")])


def test_what_ollama_has_no_place_for_is_named() -> None:
    request = asking(
        Text(text="Hi", cache="5m"),
        user="u", metadata=msgspec.Raw(b"{}"), service_tier="flex", unread=("logit_bias",), modalities=("audio",),
    )  # fmt: skip
    assert [(loss.field, loss.effect) for loss in CODEC.write_request(request, FACTS).losses] == [
        ("logit_bias", "hint"),
        ("user", "hint"),
        ("metadata", "hint"),
        ("service_tier", "hint"),
        ("cache_control", "hint"),
        ("modalities", "meaning"),
    ]


def test_clients_of_this_dialect_are_not_translated() -> None:
    with pytest.raises(GatewayError):
        CODEC.read_request(b"{}", Call("other", "chat", "/chat"))
