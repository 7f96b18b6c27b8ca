from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects.canonical import (
    Audio,
    Document,
    Format,
    HostedTool,
    Image,
    Message,
    Reasoning,
    Refusal,
    Request,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.openai_chat import CODEC

CALL = Call("openai", "chat", "/chat/completions", "v1", "m")
HELLO = {"role": "user", "content": "Hello"}


def read(*messages: Any, **members: Any) -> Request:
    return CODEC.read_request(json.dumps({"model": "m", "messages": messages, **members}).encode(), CALL)


def refusal_of(*messages: Any, **members: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(*messages, **members)
    return caught.value


def parts_of(*content: Any) -> tuple[Any, ...]:
    return read({"role": "user", "content": content}).messages[0].parts


def test_leading_system_and_developer_messages_are_the_system_prompt_and_later_ones_stay() -> None:
    request = read(
        {"role": "system", "content": "One."},
        {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
        HELLO,
        {"role": "developer", "content": "Three."},
    )
    assert request.system == (Text(text="One."), Text(text="Two."))
    assert [message.role for message in request.messages] == ["user", "system"]


def test_the_parts_of_a_users_message() -> None:
    url, inline, sound, pdf, uploaded = parts_of(
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "file", "file": {"file_id": "file-abc"}},
    )
    assert url == Image(url="https://example.com/a.png", detail="low")
    assert isinstance(inline, Image)
    assert inline.media_type == "image/jpeg"
    assert inline.content is not None
    assert inline.content.text() == "/9j/AAAA"
    assert isinstance(sound, Audio)
    assert sound.media_type == "audio/wav"
    assert isinstance(pdf, Document)
    assert (pdf.name, pdf.media_type) == ("a.pdf", "application/pdf")
    assert uploaded == Document(file="file-abc")


@pytest.mark.parametrize("slash", ["/", r"\/"])
def test_an_image_is_a_view_into_json_however_its_head_is_escaped(slash: str) -> None:
    picture = "iVBORw0KGgo" * 1000
    body = (
        '{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":'
        f'"data:image{slash}png;base64,{picture}"}}}}]}}]}}'
    ).encode()
    image = CODEC.read_request(body, CALL).messages[0].parts[0]
    assert isinstance(image, Image)
    assert image.media_type == "image/png"
    assert image.content is not None
    assert image.content.text() == picture
    assert isinstance(image.content.view.obj, msgspec.Raw)


def test_an_image_may_be_its_url_alone() -> None:
    assert parts_of({"type": "image_url", "image_url": "https://example.com/a.png"}) == (
        Image(url="https://example.com/a.png"),
    )


def test_cache_marks_are_read_as_routers_and_openai_write_them() -> None:
    parts = parts_of(
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "c", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
    )
    assert [part.cache for part in parts] == ["5m", "1h", "1h"]


def test_neighbouring_tool_messages_are_one_turn_and_know_their_tools() -> None:
    request = read(
        HELLO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"broken'}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
        {"role": "tool", "tool_call_id": "a", "content": "one"},
    )
    assert request.messages[1:] == (
        Message(
            "assistant",
            (ToolUse(id="a", name="f", arguments="{}"), ToolUse(id="b", name="g", arguments='{"broken')),
        ),
        Message(
            "user",
            (
                ToolResult(id="b", name="g", content=(Text(text="two"),)),
                ToolResult(id="a", name="f", content=(Text(text="one"),)),
            ),
        ),
    )


def test_functions_of_the_older_form() -> None:
    request = read(
        HELLO,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert isinstance(call, ToolUse)
    assert isinstance(result, ToolResult)
    assert call.id == result.id
    assert result.name == "f"
    assert request.tools == (Tool(name="f", parameters=msgspec.Raw(b'{"type": "object"}')),)
    assert request.tool_choice == ToolChoice(mode="tool", name="f")
    assert request.legacy_calls
    assert not read(HELLO, tools=[{"type": "function", "function": {"name": "f"}}]).legacy_calls


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ("auto", ToolChoice()),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="any")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="tool", name="f")),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            ToolChoice(mode="any", allowed=("f",)),
        ),
    ],
)
def test_tool_choice(choice: Any, meant: ToolChoice) -> None:
    assert read(HELLO, tool_choice=choice).tool_choice == meant
    parallel = msgspec.structs.replace(meant, parallel=False)
    assert read(HELLO, tool_choice=choice, parallel_tool_calls=False).tool_choice == parallel


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}], "reasoning": "Hm."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
    ],
)
def test_thoughts_are_read_as_others_write_them(message: dict[str, Any]) -> None:
    assert read(HELLO, {"role": "assistant", **message}).messages[1].parts == (Thinking(text="Hm."),)


def test_signatures_come_back_as_they_were_written() -> None:
    details = [
        {"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "enc", "format": "anthropic-claude-v1"},
    ]
    message = {"role": "assistant", "reasoning_content": "Hm.", "reasoning_details": details, "content": "Yes."}
    assert read(HELLO, message).messages[1].parts == (
        Thinking(text="Hm.", signature="sig", vendor="anthropic"),
        Thinking(redacted="enc", vendor="anthropic"),
        Text(text="Yes."),
    )
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "sig"}]
    assert read(HELLO, {"role": "assistant", "thinking_blocks": blocks}).messages[1].parts == (
        Thinking(text="Hm.", signature="sig", vendor="anthropic"),
    )


@pytest.mark.parametrize(
    ("members", "meant"),
    [
        ({"reasoning_effort": "minimal"}, Reasoning(effort="minimal")),
        ({"reasoning_effort": "xhigh"}, Reasoning(effort="max")),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, Reasoning(budget=2000, visible=False)),
        ({"reasoning": {"enabled": True}}, Reasoning(budget=-1)),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Reasoning(budget=1024)),
    ],
)
def test_reasoning_is_read_as_others_ask_for_it(members: dict[str, Any], meant: Reasoning) -> None:
    assert read(HELLO, **members).reasoning == meant


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, Format(kind="json")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {}}},
            Format(kind="schema", name="n", strict=True, schema=msgspec.Raw(b"{}")),
        ),
    ],
)
def test_response_format(found: Any, meant: Format | None) -> None:
    assert read(HELLO, response_format=found).format == meant


def test_sampling_and_the_rest() -> None:
    request = read(
        HELLO,
        temperature=1,
        top_p=0.5,
        seed=7,
        logprobs=True,
        top_logprobs=3,
        stop="END",
        n=2,
        max_tokens=10,
        max_completion_tokens=20,
        user="u",
        safety_identifier="s",
        modalities=["text", "audio"],
        stream=True,
        stream_options={"include_usage": True},
    )
    assert request.sampling == Sampling(temperature=1.0, top_p=0.5, seed=7, logprobs=3)
    assert (request.stop, request.n, request.max_tokens, request.user) == (("END",), 2, 20, "s")
    assert request.modalities == ("text", "audio")
    assert request.stream
    assert request.wants_usage
    assert request.unread == ()


def test_what_has_no_place_is_named() -> None:
    request = read(
        {"role": "user", "content": [{"type": "text", "text": "a", "shade": 1}], "mood": "good", "gone": None},
        logit_bias={"50256": -100},
        prediction={"type": "content", "content": "x"},
        store=True,
        tools=[{"type": "function", "function": {"name": "f", "colour": "red"}}],
        verbosity="low",
    )
    assert set(request.unread) == {
        "logit_bias",
        "prediction",
        "store",
        "verbosity",
        "messages[0].mood",
        "messages[0].content[0].shade",
        "tools[0].function.colour",
    }


def test_tools_that_a_provider_runs_are_kept_as_they_came() -> None:
    request = read(HELLO, web_search_options={"search_context_size": "low"}, tools=[{"type": "custom", "custom": {}}])
    custom, search = request.tools
    assert isinstance(custom, HostedTool)
    assert isinstance(search, HostedTool)
    assert (custom.kind, search.kind) == ("custom", "web-search")
    assert json.loads(bytes(search.body)) == {"search_context_size": "low"}


def test_an_assistants_refusal_and_audio() -> None:
    message = {"role": "assistant", "content": "", "refusal": "No.", "audio": {"id": "audio_1"}}
    assert read(HELLO, message).messages[1].parts == (Refusal(text="No."), Audio(id="audio_1"))


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "wizard", "content": "x"}, "messages[0].role"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "hologram"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0].image_url"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0].file"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, "messages[0].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "messages[0].tool_calls[0].function.name"),
    ],
)
def test_a_wrong_message_is_told_with_its_place(message: dict[str, Any], param: str) -> None:
    error = refusal_of(message)
    assert (error.code, error.param) == ("invalid_request", param)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"temperature": "warm"}, "temperature"),
    ],
)
def test_a_wrong_member_is_told_with_its_place(members: dict[str, Any], param: str) -> None:
    error = refusal_of(HELLO, **members)
    assert (error.code, error.param) == ("invalid_request", param)


def test_no_messages_are_a_mistake() -> None:
    assert refusal_of().param == "messages"
