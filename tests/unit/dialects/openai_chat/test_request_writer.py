from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Document,
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
from gateway.dialects.openai_chat import CODEC

HELLO = Message("user", (Text(text="Hello"),))


def write(
    *messages: Message, model: str = "m", provider: str = "openai", facts: dict[str, Any] | None = None, **members: Any
) -> tuple[Any, tuple[Loss, ...]]:
    request = Request(model="asked", messages=messages or (HELLO,), **members)
    encoded = CODEC.write_request(request, TargetFacts(model=model, provider=provider, **(facts or {})))
    return json.loads(encoded.body), encoded.losses


def user(*parts: Part) -> Message:
    return Message("user", parts)


def test_the_least_that_is_written() -> None:
    assert write() == ({"model": "m", "messages": [{"role": "user", "content": "Hello"}]}, ())


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("gpt-4o", "openai", "max_completion_tokens"),
        ("o3", "openrouter", "max_completion_tokens"),
        ("openai/gpt-5.2", "openrouter", "max_completion_tokens"),
        ("deepseek-reasoner", "deepseek", "max_tokens"),
        ("gpt-oss-120b", "groq", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_model_takes(model: str, provider: str, name: str) -> None:
    body, losses = write(model=model, provider=provider, max_tokens=5)
    assert body[name] == 5
    assert losses == ()


def test_a_thinking_model_takes_no_sampling_and_the_client_is_told() -> None:
    body, losses = write(
        model="o4-mini",
        sampling=Sampling(temperature=0.2, top_p=1.0, presence_penalty=0.5, logprobs=2, seed=7),
        stop=("END",),
        reasoning=Reasoning(effort="low"),
    )
    assert set(body) == {"model", "messages", "seed", "reasoning_effort"}
    assert [(loss.field, loss.effect) for loss in losses] == [
        ("temperature", "changed"),
        ("presence_penalty", "changed"),
        ("logprobs", "hint"),
        ("stop", "changed"),
    ]


def test_what_is_out_of_range_is_clamped_visibly() -> None:
    body, losses = write(sampling=Sampling(temperature=3.0, logprobs=50), stop=("a", "b", "c", "d", "e"))
    assert (body["temperature"], body["top_logprobs"], body["stop"]) == (2.0, 20, ["a", "b", "c", "d"])
    assert {loss.field for loss in losses} == {"temperature", "top_logprobs", "stop"}
    assert {loss.effect for loss in losses} == {"changed"}


@pytest.mark.parametrize(
    ("reasoning", "facts", "effort", "lost"),
    [
        (Reasoning(effort="max"), {}, "xhigh", []),
        (Reasoning(budget=1024), {}, "low", ["reasoning.budget"]),
        (Reasoning(budget=-1), {}, None, []),
        (Reasoning(budget=0), {}, "none", []),
        (Reasoning(effort="high"), {"reasoning": False}, None, ["reasoning"]),
        (Reasoning(effort="none"), {"reasoning": False}, None, []),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, facts: dict[str, Any], effort: str | None, lost: list[str]) -> None:
    body, losses = write(reasoning=reasoning, facts=facts)
    assert body.get("reasoning_effort") == effort
    assert [loss.field for loss in losses] == lost


def test_tool_results_come_in_front_and_their_pictures_after_them() -> None:
    picture = Image(content=Blob(memoryview(b"AAAA")), media_type="image/png")
    body, losses = write(
        Message("assistant", (ToolUse(id="a", name="f", arguments=""),)),
        user(Text(text="And?"), ToolResult(id="a", content=(Text(text="seen"), picture), error=True)),
    )
    call, result, words = body["messages"]
    assert call == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert result == {"role": "tool", "tool_call_id": "a", "content": "seen"}
    assert [piece["type"] for piece in words["content"]] == ["text", "image_url"]
    assert [(loss.field, loss.effect) for loss in losses] == [
        ("messages[1].tool_result", "changed"),
        ("messages[1].tool_result.error", "hint"),
    ]


@pytest.mark.parametrize(
    ("part", "facts"),
    [
        (Image(url="https://example.com/a.png"), {"vision": False}),
        (Image(file="file_011"), {}),
        (Document(url="https://example.com/a.pdf"), {}),
        (Document(file="file_011"), {}),
    ],
)
def test_what_cannot_be_seen_is_never_dropped_as_a_hint(part: Part, facts: dict[str, Any]) -> None:
    _, losses = write(user(Text(text="What is it?"), part), facts=facts)
    assert [loss.effect for loss in losses] == ["meaning"]


def test_a_document_of_text_is_written_as_text() -> None:
    part = Document(content=Blob(memoryview(b"aGVsbG8=")), media_type="text/plain", name="a.txt")
    body, losses = write(user(part))
    assert body["messages"][0]["content"] == "a.txt\n\nhello"
    assert losses == (Loss("messages[0].document", "changed", "the document is written as text"),)


def test_tools_and_the_choice_among_them() -> None:
    tools = (Tool(name="f", description="d", parameters=msgspec.Raw(b"{}"), strict=True), Tool(name="g"))
    choice = ToolChoice(mode="any", allowed=("g",), parallel=False)
    body, _ = write(tools=tools, tool_choice=choice)
    assert body["tools"][0]["function"] == {"name": "f", "description": "d", "parameters": {}, "strict": True}
    assert body["tool_choice"]["allowed_tools"]["mode"] == "required"
    assert body["parallel_tool_calls"] is False
    # Who does not know of allowed tools is given no others.
    body, losses = write(tools=tools, tool_choice=choice, provider="groq")
    assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == "required"
    assert losses == ()


def test_tools_that_the_target_does_not_have_change_the_meaning() -> None:
    hosted = HostedTool(kind="web-search", vendor="anthropic", body=msgspec.Raw(b"{}"))
    assert write(tools=(hosted,))[1] == (Loss("tools[0]", "meaning", "web-search is run by anthropic alone"),)
    assert write(tools=(Tool(name="f"),), facts={"tools": False})[1][0].effect == "meaning"


def test_a_choice_without_tools_is_not_written() -> None:
    body, losses = write(tool_choice=ToolChoice(mode="any"))
    assert "tool_choice" not in body
    assert [loss.field for loss in losses] == ["tool_choice"]


def test_cache_marks_go_to_those_who_take_them() -> None:
    marked = user(Text(text="long", cache="1h"))
    body, losses = write(marked, provider="openrouter")
    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert losses == ()
    body, losses = write(marked)
    assert body["messages"][0]["content"] == "long"
    assert [loss.field for loss in losses] == ["messages[0].cache_control"]


THOUGHT = Thinking(text="Hm.", signature="sig", vendor="anthropic")
CALL = ToolUse(id="a", name="f", arguments="{}")


@pytest.mark.parametrize(
    ("provider", "member", "value"),
    [
        ("deepseek", "reasoning_content", "Hm."),
        (
            "openrouter",
            "reasoning_details",
            [
                {
                    "type": "reasoning.text",
                    "text": "Hm.",
                    "signature": "sig",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                }
            ],
        ),
    ],
)
def test_thoughts_go_back_to_those_who_want_them(provider: str, member: str, value: Any) -> None:
    body, losses = write(Message("assistant", (THOUGHT, CALL)), provider=provider)
    assert body["messages"][0][member] == value
    assert losses == ()


def test_thoughts_that_nobody_wants_are_a_hint() -> None:
    body, losses = write(Message("assistant", (THOUGHT, CALL)))
    assert set(body["messages"][0]) == {"role", "content", "tool_calls"}
    assert [(loss.field, loss.effect) for loss in losses] == [("messages[0].thinking", "hint")]


def test_mistral_takes_ids_of_nine_and_a_seed_of_its_own() -> None:
    body, losses = write(
        Message("assistant", (CALL,)),
        user(ToolResult(id="a")),
        provider="mistral",
        sampling=Sampling(seed=7),
        user="u",
    )
    call, result = body["messages"]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 9
    assert body["random_seed"] == 7
    assert [loss.field for loss in losses] == ["user"]


def test_what_was_not_read_is_the_first_of_the_losses() -> None:
    _, losses = write(unread=("logit_bias",), metadata=msgspec.Raw(b"{}"), service_tier="standard_only")
    assert [loss.field for loss in losses] == ["logit_bias", "service_tier", "metadata"]


def test_an_image_is_copied_once_into_the_body() -> None:
    picture = b"A" * 100_000
    part = Image(content=Blob(memoryview(picture)), media_type="image/png")
    body, _ = write(user(Text(text="What is it?"), part))
    assert body["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64," + picture.decode()
