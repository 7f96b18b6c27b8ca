"""Requests as Gemini's clients write them, in both spellings."""

from __future__ import annotations

import json

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
    Loss,
    Message,
    Reasoning,
    Request,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.gemini import CODEC

CALL = Call("gemini", "generate", "/models/{model}:generateContent", model="gemini-3-flash", in_path=True)


def read(body: object, call: Call = CALL) -> Request:
    return CODEC.read_request(json.dumps(body).encode(), call)


def hello(**members: object) -> Request:
    return read({"contents": [{"parts": [{"text": "Hello"}]}], **members})


def parts(*found: object, role: str = "user") -> tuple[object, ...]:
    (message,) = read({"contents": [{"role": role, "parts": list(found)}]}).messages
    return message.parts


def test_the_model_and_the_stream_come_from_the_path() -> None:
    request = read({"contents": [{"parts": [{"text": "Hi"}]}]}, msgspec.structs.replace(CALL, stream=True))
    assert (request.model, request.stream, request.messages) == (
        "gemini-3-flash",
        True,
        (Message("user", (Text(text="Hi"),)),),
    )


@pytest.mark.parametrize(
    "instruction",
    ["Be brief.", {"parts": [{"text": "Be brief."}]}, {"text": "Be brief."},
     {"role": "user", "parts": [{"text": "Be brief."}]}],
)  # fmt: skip
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_a_system_instruction_has_three_shapes_and_two_names(name: str, instruction: object) -> None:
    request = hello(**{name: instruction})
    assert request.system == (Text(text="Be brief."),)
    assert request.unread == ()


def test_both_spellings_of_the_config_are_read() -> None:
    camel = {
        "temperature": 0.5, "topP": 0.9, "topK": 40, "candidateCount": 2, "maxOutputTokens": 100,
        "stopSequences": ["x"], "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True,
        "logprobs": 3, "responseModalities": ["TEXT", "IMAGE"],
        "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
    }  # fmt: skip
    snake = {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40.0, "candidate_count": 2, "max_output_tokens": "100",
        "stop_sequences": ["x"], "seed": 7, "presence_penalty": 0.1, "frequency_penalty": 0.2,
        "response_logprobs": True, "logprobs": 3, "response_modalities": ["TEXT", "IMAGE"],
        "thinking_config": {"thinking_budget": 1024, "include_thoughts": True},
    }  # fmt: skip
    request = hello(generationConfig=camel)
    assert request == hello(generation_config=snake)
    assert request.sampling == Sampling(
        temperature=0.5, top_p=0.9, top_k=40, frequency_penalty=0.2, presence_penalty=0.1, seed=7, logprobs=3
    )
    assert (request.n, request.max_tokens, request.stop) == (2, 100, ("x",))
    assert request.modalities == ("text", "image")
    assert request.reasoning == Reasoning(budget=1024, visible=True)


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        ({}, None),
        ({"thinkingLevel": "low"}, Reasoning(effort="low")),
        ({"thinkingLevel": "XHIGH"}, Reasoning(effort="max")),
        ({"thinkingBudget": 0}, Reasoning(effort="none")),
        ({"thinkingBudget": -1}, Reasoning(budget=-1)),
        ({"includeThoughts": False}, Reasoning(visible=False)),
    ],
)
def test_thinking_is_a_level_or_a_budget(config: object, reasoning: Reasoning | None) -> None:
    assert hello(generationConfig={"thinkingConfig": config}).reasoning == reasoning


def test_media_are_sorted_by_their_type() -> None:
    found = parts(
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inline_data": {"mime_type": "audio/wav", "data": "aGk="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk=", "displayName": "a.pdf"}},
        {"fileData": {"fileUri": "https://h/a.jpg", "mimeType": "image/jpeg"}},
        {"file_data": {"file_uri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {"fileData": {"fileUri": "gs://bucket/film.mp4", "mimeType": "video/mp4"}},
    )
    kinds = [type(part) for part in found]
    assert kinds == [Image, Audio, Document, Image, Document, Document]
    assert isinstance(found[2], Document)
    assert found[2].name == "a.pdf"
    assert isinstance(found[3], Image)
    assert found[3].url == "https://h/a.jpg"
    assert isinstance(found[4], Document)
    assert found[4].file.endswith("/files/abc")
    assert isinstance(found[5], Document)
    assert found[5].file == "gs://bucket/film.mp4"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("aGk=", "aGk="), ("eHg_Pz4-", "eHg/Pz4+"), ("aGk", "aGk="), ("eHg\\/Pz4+", "eHg/Pz4+")],
)
def test_base64_of_any_alphabet_becomes_standard_base64(sent: str, kept: str) -> None:
    body = f'{{"contents":[{{"parts":[{{"inlineData":{{"mimeType":"image/png","data":"{sent}"}}}}]}}]}}'
    (image,) = CODEC.read_request(body.encode(), CALL).messages[0].parts
    assert isinstance(image, Image)
    assert image.content is not None
    assert image.content.text() == kept


def test_base64_that_is_already_standard_is_a_view_of_the_body() -> None:
    body = json.dumps({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "A" * 4096}}]}]})
    raw = body.encode()
    (image,) = CODEC.read_request(raw, CALL).messages[0].parts
    assert isinstance(image, Image)
    assert image.content is not None
    assert image.content.view.obj is not None
    assert len(image.content) == 4096
    assert not isinstance(image.content.view.obj, bytes) or image.content.view.obj is raw


def test_calls_without_ids_are_matched_by_name_and_order() -> None:
    request = read(
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Compare."}]},
                {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2ln"},
                        {"functionCall": {"name": "time"}},
                        {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
                    ],
                },
                {"role": "function", "parts": [{"functionResponse": {"name": "weather", "response": {"result": "3"}}}]},
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "weather", "response": {"c": 18}}},
                        {"functionResponse": {"name": "time", "response": {"error": "no clock"}}},
                    ],
                },
            ]
        }
    )
    assert request.messages[1:] == (
        Message(
            "assistant",
            (
                ToolUse(id="call_1", name="weather", arguments='{"city": "Oslo"}', signature="c2ln"),
                ToolUse(id="call_2", name="time", arguments="{}"),
                ToolUse(id="call_3", name="weather", arguments='{"city": "Rome"}'),
            ),
        ),
        Message(
            "user",
            (
                ToolResult(id="call_1", name="weather", content=(Text(text="3"),)),
                ToolResult(id="call_3", name="weather", content=(Text(text='{"c": 18}'),)),
                ToolResult(id="call_2", name="time", content=(Text(text="no clock"),), error=True),
            ),
        ),
    )


def test_a_result_finds_the_name_of_its_call_by_id() -> None:
    request = read(
        {
            "contents": [
                {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "f", "args": {}}}]},
                {"parts": [{"functionResponse": {"id": "a", "response": {"output": {"n": 1}}}}]},
            ]
        }
    )
    assert request.messages[1].parts == (ToolResult(id="a", name="f", content=(Text(text='{"n": 1}'),)),)


def test_a_result_may_hold_a_picture() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    (result,) = parts({"functionResponse": {"id": "a", "name": "f", "response": {}, "parts": [image]}})
    assert isinstance(result, ToolResult)
    assert [type(part) for part in result.content] == [Image]


def test_a_model_turn_sent_back_chunk_by_chunk_is_one_turn() -> None:
    request = read(
        {
            "contents": [
                {"role": "model", "parts": [{"text": "Let me ", "thought": True}]},
                {"role": "model", "parts": [{"text": "see.", "thought": True}]},
                {"role": "model", "parts": [{"text": "", "thought": True, "thoughtSignature": "c2ln"}]},
                {"role": "model", "parts": [{"text": "It "}]},
                {"role": "model", "parts": [{"text": "is 4."}]},
                {"role": "model", "parts": [{"text": ""}]},
            ]
        }
    )
    assert request.messages == (
        Message(
            "assistant",
            (Thinking(text="Let me see.", signature="c2ln", vendor="gemini"), Text(text="It is 4.")),
        ),
    )


def test_a_signature_on_text_is_a_thought_behind_it() -> None:
    assert parts({"text": "Hi", "thought_signature": "c2ln"}, role="model") == (
        Text(text="Hi"),
        Thinking(signature="c2ln", vendor="gemini"),
    )


def test_code_that_ran_is_told_as_text() -> None:
    assert parts(
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
    ) == (Text(text="\n```python\nprint(1)\n```\n"), Text(text="\n```\n1\n```\n"))


def test_functions_in_either_kind_of_schema() -> None:
    request = hello(
        tools=[
            {
                "functionDeclarations": [
                    {"name": "a", "parametersJsonSchema": {"type": "object"}},
                    {
                        "name": "b",
                        "description": "B",
                        "parameters": {
                            "type": "OBJECT",
                            "properties": {
                                "x": {"type": "STRING", "nullable": True, "min_length": "2", "enum": ["p", "q"]},
                                "any_of": {
                                    "any_of": [{"type": "NUMBER"}, {"type": "ARRAY", "items": {"type": "INTEGER"}}]
                                },
                            },
                            "propertyOrdering": ["any_of", "x"],
                            "required": ["x"],
                        },
                    },
                    {"name": "c"},
                ]
            },
            {"googleSearch": {}, "url_context": {}},
        ]
    )  # fmt: skip
    a, b, c, search, context = request.tools
    assert isinstance(a, Tool)
    assert a.parameters is not None
    assert bytes(a.parameters) == b'{"type": "object"}'
    assert isinstance(b, Tool)
    assert b.parameters is not None
    schema = json.loads(bytes(b.parameters))
    assert schema == {
        "type": "object",
        "properties": {
            "any_of": {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "integer"}}]},
            "x": {"type": ["string", "null"], "minLength": 2, "enum": ["p", "q", None]},
        },
        "required": ["x"],
    }
    assert list(schema["properties"]) == ["any_of", "x"]
    assert c == Tool(name="c")
    assert isinstance(search, HostedTool)
    assert (search.kind, bytes(search.body)) == ("web-search", b'{"googleSearch":{}}')
    assert isinstance(context, HostedTool)
    assert (context.kind, context.vendor) == ("url-context", "gemini")


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({}, ToolChoice(mode="auto")),
        ({"mode": "auto"}, ToolChoice(mode="auto")),
        ({"mode": "NONE"}, ToolChoice(mode="none")),
        ({"mode": "ANY"}, ToolChoice(mode="any")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice(mode="tool", name="f")),
        ({"mode": "ANY", "allowed_function_names": ["f", "g"]}, ToolChoice(mode="any", allowed=("f", "g"))),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(mode="auto", allowed=("f",))),
    ],
)
def test_the_choice_of_tools(calling: object, choice: ToolChoice) -> None:
    assert hello(toolConfig={"functionCallingConfig": calling}).tool_choice == choice


def test_validated_calls_are_strict_ones() -> None:
    request = hello(
        tools=[{"functionDeclarations": [{"name": "f"}]}],
        tool_config={"function_calling_config": {"mode": "VALIDATED"}},
    )
    assert request.tools == (Tool(name="f", strict=True),)


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"responseMimeType": "application/json"}, Format(kind="json")),
        ({"response_mime_type": "text/plain"}, None),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"a": 1}},
            Format(kind="schema", schema=msgspec.Raw(b'{"a": 1}')),
        ),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
            Format(kind="schema", schema=msgspec.Raw(b'{"type":"string"}')),
        ),
    ],
)
def test_structured_output(config: object, wanted: Format | None) -> None:
    found = hello(generationConfig=config).format
    assert msgspec.json.encode(found) == msgspec.json.encode(wanted)


def test_what_nobody_else_has_is_named() -> None:
    request = hello(
        cachedContent="cachedContents/abc",
        safetySettings=[{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}],
        labels={"team": "a"},
        generationConfig={"speechConfig": {}, "mediaResolution": "MEDIA_RESOLUTION_LOW", "topK": None},
        toolConfig={"retrievalConfig": {}},
        tools=[{"functionDeclarations": [{"name": "f", "response": {"type": "STRING"}}]}],
    )
    assert request.unread == (
        "tools[0].functionDeclarations[0].response",
        "toolConfig.retrievalConfig",
        "generationConfig.speechConfig",
        "generationConfig.mediaResolution",
        "safetySettings",
    )
    assert request.lost == (Loss("cachedContent", "meaning"),)
    assert request.metadata is not None
    assert bytes(request.metadata) == b'{"team": "a"}'


def test_an_answer_that_is_no_json_cannot_be_had_elsewhere() -> None:
    request = hello(generationConfig={"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING"}})
    assert [(loss.field, loss.effect) for loss in request.lost] == [("generationConfig.responseMimeType", "meaning")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": {}}, "contents"),
        ({"contents": [3]}, "contents[0]"),
        ({"contents": [{"role": "narrator", "parts": [{"text": "x"}]}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 3}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"inlineData": {"data": 3}}]}]}, "contents[0].parts[0].inlineData.data"),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]},
            "contents[0].parts[0].functionResponse.response",
        ),
        (
            {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"temperature": "hot"}},
            "generationConfig.temperature",
        ),
        (
            {"contents": [{"parts": [{"text": "x"}]}], "tools": [{"functionDeclarations": [{}]}]},
            "tools[0].functionDeclarations[0].name",
        ),
        (
            {"contents": [{"parts": [{"text": "x"}]}], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {
                "contents": [{"parts": [{"text": "x"}]}],
                "tools": [{"functionDeclarations": [{"name": "f", "parameters": 3}]}],
            },
            "tools[0].functionDeclarations[0].parameters",
        ),
    ],
)
def test_a_clients_mistake_is_told_with_its_place(body: object, param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(body)
    assert (caught.value.code, caught.value.param) == ("invalid_request", param)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"contents": "\xff"}', b"<html>"])
def test_what_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        CODEC.read_request(body, CALL)
    assert caught.value.code == "malformed_body"


def test_a_schema_nested_beyond_reason_is_refused() -> None:
    schema = b'{"items":' * 700 + b"{}" + b"}" * 700
    body = b'{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseSchema":' + schema + b"}}"
    with pytest.raises(GatewayError):
        CODEC.read_request(body, CALL)
