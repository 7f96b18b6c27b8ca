"""What Anthropic demands of a request, and what becomes of what it does not take."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.dialects.anthropic import CODEC
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
    Refusal,
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

NEW, OLD = "claude-opus-5-5", "claude-sonnet-4-0"
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{},"additionalProperties":false}')
TOOL = Tool(name="f", parameters=SCHEMA)


def _user(*parts: Part) -> Message:
    return Message("user", parts or (Text(text="hi"),))


def _encoded(*messages: Message, model: str = NEW, provider: str = "anthropic", **members: Any) -> Encoded:
    request = Request(model="asked", messages=messages or (_user(),), **members)
    return CODEC.write_request(request, TargetFacts(model=model, provider=provider))


def _body(encoded: Encoded) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(encoded.body)
    return body


def _effects(encoded: Encoded) -> list[tuple[str, str]]:
    return [(loss.field, loss.effect) for loss in encoded.losses]


def test_a_limit_is_written_where_the_client_gave_none() -> None:
    assert _body(_encoded())["max_tokens"] == 8192
    request = Request(model="m", messages=(_user(),))
    facts = TargetFacts(model=NEW, max_output=64_000)
    assert _body(CODEC.write_request(request, facts))["max_tokens"] == 64_000


def test_a_limit_beyond_the_model_is_lowered_and_told() -> None:
    request = Request(model="m", messages=(_user(),), max_tokens=99_000)
    encoded = CODEC.write_request(request, TargetFacts(model=NEW, max_output=64_000))
    assert _body(encoded)["max_tokens"] == 64_000
    assert encoded.losses == (Loss("max_tokens", "changed", "99000 -> 64000"),)


def test_neighbours_of_one_role_become_one_message_with_results_in_front() -> None:
    encoded = _encoded(
        _user(),
        Message("assistant", (ToolUse(id="a", name="f", arguments="{}"),)),
        Message("assistant", (Text(text="and"),)),
        _user(Text(text="look")),
        _user(ToolResult(id="a", content=(Text(text="1"),))),
        tools=(TOOL,),
    )
    turns = _body(encoded)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block["type"] for block in turns[2]["content"]] == ["tool_result", "text"]


def test_blank_texts_are_left_out_and_what_is_left_empty_with_them() -> None:
    encoded = _encoded(_user(Text(text=" \n")), Message("assistant", (Text(text=""),)), _user(Text(text="a")))
    assert _body(encoded)["messages"] == [{"role": "user", "content": "a"}]


@pytest.mark.parametrize("messages", [(Message("assistant", (Text(text="Hello"),)), _user()), (Message("user", ()),)])
def test_a_conversation_begins_with_the_user(messages: tuple[Message, ...]) -> None:
    encoded = _encoded(*messages)
    assert _body(encoded)["messages"][0]["role"] == "user"
    assert _effects(encoded) == [("messages", "changed")]


def test_the_assistants_last_words_are_gone_on_with_where_the_model_does_that() -> None:
    begun = Message("assistant", (Text(text="The answer is  "),))
    old = _encoded(_user(), begun, model=OLD)
    assert _body(old)["messages"][-1] == {"role": "assistant", "content": "The answer is"}
    assert old.losses == ()
    assert _effects(_encoded(_user(), begun)) == [("messages[1]", "meaning")]


def test_a_system_turn_stays_one_where_the_model_knows_it() -> None:
    messages = (_user(), Message("system", (Text(text="Be brief."),)))
    assert _body(_encoded(*messages))["messages"][1] == {"role": "system", "content": "Be brief."}
    old = _encoded(*messages, model=OLD)
    assert len(_body(old)["messages"]) == 1
    assert _effects(old) == [("messages[1]", "changed")]


def test_ids_are_put_into_anthropics_characters_the_same_for_call_and_result() -> None:
    encoded = _encoded(
        _user(),
        Message("assistant", (ToolUse(id="call|1.a", name="f", arguments='{"x":1}'),)),
        _user(ToolResult(id="call|1.a")),
        tools=(TOOL,),
    )
    turns = _body(encoded)["messages"]
    assert turns[1]["content"][0]["id"] == turns[2]["content"][0]["tool_use_id"] == "call_1_a"
    assert turns[1]["content"][0]["input"] == {"x": 1}


@pytest.mark.parametrize("arguments", ["{broken", "[1]", '"text"', "7"])
def test_arguments_that_are_no_object_are_put_into_one_and_told(arguments: str) -> None:
    encoded = _encoded(_user(), Message("assistant", (ToolUse(id="a", name="f", arguments=arguments),)), _user())
    assert _body(encoded)["messages"][1]["content"][0]["input"] == {"arguments": arguments}
    assert ("messages[1].arguments", "changed") in _effects(encoded)


def test_a_history_with_calls_tells_of_their_tools() -> None:
    encoded = _encoded(_user(), Message("assistant", (ToolUse(id="a", name="f", arguments=""),)), _user())
    body = _body(encoded)
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}
    assert encoded.losses == ()


def test_thoughts_that_another_signed_are_left_out() -> None:
    thoughts = (
        Thinking(text="a", signature="s", vendor="gemini"),
        Thinking(text="b"),
        Thinking(text="c", signature="s", vendor="anthropic"),
        Thinking(redacted="d", vendor="anthropic"),
    )
    encoded = _encoded(_user(), Message("assistant", (*thoughts, Text(text="x"))), _user())
    kinds = [block["type"] for block in _body(encoded)["messages"][1]["content"]]
    assert kinds == ["thinking", "redacted_thinking", "text"]
    assert _effects(encoded) == [("messages[1].thinking", "hint")] * 2


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (Image(file="file-1"), "image"),
        (Image(content=Blob(memoryview(b"AAAA")), media_type="image/tiff"), "image"),
        (Document(file="file-1"), "document"),
        (Document(url="https://example.com/a", media_type="video/mp4"), "document"),
        (Document(content=Blob(memoryview(b"AAAA")), media_type="application/msword"), "document"),
        (Document(content=Blob(memoryview(b"/w==")), media_type="text/plain"), "document"),
        (Audio(content=Blob(memoryview(b"AAAA")), media_type="audio/wav"), "audio"),
    ],
)
def test_what_cannot_be_shown_to_the_model_makes_another_request(part: Part, field: str) -> None:
    assert _effects(_encoded(_user(part, Text(text="x")))) == [(f"messages[0].{field}", "meaning")]


def test_a_text_file_is_written_as_text() -> None:
    encoded = _encoded(_user(Document(content=Blob(memoryview(b"aGk=")), media_type="text/csv", name="n")))
    assert _body(encoded)["messages"][0]["content"] == [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "title": "n"}
    ]


def test_a_picture_without_a_type_is_told_by_its_first_bytes() -> None:
    encoded = _encoded(_user(Image(content=Blob(memoryview(b"/9j/4AAQ")))))
    assert _body(encoded)["messages"][0]["content"][0]["source"]["media_type"] == "image/jpeg"


def test_a_refusal_is_the_assistants_words() -> None:
    encoded = _encoded(_user(), Message("assistant", (Refusal(text="No."),)), _user())
    assert _body(encoded)["messages"][1] == {"role": "assistant", "content": "No."}


def test_structured_output_is_native_where_the_model_has_it() -> None:
    encoded = _encoded(format=Format(kind="schema", name="n", schema=SCHEMA))
    assert _body(encoded)["output_config"] == {"format": {"type": "json_schema", "schema": msgspec.json.decode(SCHEMA)}}
    assert encoded.format_tool == ""
    assert encoded.losses == ()


def test_structured_output_is_a_forced_tool_where_the_model_has_nothing() -> None:
    encoded = _encoded(model=OLD, format=Format(kind="schema", schema=SCHEMA), reasoning=Reasoning(effort="high"))
    body = _body(encoded)
    assert encoded.format_tool == body["tools"][0]["name"] == "json_answer"
    assert body["tool_choice"] == {"type": "tool", "name": "json_answer"}
    assert "thinking" not in body
    assert _effects(encoded) == [("response_format", "changed"), ("reasoning", "changed")]


def test_beside_tools_of_the_clients_own_the_model_picks() -> None:
    tools = (Tool(name="json_answer"),)
    encoded = _encoded(model=OLD, tools=tools, format=Format(kind="schema", schema=SCHEMA))
    assert encoded.format_tool == "json_answer_"
    assert _body(encoded)["tool_choice"] == {"type": "any"}


def test_json_without_a_schema_is_asked_for_in_words() -> None:
    encoded = _encoded(system=(Text(text="Be brief."),), format=Format(kind="json"))
    system = _body(encoded)["system"]
    assert system[0] == {"type": "text", "text": "Be brief."}
    assert "JSON" in system[1]["text"]
    assert _effects(encoded) == [("response_format", "changed")]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(mode="auto"), {"type": "auto"}),
        (ToolChoice(mode="auto", parallel=False), {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="any", parallel=True), {"type": "any", "disable_parallel_tool_use": False}),
        (ToolChoice(mode="tool", name="f"), {"type": "tool", "name": "f"}),
        (ToolChoice(mode="none", parallel=False), {"type": "none"}),
    ],
)
def test_the_choice_of_tools_in_anthropics_words(choice: ToolChoice, written: dict[str, object]) -> None:
    assert _body(_encoded(tools=(TOOL,), tool_choice=choice))["tool_choice"] == written


def test_a_choice_without_tools_is_left_out() -> None:
    assert "tool_choice" not in _body(_encoded(tool_choice=ToolChoice(mode="auto")))
    assert _effects(_encoded(tool_choice=ToolChoice(mode="any"))) == [("tool_choice", "changed")]


def test_of_tools_only_the_allowed_ones_are_told_of() -> None:
    encoded = _encoded(tools=(TOOL, Tool(name="g")), tool_choice=ToolChoice(mode="auto", allowed=("g",)))
    assert [tool["name"] for tool in _body(encoded)["tools"]] == ["g"]


def test_a_tool_without_a_schema_gets_an_empty_one() -> None:
    tools = (Tool(name="a"), Tool(name="b", parameters=msgspec.Raw(b"{}")))
    assert [tool["input_schema"] for tool in _body(_encoded(tools=tools))["tools"]] == [
        {"type": "object", "properties": {}},
        {"type": "object"},
    ]


def test_tools_that_providers_run_have_their_counterparts() -> None:
    tools = tuple(
        HostedTool(kind=kind, vendor="openai", body=msgspec.Raw(b"{}"))
        for kind in ("web-search", "code-execution", "file-search")
    )
    encoded = _encoded(tools=tools)
    assert [tool["name"] for tool in _body(encoded)["tools"]] == ["web_search", "code_execution"]
    assert _effects(encoded) == [("tools[0]", "changed"), ("tools[1]", "changed"), ("tools[2]", "meaning")]


@pytest.mark.parametrize(
    ("model", "sampling", "written", "losses"),
    [
        (
            OLD,
            Sampling(temperature=1.6),
            {"temperature": 1.0},
            [Loss("temperature", "changed", "temperature 1.6 -> 1")],
        ),
        (OLD, Sampling(temperature=0.5, top_p=0.9, top_k=5), {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, []),
        (
            "claude-sonnet-4-5",
            Sampling(temperature=0.5, top_p=0.9),
            {"temperature": 0.5},
            [Loss("top_p", "hint", "not beside temperature")],
        ),
        (
            NEW,
            Sampling(temperature=0.5, top_k=5),
            {},
            [
                Loss("temperature", "changed", "temperature 0.5 -> 1: the model takes no other"),
                Loss("top_k", "hint", "the model does not take it"),
            ],
        ),
        (NEW, Sampling(temperature=1.0, top_p=1.0), {}, []),
        (
            OLD,
            Sampling(seed=1, logprobs=0, frequency_penalty=0.5),
            {},
            [Loss("frequency_penalty"), Loss("seed"), Loss("logprobs")],
        ),
    ],
)
def test_sampling_as_the_model_takes_it(
    model: str, sampling: Sampling, written: dict[str, object], losses: list[Loss]
) -> None:
    encoded = _encoded(model=model, sampling=sampling)
    body = _body(encoded)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == written
    assert list(encoded.losses) == losses


def test_thinking_fixes_the_temperature() -> None:
    encoded = _encoded(
        model="claude-sonnet-4-5",
        sampling=Sampling(temperature=0.2, top_k=4, top_p=0.5),
        reasoning=Reasoning(budget=2000),
    )
    body = _body(encoded)
    assert "temperature" not in body
    assert "top_k" not in body
    assert body["top_p"] == 0.95


def test_what_nobody_has_a_place_for_is_told() -> None:
    encoded = _encoded(
        n=3,
        user="u",
        metadata=msgspec.Raw(b"{}"),
        service_tier="flex",
        stop=("END", "\n"),
        modalities=("text", "audio"),
        unread=("logit_bias",),
    )
    body = _body(encoded)
    assert body["metadata"] == {"user_id": "u"}
    assert body["stop_sequences"] == ["END"]
    assert _effects(encoded) == [
        ("logit_bias", "hint"),
        ("stop", "changed"),
        ("metadata", "hint"),
        ("service_tier", "hint"),
        ("n", "changed"),
        ("modalities", "meaning"),
    ]


def test_vertex_has_the_model_in_its_path_and_the_version_in_the_body() -> None:
    body = _body(_encoded(model="claude-opus-4-8@20260528", provider="vertex"))
    assert "model" not in body
    assert body["anthropic_version"] == "vertex-2023-10-16"
