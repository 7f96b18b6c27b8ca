from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Audio,
    Document,
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
from gateway.dialects.openai_responses import CODEC

CALL = Call("openai", "responses", "/responses", "v1", "m")
HELLO = Message("user", (Text(text="Hello"),))


def read(asked: Any = "Hello", **members: Any) -> Request:
    return CODEC.read_request(json.dumps({"model": "m", "input": asked, **members}).encode(), CALL)


def write(
    *messages: Message, model: str = "gpt-4o", facts: dict[str, Any] | None = None, **members: Any
) -> tuple[Any, tuple[Loss, ...]]:
    request = Request(model="asked", messages=messages or (HELLO,), **members)
    encoded = CODEC.write_request(request, TargetFacts(model=model, provider="openai", **(facts or {})))
    return json.loads(encoded.body), encoded.losses


def test_a_string_is_one_message_and_instructions_are_the_system_prompt() -> None:
    request = read(instructions="Be brief.", max_output_tokens=20, user="u", stream=True)
    assert request.messages == (HELLO,)
    assert request.system == (Text(text="Be brief."),)
    assert (request.max_tokens, request.user, request.stream) == (20, "u", True)


def test_system_messages_in_front_join_the_instructions_and_later_ones_stay() -> None:
    request = read(
        [
            {"role": "developer", "content": "Two."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "role": "system", "content": "Three."},
        ],
        instructions="One.",
    )
    assert request.system == (Text(text="One."), Text(text="Two."))
    assert request.messages == (Message("user", (Text(text="Hi"),)), Message("system", (Text(text="Three."),)))


def test_the_items_of_one_side_are_one_turn() -> None:
    request = read(
        [
            {"role": "user", "content": "Weather?"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": "gAAA",
            },
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "content": [{"type": "output_text", "text": "Wait.", "annotations": []}],
            },
            {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "one"},
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "two"}]},
            {"role": "user", "content": "Thanks."},
        ]
    )
    assert request.messages[1:] == (
        Message(
            "assistant",
            (
                Thinking(text="Hm.", redacted="gAAA", vendor="openai", id="rs_1"),
                Text(text="Wait."),
                ToolUse(id="a", name="f", arguments="{}"),
                ToolUse(id="b", name="g", arguments="{}"),
            ),
        ),
        Message(
            "user",
            (
                ToolResult(id="a", name="f", content=(Text(text="one"),)),
                ToolResult(id="b", name="g", content=(Text(text="two"),)),
            ),
        ),
        Message("user", (Text(text="Thanks."),)),
    )


def test_the_parts_of_a_message() -> None:
    content = [
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
    ]
    url, inline, uploaded, pdf, linked, kept, sound = read([{"role": "user", "content": content}]).messages[0].parts
    assert url == Image(url="https://example.com/a.png", detail="high")
    assert isinstance(inline, Image)
    assert inline.content == Blob(memoryview(b"AAAA"))
    assert uploaded == Image(file="file-1")
    assert isinstance(pdf, Document)
    assert (pdf.name, pdf.media_type) == ("a.pdf", "application/pdf")
    assert linked == Document(url="https://example.com/a.pdf", media_type="application/pdf")
    assert kept == Document(file="file-2")
    assert isinstance(sound, Audio)
    assert sound.media_type == "audio/mp3"


def test_another_vendors_signature_comes_back_in_what_is_encrypted() -> None:
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "anthropic:s::sig=",
    }
    assert read([item]).messages[0].parts == (Thinking(text="Hm.", signature="sig=", vendor="anthropic"),)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
    ],
)
def test_what_openai_alone_keeps_changes_the_meaning(members: dict[str, Any], field: str) -> None:
    (loss,) = read(**{"asked": members.pop("input", "Hello"), **members}).lost
    assert (loss.field, loss.effect) == (field, "meaning")


def test_what_openais_tools_did_is_left_out_visibly() -> None:
    request = read([{"type": "web_search_call", "id": "ws_1", "status": "completed"}, {"role": "user", "content": "x"}])
    assert [(loss.field, loss.effect) for loss in request.lost] == [("input[0]", "changed")]


def test_hints_are_named() -> None:
    request = read(
        store=True,
        truncation="auto",
        include=["reasoning.encrypted_content", "web_search_call.results"],
        text={"verbosity": "low"},
        prompt_cache_key="k",
        max_tool_calls=3,
    )
    assert set(request.unread) == {
        "store",
        "truncation",
        "include[web_search_call.results]",
        "text.verbosity",
        "prompt_cache_key",
        "max_tool_calls",
    }
    assert read(store=False, truncation="disabled", background=False).unread == ()


def test_tools_format_reasoning_and_sampling() -> None:
    request = read(
        tools=[
            {"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True},
            {"type": "web_search"},
        ],
        tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}},
        reasoning={"effort": "high", "summary": "auto"},
        temperature=0.5,
        top_logprobs=2,
        include=["message.output_text.logprobs"],
    )
    function, search = request.tools
    assert function == Tool(name="f", description="d", parameters=msgspec.Raw(b"{}"), strict=True)
    assert isinstance(search, HostedTool)
    assert search.kind == "web-search"
    assert request.tool_choice == ToolChoice(allowed=("f",), parallel=False)
    assert request.format == Format(kind="schema", name="n", schema=msgspec.Raw(b"{}"), strict=True)
    assert request.reasoning == Reasoning(effort="high", visible=True)
    assert request.sampling == Sampling(temperature=0.5, logprobs=2)
    assert request.unread == ()


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    request = read(
        [{"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "free"}],
        tools=[{"type": "custom", "name": "patch", "description": "Edits files.", "format": grammar}],
        tool_choice={"type": "custom", "name": "patch"},
    )
    (tool,) = request.tools
    assert isinstance(tool, Tool)
    assert tool.description == "Edits files.\n\n`input` follows this lark grammar:\nstart: WORD"
    assert request.custom_tools == ("patch",)
    assert request.tool_choice == ToolChoice(mode="tool", name="patch")
    assert [(loss.field, loss.effect) for loss in request.lost] == [("tools[0]", "changed")]
    assert request.messages[0].parts == (ToolUse(id="a", name="patch", arguments='{"input":"free"}'),)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"asked": None}, "input"),
        ({"asked": [{"content": "x"}]}, "input[0].type"),
        ({"asked": [{"type": "telepathy"}]}, "input[0].type"),
        ({"asked": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
        ({"asked": [{"role": "user", "content": [{"type": "hologram"}]}]}, "input[0].content[0].type"),
        ({"asked": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"asked": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"asked": [{"type": "function_call", "call_id": "a"}]}, "input[0].name"),
        ({"asked": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
        ({"temperature": "warm"}, "temperature"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(members: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(**members)
    assert (caught.value.code, caught.value.param) == ("invalid_request", param)


def test_the_least_that_is_written() -> None:
    assert write() == (
        {
            "model": "gpt-4o",
            "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
            "store": False,
        },
        (),
    )


def test_a_turn_is_told_apart_again() -> None:
    picture = Image(content=Blob(memoryview(b"AAAA")), media_type="image/png")
    body, losses = write(
        Message(
            "assistant",
            (
                Thinking(text="Hm.", redacted="gAAA", vendor="openai", id="rs_1"),
                Text(text="Wait."),
                ToolUse(id="a", name="f", arguments=""),
                Text(text="Now."),
            ),
        ),
        Message("user", (ToolResult(id="a", content=(Text(text="seen"), picture)), Text(text="And?"))),
    )
    assert body["input"] == [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "id": "rs_1",
            "encrypted_content": "gAAA",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Now."}]},
        {
            "type": "function_call_output",
            "call_id": "a",
            "output": [
                {"type": "input_text", "text": "seen"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
            ],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    ]
    assert losses == ()


def test_another_vendors_thoughts_are_a_hint() -> None:
    body, losses = write(
        Message("assistant", (Thinking(text="Hm.", signature="s", vendor="anthropic"), Text(text="x")))
    )
    assert [item["type"] for item in body["input"]] == ["message"]
    assert [(loss.field, loss.effect) for loss in losses] == [("messages[0].thinking", "hint")]


def test_a_thinking_model_is_asked_for_its_encrypted_thoughts() -> None:
    body, losses = write(model="gpt-5.2", reasoning=Reasoning(effort="max", visible=True))
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["reasoning"] == {"effort": "xhigh", "summary": "auto"}
    assert losses == ()


def test_a_function_is_strict_only_where_that_was_asked_for() -> None:
    body, _ = write(tools=(Tool(name="f"), Tool(name="g", strict=True)), tool_choice=ToolChoice(mode="tool", name="f"))
    assert [tool["strict"] for tool in body["tools"]] == [False, True]
    assert body["tools"][0]["parameters"] == {"type": "object", "properties": {}}
    assert body["tool_choice"] == {"type": "function", "name": "f"}


@pytest.mark.parametrize(
    ("members", "field", "effect"),
    [
        ({"stop": ("END",)}, "stop", "changed"),
        ({"n": 2}, "n", "changed"),
        ({"modalities": ("text", "audio")}, "modalities", "meaning"),
        ({"sampling": Sampling(seed=7)}, "seed", "hint"),
        ({"sampling": Sampling(top_k=7)}, "top_k", "hint"),
        ({"sampling": Sampling(temperature=3.0)}, "temperature", "changed"),
        ({"max_tokens": 5}, "max_tokens", "changed"),
        ({"service_tier": "standard_only"}, "service_tier", "hint"),
        ({"unread": ("logit_bias",)}, "logit_bias", "hint"),
        ({"tools": (HostedTool(kind="bash", vendor="anthropic", body=msgspec.Raw(b"{}")),)}, "tools[0]", "meaning"),
        ({"tools": (HostedTool(kind="web-search", vendor="gemini", body=msgspec.Raw(b"{}")),)}, "tools[0]", "changed"),
    ],
)
def test_what_is_not_written_is_told(members: dict[str, Any], field: str, effect: str) -> None:
    _, losses = write(**members)
    assert [(loss.field, loss.effect) for loss in losses] == [(field, effect)]


@pytest.mark.parametrize(
    ("part", "facts"),
    [
        (Audio(content=Blob(memoryview(b"AAAA")), media_type="audio/wav"), {}),
        (Image(url="https://example.com/a.png"), {"vision": False}),
        (Image(file="file_011"), {}),
        (Document(file="file_011"), {}),
    ],
)
def test_what_cannot_be_seen_or_heard_is_never_a_hint(part: Part, facts: dict[str, Any]) -> None:
    _, losses = write(Message("user", (part,)), facts=facts)
    assert [loss.effect for loss in losses] == ["meaning"]
