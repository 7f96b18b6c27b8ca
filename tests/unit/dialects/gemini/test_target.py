"""Canonical requests as Gemini is given them, and what it cannot be given."""

from __future__ import annotations

import json
from typing import cast

import msgspec
import pytest
from google.genai import types

from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Audio,
    Document,
    Effort,
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
from gateway.dialects.gemini import CODEC

FACTS = TargetFacts(model="gemini-3-flash")
OLD = TargetFacts(model="gemini-2.5-flash")
PIXEL = Blob(memoryview(b"aGk="))
Written = tuple[dict[str, object], list[tuple[str, str]]]


def write(request: Request, facts: TargetFacts = FACTS) -> Written:
    encoded = CODEC.write_request(request, facts)
    body = json.loads(encoded.body)
    # The SDK's types know what Google takes, and refuse what it does not.
    types.Content.model_validate(body["contents"][0]) if body["contents"] else None
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    for tool in body.get("tools", []):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    return body, [(loss.field, loss.effect) for loss in encoded.losses]


def asking(*parts: Part, **members: object) -> Request:
    message = Message("user", parts or (Text(text="Hi"),))
    return msgspec.structs.replace(Request(model="m", messages=(message,)), **members)


def config(facts: TargetFacts = FACTS, **members: object) -> tuple[object, list[tuple[str, str]]]:
    body, losses = write(asking(**members), facts)
    return body.get("generationConfig"), losses


def test_a_plain_request_is_plain() -> None:
    assert write(asking(system=(Text(text="Be brief."),))) == (
        {
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
        },
        [],
    )


def test_sampling_is_clamped_where_google_would_refuse_it() -> None:
    sampling = Sampling(
        temperature=2.5, top_p=1.5, top_k=9, frequency_penalty=3, presence_penalty=-1, seed=2**40, logprobs=50
    )
    found, losses = config(sampling=sampling, n=20, stop=tuple("abcdefg"), max_tokens=9)
    assert found == {
        "temperature": 2.0,
        "topP": 1.0,
        "topK": 9,
        "candidateCount": 8,
        "maxOutputTokens": 9,
        "stopSequences": list("abcde"),
        "presencePenalty": -1,
        "frequencyPenalty": 1.9999,
        "responseLogprobs": True,
        "logprobs": 20,
    }
    assert losses == [
        ("n", "changed"),
        ("seed", "hint"),
        ("top_logprobs", "changed"),
        ("temperature", "changed"),
        ("top_p", "changed"),
        ("stop", "changed"),
        ("frequency_penalty", "changed"),
    ]  # fmt: skip


def test_no_more_tokens_are_asked_for_than_the_model_has() -> None:
    found, losses = config(TargetFacts(model="gemini-3-flash", max_output=100), max_tokens=4000)
    assert found == {"maxOutputTokens": 100}
    assert losses == [("max_tokens", "changed")]


@pytest.mark.parametrize(
    ("model", "effort", "written"),
    [
        ("gemini-3-flash", "none", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.5-pro", "minimal", {"thinkingLevel": "LOW"}),
        ("gemini-flash-latest", "high", {"thinkingLevel": "HIGH"}),
        ("gemini-3-flash", "max", {"thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.5-flash", "medium", {"thinkingBudget": 8192}),
        ("google/gemini-2.5-pro", "max", {"thinkingBudget": 32768}),
        ("gemini-2.0-flash", "high", None),
    ],
)
def test_effort_is_a_level_or_a_budget(model: str, effort: Effort, written: object) -> None:
    found, _ = config(TargetFacts(model=model), reasoning=Reasoning(effort=effort))
    assert found == (None if written is None else {"thinkingConfig": written})


def test_a_budget_is_kept_within_the_models_bounds() -> None:
    found, losses = config(OLD, reasoning=Reasoning(budget=100_000, visible=True))
    assert found == {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 24576}}
    assert losses == [("reasoning.budget", "changed")]
    assert config(OLD, reasoning=Reasoning(budget=-1)) == ({"thinkingConfig": {"thinkingBudget": -1}}, [])


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    facts = TargetFacts(model="gemma", reasoning=False)
    assert config(facts, reasoning=Reasoning(effort="high")) == (None, [("reasoning", "hint")])


def test_structured_output_takes_json_schema_as_it_is() -> None:
    schema = msgspec.Raw(b'{"type":"object","$defs":{"a":{}}}')
    assert config(format=Format(kind="schema", name="x", schema=schema)) == (
        {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object", "$defs": {"a": {}}}},
        [],
    )
    assert config(format=Format(kind="json")) == ({"responseMimeType": "application/json"}, [])


def test_tools_of_all_kinds() -> None:
    body, losses = write(
        asking(
            tools=(
                Tool(name="f", description="F", parameters=msgspec.Raw(b'{"type":"object"}')),
                HostedTool(kind="web-search", vendor="gemini", body=msgspec.Raw(b'{"googleSearch":{}}')),
                HostedTool(kind="code-execution", vendor="openai", body=msgspec.Raw(b"{}")),
                HostedTool(kind="computer", vendor="anthropic", body=msgspec.Raw(b"{}")),
                Tool(name="g"),
            ),
            tool_choice=ToolChoice(mode="tool", name="g", parallel=False),
        )
    )
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "F", "parametersJsonSchema": {"type": "object"}},
                {"name": "g"},
            ]
        },
        {"googleSearch": {}},
        {"codeExecution": {}},
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}
    assert losses == [("tools[2]", "changed"), ("tools[3]", "meaning"), ("parallel_tool_calls", "hint")]


@pytest.mark.parametrize(
    ("choice", "strict", "calling"),
    [
        (None, None, None),
        (ToolChoice(), None, {"mode": "AUTO"}),
        (ToolChoice(), True, {"mode": "VALIDATED"}),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice(allowed=("f",)), None, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (ToolChoice(mode="any"), True, {"mode": "ANY"}),
        (ToolChoice(mode="none"), None, {"mode": "NONE"}),
    ],
)
def test_the_choice_of_tools(choice: ToolChoice | None, strict: bool | None, calling: object) -> None:
    body, _ = write(asking(tools=(Tool(name="f", strict=strict),), tool_choice=choice))
    assert body.get("toolConfig") == (None if calling is None else {"functionCallingConfig": calling})


def history(*messages: Message, facts: TargetFacts = FACTS) -> tuple[object, list[tuple[str, str]]]:
    body, losses = write(Request(model="m", messages=messages), facts)
    return body["contents"], losses


CALL = ToolUse(id="a", name="f", arguments='{"x": 1}')
ASKED = Message("user", (Text(text="Hi"),))


def test_the_first_call_of_a_step_has_a_signature_or_says_that_it_has_none() -> None:
    signed = ToolUse(id="b", name="f", arguments="", signature="c2ln")
    answered = Message("user", (ToolResult(id="a", name="f"), ToolResult(id="b", name="f")))
    contents, _ = history(
        Message("assistant", (CALL,)), ASKED, Message("assistant", (CALL, CALL)), answered,
        Message("assistant", (signed,)),
    )  # fmt: skip
    call = {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}}
    result = {"name": "f", "response": {"output": ""}}
    assert contents == [
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{**call, "thoughtSignature": "skip_thought_signature_validator"}, call]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"id": "a", **result}}, {"functionResponse": {"id": "b", **result}}],
        },
        {
            "role": "model",
            "parts": [{"functionCall": {"id": "b", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}],
        },
    ]


def test_models_before_3_need_no_signature() -> None:
    contents, _ = history(ASKED, Message("assistant", (CALL,)), facts=OLD)
    assert "thoughtSignature" not in str(contents)


def test_arguments_that_are_no_object_are_sent_inside_one() -> None:
    contents, losses = history(ASKED, Message("assistant", (ToolUse(id="a", name="f", arguments='{"x":'),)), facts=OLD)
    assert losses == [("messages[1].arguments", "changed")]
    assert '"args": {"arguments": "{\\"x\\":"}' in json.dumps(contents)


@pytest.mark.parametrize(
    ("text", "error", "response"),
    [
        ("18 degrees", False, {"output": "18 degrees"}),
        ("no such city", True, {"error": "no such city"}),
        ('{"c": 18}', False, {"c": 18}),
        ('{"c": 18}', True, {"error": {"c": 18}}),
        ('{"error": "x"}', False, {"output": {"error": "x"}}),
        ("[1, 2]", False, {"output": "[1, 2]"}),
        ("{broken", False, {"output": "{broken"}),
    ],
)
def test_what_a_tool_said_is_an_object(text: str, error: bool, response: object) -> None:
    result = ToolResult(id="a", name="f", content=(Text(text=text),), error=error)
    contents, _ = history(Message("user", (result,)))
    assert contents == [
        {"role": "user", "parts": [{"functionResponse": {"id": "a", "name": "f", "response": response}}]}
    ]


def test_a_picture_in_a_result_is_in_it_or_beside_it() -> None:
    image = Image(content=PIXEL, media_type="image/png")
    message = Message("user", (ToolResult(id="a", name="f", content=(Text(text="x"), image)),))
    inline = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    response = {"id": "a", "name": "f", "response": {"output": "x"}}
    assert history(message) == (
        [{"role": "user", "parts": [{"functionResponse": {**response, "parts": [inline]}}]}],
        [],
    )
    assert history(message, facts=OLD) == (
        [{"role": "user", "parts": [{"functionResponse": response}, inline]}],
        [("messages[0].content", "changed")],
    )


def test_media() -> None:
    contents, losses = history(
        Message(
            "user",
            (
                Image(content=PIXEL, media_type="image/png", detail="low"),
                Image(url="https://h/a.jpg?x=1"),
                Image(file="file-123"),
                Audio(content=PIXEL, media_type="audio/mp3"),
                Document(content=PIXEL, media_type="application/pdf", name="a.pdf"),
                Document(text="plain words", name="notes"),
                Document(file="https://generativelanguage.googleapis.com/v1beta/files/abc"),
            ),
        )
    )
    (content,) = cast("list[dict[str, object]]", contents)
    assert content["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"fileData": {"fileUri": "https://h/a.jpg?x=1", "mimeType": "image/jpeg"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
        {"text": "notes\n\nplain words"},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    ]
    assert losses == [
        ("messages[0].image.detail", "hint"),
        ("messages[0].image", "meaning"),
        ("messages[0].document.name", "hint"),
    ]


def test_neighbours_of_a_role_are_one_turn() -> None:
    contents, losses = history(
        ASKED,
        Message("system", (Text(text="Now in French."),)),
        Message("assistant", (Refusal(text="No."),)),
        Message("assistant", (Text(text=""), CALL)),
        facts=OLD,
    )
    assert contents == [
        {"role": "user", "parts": [{"text": "Hi"}, {"text": "Now in French."}]},
        {
            "role": "model",
            "parts": [{"text": "No."}, {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}}],
        },
    ]
    assert losses == [("messages[1].role", "changed")]


def test_thoughts_go_back_to_their_own_vendor_alone() -> None:
    contents, losses = history(
        ASKED,
        Message(
            "assistant",
            (
                Thinking(text="Hm.", signature="c2ln", vendor="gemini"),
                Thinking(text="Hm.", signature="x", vendor="anthropic"),
                Text(text="Yes."),
                Thinking(signature="bW9yZQ==", vendor="gemini"),
            ),
        ),
    )
    assert cast("list[object]", contents)[1] == {
        "role": "model",
        "parts": [
            {"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"},
            {"text": "Yes.", "thoughtSignature": "bW9yZQ=="},
        ],
    }
    assert losses == [("messages[1].thinking", "hint")]


def test_what_google_has_no_place_for_is_named() -> None:
    request = asking(
        Text(text="Hi", cache="5m"),
        user="u", metadata=msgspec.Raw(b"{}"), service_tier="scale", unread=("logit_bias",), modalities=("text",),
    )  # fmt: skip
    encoded = CODEC.write_request(request, FACTS)
    assert encoded.losses == (
        Loss("logit_bias"),
        Loss("cache_control", note="Gemini caches by itself"),
        Loss("user"),
        Loss("metadata"),
        Loss("service_tier"),
    )
    assert json.loads(encoded.body) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    ("tier", "written"),
    [("", None), ("auto", None), ("default", "standard"), ("flex", "flex"), ("priority", "priority")],
)
def test_service_tiers(tier: str, written: str | None) -> None:
    assert write(asking(service_tier=tier))[0].get("serviceTier") == written


def test_a_request_of_instructions_alone_asks_them() -> None:
    request = Request(model="m", messages=(), system=(Text(text="Say hello."),))
    assert write(request) == (
        {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]},
        [("system", "changed")],
    )
