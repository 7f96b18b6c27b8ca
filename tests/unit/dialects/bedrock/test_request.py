"""What Converse demands of a request, and what becomes of what it does not take."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.dialects.bedrock import CODEC
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Audio,
    Document,
    Encoded,
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

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEW = "global.anthropic.claude-opus-5-5-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
OSS = "openai.gpt-oss-120b-1:0"
LLAMA = "meta.llama4-scout-17b-instruct-v1:0"
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{},"additionalProperties":false}')
TOOL = Tool(name="f", parameters=SCHEMA)
BYTES = Blob(memoryview(b"AAAA"))


def _user(*parts: Part) -> Message:
    return Message("user", parts or (Text(text="hi"),))


def _encoded(*messages: Message, model: str = CLAUDE, **members: Any) -> Encoded:
    request = Request(model="asked", messages=messages or (_user(),), **members)
    return CODEC.write_request(request, TargetFacts(model=model, provider="bedrock"))


def _body(encoded: Encoded) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(encoded.body)
    return body


def _effects(encoded: Encoded) -> list[tuple[str, str]]:
    return [(loss.field, loss.effect) for loss in encoded.losses]


def test_neither_the_model_nor_the_stream_stands_in_the_body() -> None:
    assert _body(_encoded(stream=True, max_tokens=5)) == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"maxTokens": 5},
    }


def test_marks_for_the_cache_become_points_behind_what_they_mark() -> None:
    members: dict[str, Any] = {"system": (Text(text="s", cache="1h"),), "tools": (Tool(name="f", cache="5m"),)}
    encoded = _encoded(_user(Text(text="a", cache="5m"), Text(text="b")), **members)
    body = _body(encoded)
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert body["messages"][0]["content"] == [{"text": "a"}, point, {"text": "b"}]
    assert body["toolConfig"]["tools"][1] == point
    assert encoded.losses == ()
    assert set(_effects(_encoded(_user(Text(text="a", cache="5m")), model=LLAMA))) == {("cache_control", "hint")}


def test_results_stand_in_front_with_their_cache_points() -> None:
    encoded = _encoded(
        _user(),
        Message("assistant", (ToolUse(id="a", name="f", arguments="{}"),)),
        _user(Text(text="look", cache="5m"), ToolResult(id="a", content=(Text(text="1"),), cache="5m")),
        tools=(TOOL,),
    )
    kinds = [next(iter(block)) for block in _body(encoded)["messages"][2]["content"]]
    assert kinds == ["toolResult", "cachePoint", "text", "cachePoint"]


def test_a_result_says_when_the_tool_failed_and_is_never_empty() -> None:
    call = Message("assistant", (ToolUse(id="a b", name="f", arguments="{}"),))
    encoded = _encoded(_user(), call, _user(ToolResult(id="a b", error=True)), tools=(TOOL,))
    assert _body(encoded)["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "a_b", "content": [{"text": "(nothing)"}], "status": "error"}}
    ]


def test_a_history_with_calls_tells_of_their_tools() -> None:
    encoded = _encoded(_user(), Message("assistant", (ToolUse(id="a", name="f", arguments="{}"),)), _user())
    assert _body(encoded)["toolConfig"]["tools"][0]["toolSpec"]["name"] == "f"
    assert _effects(encoded) == [("tools", "changed")]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(content=BYTES, media_type="image/jpeg"),
            {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}},
        ),
        (
            Image(url="s3://bucket/a.png", media_type="image/png"),
            {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
        ),
        (
            Document(content=BYTES, media_type="application/pdf", name="A_b.pdf"),
            {"document": {"format": "pdf", "name": "A b pdf", "source": {"bytes": "AAAA"}}},
        ),
        (
            Document(text="t", context="c", citations=True),
            {
                "document": {
                    "format": "txt",
                    "name": "document",
                    "source": {"text": "t"},
                    "context": "c",
                    "citations": {"enabled": True},
                }
            },
        ),
        (
            Audio(content=BYTES, media_type="audio/mpeg"),
            {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
        ),
        (Audio(transcript="said"), {"text": "said"}),
    ],
)
def test_media_by_their_bytes(part: Part, block: dict[str, object]) -> None:
    assert _body(_encoded(_user(part)))["messages"][0]["content"] == [block]


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://example.com/a.png"),
        Image(content=BYTES, media_type="image/tiff"),
        Document(url="https://example.com/a.pdf"),
        Document(content=BYTES, media_type="application/zip"),
        Audio(id="a"),
    ],
)
def test_what_converse_cannot_be_given_makes_another_request(part: Part) -> None:
    assert [effect for _, effect in _effects(_encoded(_user(part, Text(text="x"))))] == ["meaning"]


def test_no_two_documents_have_one_name() -> None:
    parts = [Document(text="a", name="n"), Document(text="b", name="n"), Document(text="c")]
    blocks = _body(_encoded(_user(*parts)))["messages"][0]["content"]
    assert [block["document"]["name"] for block in blocks] == ["n", "n 2", "document"]


def test_signed_thoughts_go_to_claude_alone() -> None:
    thoughts = (Thinking(text="t", signature="s", vendor="anthropic"), Thinking(redacted="r", vendor="anthropic"))
    turn = Message("assistant", (*thoughts, Text(text="x")))
    content = _body(_encoded(_user(), turn, _user()))["messages"][1]["content"]
    assert content[:2] == [
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "r"}},
    ]
    assert _effects(_encoded(_user(), turn, _user(), model=NOVA)) == [("messages[1].thinking", "hint")] * 2


@pytest.mark.parametrize(
    ("model", "reasoning", "extra", "output"),
    [
        (CLAUDE, Reasoning(budget=2000), {"thinking": {"type": "enabled", "budget_tokens": 2000}}, None),
        (NEW, Reasoning(effort="high"), {"thinking": {"type": "adaptive"}}, {"effort": "high"}),
        (NOVA, Reasoning(effort="max"), {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, None),
        (NOVA, Reasoning(effort="none"), {"reasoningConfig": {"type": "disabled"}}, None),
        (OSS, Reasoning(effort="minimal"), {"reasoning_effort": "low"}, None),
        (OSS, Reasoning(budget=6000), {"reasoning_effort": "medium"}, None),
        (LLAMA, Reasoning(effort="high"), None, None),
    ],
)
def test_each_family_is_told_to_think_in_its_own_words(
    model: str, reasoning: Reasoning, extra: dict[str, object] | None, output: dict[str, object] | None
) -> None:
    body = _body(_encoded(model=model, reasoning=reasoning))
    assert body.get("additionalModelRequestFields") == extra
    assert body.get("outputConfig") == output


def test_a_budget_is_written_with_a_limit_above_it() -> None:
    body = _body(_encoded(reasoning=Reasoning(budget=20_000)))
    assert body["inferenceConfig"]["maxTokens"] > 20_000


def test_structured_output_is_native_where_the_model_has_it() -> None:
    encoded = _encoded(format=Format(kind="schema", name="n", schema=SCHEMA))
    definition = _body(encoded)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert definition == {"schema": bytes(SCHEMA).decode(), "name": "n"}
    assert encoded.format_tool == ""


def test_structured_output_is_a_forced_tool_where_it_has_not() -> None:
    encoded = _encoded(model=NOVA, format=Format(kind="schema", schema=SCHEMA))
    assert encoded.format_tool == "json_answer"
    assert _body(encoded)["toolConfig"]["toolChoice"] == {"tool": {"name": "json_answer"}}
    assert _effects(encoded) == [("response_format", "changed")]


def test_tools_that_may_not_be_called_are_not_told_of() -> None:
    assert "toolConfig" not in _body(_encoded(tools=(TOOL,), tool_choice=ToolChoice(mode="none")))


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(mode="auto"), None),
        (ToolChoice(mode="any"), {"any": {}}),
        (ToolChoice(mode="tool", name="f"), {"tool": {"name": "f"}}),
    ],
)
def test_the_choice_of_tools_in_converses_words(choice: ToolChoice, written: dict[str, object] | None) -> None:
    assert _body(_encoded(tools=(TOOL,), tool_choice=choice))["toolConfig"].get("toolChoice") == written


def test_a_search_of_the_providers_own_is_novas() -> None:
    tools = (HostedTool(kind="web-search", vendor="openai", body=msgspec.Raw(b"{}")),)
    assert _body(_encoded(model=NOVA, tools=tools))["toolConfig"]["tools"] == [
        {"systemTool": {"name": "nova_grounding"}}
    ]
    assert _effects(_encoded(tools=tools)) == [("tools[0]", "meaning")]


def test_what_is_sampled_how() -> None:
    sampling = Sampling(temperature=0.4, top_k=7, seed=1)
    assert _body(_encoded(sampling=sampling, stop=("END",))) == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "inferenceConfig": {"temperature": 0.4, "stopSequences": ["END"]},
        "additionalModelRequestFields": {"top_k": 7},
    }
    assert _body(_encoded(model=NOVA, sampling=sampling))["additionalModelRequestFields"] == {
        "inferenceConfig": {"topK": 7}
    }
    assert _effects(_encoded(model=LLAMA, sampling=sampling)) == [("top_k", "hint"), ("seed", "hint")]


def test_labels_go_where_converse_takes_their_characters() -> None:
    assert _body(_encoded(metadata=msgspec.Raw(b'{"team":"a b"}')))["requestMetadata"] == {"team": "a b"}
    assert _encoded(metadata=msgspec.Raw('{"team":"ä"}'.encode())).losses == (Loss("metadata"),)
    assert _encoded(metadata=msgspec.Raw(b"[]")).losses == (Loss("metadata"),)


@pytest.mark.parametrize(
    ("tier", "written"), [("flex", {"type": "flex"}), ("default", {"type": "default"}), ("auto", None)]
)
def test_the_tier_of_service(tier: str, written: dict[str, str] | None) -> None:
    encoded = _encoded(service_tier=tier)
    assert _body(encoded).get("serviceTier") == written
    assert encoded.losses == ()
