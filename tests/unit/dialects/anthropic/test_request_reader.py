"""What is wrong in a request is told with its place."""

from __future__ import annotations

import json

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects.anthropic import CODEC
from gateway.dialects.canonical import Document, HostedTool, Text, ToolResult

CALL = Call("anthropic", "messages", "/messages", "v1", "claude-opus-5-5")


def _user(*blocks: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        (_user({}), "messages[0].content[0].type"),
        (_user({"type": "text"}), "messages[0].content[0].text"),
        (_user({"type": "image"}), "messages[0].content[0].source"),
        (_user({"type": "image", "source": {"type": "tape"}}), "messages[0].content[0].source.type"),
        (_user({"type": "image", "source": {"type": "base64", "data": 5}}), "messages[0].content[0].source.data"),
        (_user({"type": "document", "source": {"type": "text", "data": 5}}), "messages[0].content[0].source.data"),
        (_user({"type": "image", "source": "x"}), "messages[0].content[0].source"),
        (_user({"type": "tool_use", "id": "a"}), "messages[0].content[0]"),
        (_user({"type": "tool_result"}), "messages[0].content[0].tool_use_id"),
        (_user({"type": "tool_result", "tool_use_id": "a", "content": 5}), "messages[0].content[0].content"),
        ({"messages": [], "tools": [7]}, "tools[0]"),
        ({"messages": [], "tools": [{}]}, "tools[0].name"),
        ({"messages": [], "tool_choice": {"type": "tool"}}, "tool_choice"),
        ({"messages": [], "thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"messages": [], "thinking": {"type": "hard"}}, "thinking.type"),
        ({"messages": [], "output_config": {"format": {"type": "json_schema"}}}, "output_config.format"),
    ],
)
def test_a_mistake_is_told_with_its_place(body: dict[str, object], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(json.dumps({"model": "m", **body}).encode(), CALL)
    assert caught.value.code == "invalid_request"
    assert caught.value.param == param


def test_the_name_of_a_tool_is_found_for_its_result() -> None:
    body = {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        ]
    }
    request = CODEC.read_request(json.dumps(body).encode(), CALL)
    assert request.messages[1].parts == (ToolResult(id="a", name="f"),)


def test_system_turns_in_front_join_the_system_prompt() -> None:
    body = {"system": "a", "messages": [{"role": "system", "content": "b"}, {"role": "user", "content": "c"}]}
    request = CODEC.read_request(json.dumps(body).encode(), CALL)
    assert request.system == (Text(text="a"), Text(text="b"))
    assert len(request.messages) == 1


def test_a_document_of_blocks_is_its_texts() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "image"}]
    body = _user({"type": "document", "source": {"type": "content", "content": blocks}})
    request = CODEC.read_request(json.dumps(body).encode(), CALL)
    document = request.messages[0].parts[0]
    assert isinstance(document, Document)
    assert document.text == "a\nb"
    assert [(loss.field, loss.effect) for loss in request.lost] == [
        ("messages[0].content[0].source.content[2]", "meaning")
    ]


def test_a_tool_of_the_providers_own_is_kept_as_it_came() -> None:
    body = {"messages": [], "tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}
    tool = CODEC.read_request(json.dumps(body).encode(), CALL).tools[0]
    assert isinstance(tool, HostedTool)
    assert (tool.kind, tool.vendor) == ("code-execution", "anthropic")
    assert json.loads(bytes(tool.body)) == body["tools"][0]


def test_members_that_are_null_are_as_if_they_were_not_there() -> None:
    body = {"messages": [{"role": "user", "content": "a"}], "system": None, "tools": None, "container": None, "x": None}
    request = CODEC.read_request(json.dumps(body).encode(), CALL)
    assert request.unread == ()
    assert request.lost == ()
