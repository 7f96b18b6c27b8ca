"""What rules ask of a prompt, out of every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.prompt import LONGEST, Prompt
from gateway.dialects.prompts import prompt_of
from gateway.dialects.sniff import read_call

PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}


def prompt(path: str, members: dict[str, Any], **options: bool) -> Prompt:
    body = json.dumps({"model": "auto", **members}).encode()
    return prompt_of(read_call("POST", path, b"", b"application/json", body), body, **options)


CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
RESPONSES, GENERATE = "/v1/responses", "/v1beta/models/auto:generateContent"


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (CHAT, {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ("/v2/chat", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/completions", {"prompt": "Hi"}),
        ("/v1/completions", {"prompt": ["Before", "Hi"]}),
        (RESPONSES, {"input": "Hi"}),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}),
        (RESPONSES, {"input": [{"type": "message", "role": "user", "content": "Hi"}]}),
        ("/v1/responses/input_tokens", {"input": "Hi"}),
        (MESSAGES, {"system": "S", "messages": [{"role": "user", "content": "Hi"}]}),
        (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ("/v1/messages/count_tokens", {"messages": [{"role": "user", "content": "Hi"}]}),
        (GENERATE, {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
        (GENERATE, {"contents": [{"parts": [{"text": "Hi"}]}]}),
        (GENERATE, {"contents": [{"parts": {"text": "Hi"}}]}),
    ],
)
def test_the_last_user_text_in_every_dialect(path: str, members: dict[str, Any]) -> None:
    found = prompt(path, members)
    assert found.text == "Hi"
    assert found.turns == 1


def test_the_last_message_of_the_user_counts_not_the_last_message() -> None:
    said = [("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four")]
    found = prompt(CHAT, {"messages": [{"role": role, "content": text} for role, text in said]})
    assert (found.text, found.turns) == ("three", 2)


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (
            MESSAGES,
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "42"}]},
                ]
            },
        ),
        (
            GENERATE,
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "Hi"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "n"}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "n", "response": {}}}]},
                ]
            },
        ),
        (
            RESPONSES,
            {
                "input": [
                    {"role": "user", "content": "Hi"},
                    {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": "42"},
                ]
            },
        ),
    ],
)
def test_results_of_tools_are_not_what_the_user_said(path: str, members: dict[str, Any]) -> None:
    found = prompt(path, members)
    assert (found.text, found.turns) == ("Hi", 1)


@pytest.mark.parametrize(
    ("path", "turn", "member"),
    [
        (CHAT, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}, "messages"),
        (RESPONSES, {"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}, "input"),
        (MESSAGES, {"role": "user", "content": [{"type": "image", "source": PNG}]}, "messages"),
        (
            MESSAGES,
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "image", "source": PNG}]}]},
            "messages",
        ),
        (GENERATE, {"parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}, "contents"),
        (GENERATE, {"parts": [{"inline_data": {"mime_type": "image/png", "data": "aGk="}}]}, "contents"),
        (GENERATE, {"parts": [{"fileData": {"mimeType": "image/png", "fileUri": "gs://b/o"}}]}, "contents"),
    ],
)
def test_pictures_are_found_wherever_they_are_in_the_conversation(path: str, turn: Any, member: str) -> None:
    last = {"role": "user", "content": "Go on", "parts": [{"text": "Go on"}]}
    assert prompt(path, {member: [turn, last]}).images == 1
    assert prompt(path, {member: [last]}).images == 0
    assert prompt(path, {member: [turn, last]}, images=False).images == 0


def test_a_document_is_no_picture() -> None:
    pdf = {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}
    assert prompt(GENERATE, {"contents": [{"parts": [pdf]}]}).images == 0


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (CHAT, {"response_format": {"type": "json_object"}}),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {}}}),
        (RESPONSES, {"text": {"format": {"type": "json_schema", "name": "n"}}}),
        (MESSAGES, {"output_config": {"format": {"type": "json_schema", "schema": {}}}}),
        (MESSAGES, {"output_format": {"type": "json_schema", "schema": {}}}),
        (GENERATE, {"generationConfig": {"responseMimeType": "application/json"}}),
        (GENERATE, {"generation_config": {"response_schema": {"type": "OBJECT"}}}),
    ],
)
def test_structured_output_in_every_dialect(path: str, members: dict[str, Any]) -> None:
    assert prompt(path, members).json


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (CHAT, {"response_format": {"type": "text"}}),
        (RESPONSES, {"text": {"format": {"type": "text"}}}),
        (MESSAGES, {"output_config": {"effort": "high"}}),
        (GENERATE, {"generationConfig": {"responseMimeType": "text/plain", "responseSchema": None}}),
    ],
)
def test_plain_text_is_no_structured_output(path: str, members: dict[str, Any]) -> None:
    assert not prompt(path, members).json


def test_tools_are_counted_as_each_dialect_has_them() -> None:
    assert prompt(CHAT, {"tools": [{}, {}]}).tools == 2
    assert prompt(CHAT, {"functions": [{}]}).tools == 1
    assert prompt(RESPONSES, {"tools": [{}]}).tools == 1
    assert prompt(MESSAGES, {"tools": [{}, {}, {}]}).tools == 3
    declared = {"functionDeclarations": [{"name": "a"}, {"name": "b"}]}
    assert prompt(GENERATE, {"contents": [], "tools": [declared, {"googleSearch": {}}]}).tools == 3


def test_thoughts_are_no_text() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": "Hi"}]
    assert prompt(GENERATE, {"contents": [{"parts": parts}]}).text == "Hi"


def test_of_a_long_text_both_ends_are_kept() -> None:
    text = "begin " + "x" * 3 * LONGEST + " end"
    found = prompt(CHAT, {"messages": [{"role": "user", "content": text}]}).text
    assert found.startswith("begin ")
    assert found.endswith(" end")
    assert len(found) == LONGEST + 1


@pytest.mark.parametrize(
    "members",
    [
        {"messages": "Hi"},
        {"messages": [1, 2]},
        {"messages": [{"role": 5, "content": "Hi"}]},
        {"messages": [{"role": "user", "content": {"a": 1}}]},
        {"messages": [{"role": "user", "content": [1]}], "tools": {"a": 1}, "response_format": "json"},
        {"messages": [{"role": "user"}]},
        {},
    ],
)
def test_what_is_not_as_its_format_says_is_not_there(members: dict[str, Any]) -> None:
    found = prompt(CHAT, members)
    assert (found.text, found.tools, found.json) == ("", 0, False)
