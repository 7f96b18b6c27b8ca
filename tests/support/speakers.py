"""Who speaks which dialect: clients that ask in four of them, providers that answer in as many as there are.

What lives here: for each client how it asks and how it reads what comes back, strictly; for each provider what it says,
as a script. A test puts any client before any provider.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.support.eventstream import frame
from tests.support.scripted import (
    Script,
    chat_reply,
    chat_stream,
    generate_reply,
    generate_stream,
    message_reply,
    message_stream,
    ok,
    sse,
    status,
    stream,
)

Json = dict[str, Any]

PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ARGUMENTS: Final = '{"city":"Oslo"}'


@dataclass(frozen=True)
class Call:
    """A call of a tool, as a client reads it."""

    id: str
    name: str
    arguments: Json


@dataclass(frozen=True)
class Client:
    """path(model, stream) and bodies to ask with; readers of what comes back. broken: the words of a stream's error
    event, or None."""

    name: str
    path: Callable[[str, bool], str]
    ask: Callable[..., Json]
    text: Callable[[Json], str]
    calls: Callable[[Json], list[Call]]
    tokens: Callable[[Json], tuple[int, int]]
    model: Callable[[Json], str]
    error: Callable[[Json], str]
    streamed_text: Callable[[bytes], str]
    complete: Callable[[bytes], bool]
    broken: Callable[[bytes], str | None]


@dataclass(frozen=True)
class Provider:
    """config: what stands in routers.yaml under its name. Scripts of what it says."""

    name: str
    host: str
    config: str
    whole: Callable[[str], Script]
    stream: Callable[[Sequence[str]], list[bytes]]
    calling: Callable[[Json], Script]
    refusing: Callable[[int, str], Script]
    content_type: str = "text/event-stream"

    @property
    def router(self) -> str:
        return self.host.partition(".")[0]

    def streaming(self, words: Sequence[str] = ("Hel", "lo"), **how: Any) -> Script:
        return stream(self.stream(words), content_type=self.content_type, **how)


def events(raw: bytes) -> list[tuple[str, str]]:
    """Name and data of each server-sent event; what is no event is no stream of ours."""
    found = []
    for block in raw.decode().replace("\r\n", "\n").split("\n\n"):
        name, data = "", []
        for line in block.split("\n"):
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            else:
                assert not line or line.startswith(":"), line
        if data:
            found.append((name, "\n".join(data)))
    return found


def _payloads(raw: bytes) -> list[Json]:
    return [json.loads(data) for _, data in events(raw) if data != "[DONE]"]


def _chat_ask(
    model: str,
    *,
    stream: bool = False,
    image: bool = False,
    tools: bool = False,
    called: Call | None = None,
    result: str = "",
    schema: bool = False,
    **more: Any,
) -> Json:
    content: Any = "Where am I?"
    if image:
        url = f"data:image/png;base64,{PICTURE}"
        content = [{"type": "text", "text": content}, {"type": "image_url", "image_url": {"url": url}}]
    messages: list[Json] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    if called is not None:
        function: Json = {"name": called.name, "arguments": json.dumps(called.arguments)}
        messages.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": called.id, "type": "function", "function": function}],
            }
        )
        messages.append({"role": "tool", "tool_call_id": called.id, "content": result})
    body: Json = {"model": model, "messages": messages, **({"stream": True} if stream else {}), **more}
    if stream:
        body["stream_options"] = {"include_usage": True}
    if tools:
        function = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
        body["tools"] = [{"type": "function", "function": function}]
    if schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
        }
    return body


def _chat_broken(raw: bytes) -> str | None:
    for payload in _payloads(raw):
        if "error" in payload:
            return str(payload["error"]["message"])
    return None


CHAT: Final = Client(
    "openai-chat",
    lambda model, stream: "/v1/chat/completions",
    _chat_ask,
    lambda reply: reply["choices"][0]["message"]["content"],
    lambda reply: [
        Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in reply["choices"][0]["message"]["tool_calls"]
    ],
    lambda reply: (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]),
    lambda reply: reply["model"],
    lambda reply: reply["error"]["message"],
    lambda raw: "".join(
        choice["delta"].get("content") or "" for payload in _payloads(raw) for choice in payload.get("choices", ())
    ),
    lambda raw: raw.endswith(b"data: [DONE]\n\n"),
    _chat_broken,
)


def _responses_ask(
    model: str,
    *,
    stream: bool = False,
    image: bool = False,
    tools: bool = False,
    called: Call | None = None,
    result: str = "",
    schema: bool = False,
    **more: Any,
) -> Json:
    content: list[Json] = [{"type": "input_text", "text": "Where am I?"}]
    if image:
        content.append({"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "auto"})
    items: list[Json] = [{"role": "user", "content": content}]
    if called is not None:
        arguments = json.dumps(called.arguments)
        items.append({"type": "function_call", "call_id": called.id, "name": called.name, "arguments": arguments})
        items.append({"type": "function_call_output", "call_id": called.id, "output": result})
    body: Json = {"model": model, "instructions": "Be brief.", "input": items, **more}
    if stream:
        body["stream"] = True
    if tools:
        body["tools"] = [
            {"type": "function", "name": "weather", "description": "The weather.", "parameters": SCHEMA, "strict": True}
        ]
    if schema:
        body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    return body


def _responses_broken(raw: bytes) -> str | None:
    return next((payload["message"] for payload in _payloads(raw) if payload.get("type") == "error"), None)


RESPONSES: Final = Client(
    "openai-responses",
    lambda model, stream: "/v1/responses",
    _responses_ask,
    lambda reply: "".join(
        part["text"]
        for item in reply["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    ),
    lambda reply: [
        Call(item["call_id"], item["name"], json.loads(item["arguments"]))
        for item in reply["output"]
        if item["type"] == "function_call"
    ],
    lambda reply: (reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]),
    lambda reply: reply["model"],
    lambda reply: reply["error"]["message"],
    lambda raw: "".join(
        payload["delta"] for payload in _payloads(raw) if payload["type"] == "response.output_text.delta"
    ),
    lambda raw: any(name == "response.completed" for name, _ in events(raw)),
    _responses_broken,
)


def _messages_ask(
    model: str,
    *,
    stream: bool = False,
    image: bool = False,
    tools: bool = False,
    called: Call | None = None,
    result: str = "",
    schema: bool = False,
    **more: Any,
) -> Json:
    content: Any = "Where am I?"
    if image:
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
        content = [{"type": "text", "text": content}, {"type": "image", "source": source}]
    messages: list[Json] = [{"role": "user", "content": content}]
    if called is not None:
        use = {"type": "tool_use", "id": called.id, "name": called.name, "input": called.arguments}
        messages.append({"role": "assistant", "content": [use]})
        answer = {"type": "tool_result", "tool_use_id": called.id, "content": result}
        messages.append({"role": "user", "content": [answer]})
    body: Json = {"model": model, "max_tokens": 100, "system": "Be brief.", "messages": messages, **more}
    if stream:
        body["stream"] = True
    if tools:
        body["tools"] = [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]
    if schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return body


def _messages_broken(raw: bytes) -> str | None:
    return next((p["error"]["message"] for p in _payloads(raw) if p["type"] == "error"), None)


MESSAGES: Final = Client(
    "anthropic",
    lambda model, stream: "/v1/messages",
    _messages_ask,
    lambda reply: "".join(block["text"] for block in reply["content"] if block["type"] == "text"),
    lambda reply: [
        Call(block["id"], block["name"], block["input"]) for block in reply["content"] if block["type"] == "tool_use"
    ],
    lambda reply: (reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]),
    lambda reply: reply["model"],
    lambda reply: reply["error"]["message"],
    lambda raw: "".join(
        payload["delta"]["text"]
        for payload in _payloads(raw)
        if payload["type"] == "content_block_delta" and payload["delta"]["type"] == "text_delta"
    ),
    lambda raw: any(name == "message_stop" for name, _ in events(raw)),
    _messages_broken,
)


def _generate_ask(
    model: str,
    *,
    stream: bool = False,
    image: bool = False,
    tools: bool = False,
    called: Call | None = None,
    result: str = "",
    schema: bool = False,
    **more: Any,
) -> Json:
    parts: list[Json] = [{"text": "Where am I?"}]
    if image:
        parts.append({"inlineData": {"mimeType": "image/png", "data": PICTURE}})
    contents: list[Json] = [{"role": "user", "parts": parts}]
    if called is not None:
        use = {"name": called.name, "args": called.arguments}
        contents.append({"role": "model", "parts": [{"functionCall": use}]})
        answer = {"name": called.name, "response": {"result": result}}
        contents.append({"role": "user", "parts": [{"functionResponse": answer}]})
    config: Json = more.pop("config", {})
    if schema:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    body: Json = {"contents": contents, "systemInstruction": {"parts": [{"text": "Be brief."}]}, **more}
    if config:
        body["generationConfig"] = config
    if tools:
        declared = {"name": "weather", "description": "The weather.", "parametersJsonSchema": SCHEMA}
        body["tools"] = [{"functionDeclarations": [declared]}]
    return body


def _generate_path(model: str, stream: bool) -> str:
    return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")


def _generated(payload: Json) -> list[Json]:
    return [
        part for candidate in payload.get("candidates", ()) for part in candidate.get("content", {}).get("parts", ())
    ]


def _generate_broken(raw: bytes) -> str | None:
    return next((p["error"]["message"] for p in _payloads(raw) if "error" in p), None)


GENERATE: Final = Client(
    "gemini",
    _generate_path,
    _generate_ask,
    lambda reply: "".join(part.get("text", "") for part in _generated(reply)),
    lambda reply: [
        Call(part["functionCall"].get("id", ""), part["functionCall"]["name"], part["functionCall"]["args"])
        for part in _generated(reply)
        if "functionCall" in part
    ],
    lambda reply: (reply["usageMetadata"]["promptTokenCount"], reply["usageMetadata"]["candidatesTokenCount"]),
    lambda reply: reply["modelVersion"],
    lambda reply: reply["error"]["message"],
    lambda raw: "".join(part.get("text", "") for payload in _payloads(raw) for part in _generated(payload)),
    lambda raw: any(c.get("finishReason") for payload in _payloads(raw) for c in payload.get("candidates", ())),
    _generate_broken,
)

CLIENTS: Final = (CHAT, RESPONSES, MESSAGES, GENERATE)


def _chat_calling(arguments: Json) -> Script:
    reply = chat_reply("")
    function = {"name": "weather", "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    reply["choices"][0] |= {"finish_reason": "tool_calls"}
    reply["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    return ok(reply)


def _openai_refusing(code: int, message: str) -> Script:
    return status(code, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})


ASKED_CHAT: Final = Provider(
    "openai-chat",
    "chat.test",
    "{dialect: openai, base-url: 'http://chat.test/v1', models: ['*'], operations: [chat]}",
    lambda text: ok(chat_reply(text)),
    lambda words: chat_stream(words, tokens=(9, 3)),
    _chat_calling,
    _openai_refusing,
)


def _response(output: list[Json], status: str = "completed", usage: bool = True) -> Json:
    counted = {
        "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 12,
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1_800_000_000, "status": status, "model": "gpt-4o",
        "output": output, "usage": counted if usage else None, "error": None, "incomplete_details": None,
        "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto",
        "tools": [], "top_p": 1.0,
    }  # fmt: skip


def _output_message(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def _responses_stream(words: Sequence[str]) -> list[bytes]:
    item = {**_output_message(""), "content": [], "status": "in_progress"}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": []}
    text = "".join(words)
    payloads: list[Json] = [
        {"type": "response.created", "response": _response([], "in_progress", usage=False)},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": empty},
        *({"type": "response.output_text.delta", **place, "delta": word} for word in words),
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": {**empty, "text": text}},
        {"type": "response.output_item.done", "output_index": 0, "item": _output_message(text)},
        {"type": "response.completed", "response": _response([_output_message(text)])},
    ]
    return [sse({**payload, "sequence_number": n}, payload["type"]) for n, payload in enumerate(payloads)]


def _responses_calling(arguments: Json) -> Script:
    call = {
        "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "status": "completed",
        "arguments": json.dumps(arguments),
    }  # fmt: skip
    return ok(_response([call]))


ASKED_RESPONSES: Final = Provider(
    "openai-responses",
    "responses.test",
    "{dialect: openai, base-url: 'http://responses.test/v1', models: ['*'], operations: [responses]}",
    lambda text: ok(_response([_output_message(text)])),
    _responses_stream,
    _responses_calling,
    _openai_refusing,
)


def _messages_calling(arguments: Json) -> Script:
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": arguments}
    return ok({**message_reply(), "content": [use], "stop_reason": "tool_use"})


def _messages_refusing(code: int, message: str) -> Script:
    return status(code, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})


ASKED_MESSAGES: Final = Provider(
    "anthropic",
    "messages.test",
    "{dialect: anthropic, base-url: 'http://messages.test/v1', models: ['*']}",
    lambda text: ok(message_reply(text)),
    message_stream,
    _messages_calling,
    _messages_refusing,
)


def _generate_calling(arguments: Json) -> Script:
    reply = generate_reply("")
    reply["candidates"][0]["content"]["parts"] = [{"functionCall": {"name": "weather", "args": arguments}}]
    return ok(reply)


def _generate_refusing(code: int, message: str) -> Script:
    return status(code, {"error": {"code": code, "message": message, "status": "INVALID_ARGUMENT"}})


ASKED_GENERATE: Final = Provider(
    "gemini",
    "generate.test",
    "{dialect: gemini, base-url: 'http://generate.test/v1beta', models: ['*']}",
    lambda text: ok(generate_reply(text)),
    generate_stream,
    _generate_calling,
    _generate_refusing,
)


def _converse_reply(content: list[Json], stop: str = "end_turn") -> Json:
    usage = {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12}
    return {
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop, "usage": usage,
        "metrics": {"latencyMs": 7},
    }  # fmt: skip


def _converse_stream(words: Sequence[str]) -> list[bytes]:
    payloads: list[tuple[str, Json]] = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in words),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": _converse_reply([])["usage"], "metrics": {"latencyMs": 7}}),
    ]
    return [frame(name, json.dumps(payload).encode()) for name, payload in payloads]


def _converse_calling(arguments: Json) -> Script:
    use = {"toolUseId": "tooluse_1", "name": "weather", "input": arguments}
    return ok(_converse_reply([{"toolUse": use}], "tool_use"))


ASKED_CONVERSE: Final = Provider(
    "bedrock",
    "converse.test",
    "{dialect: bedrock, base-url: 'http://converse.test', models: ['*'], keys: ['${env:ALPHA_1}']}",
    lambda text: ok(_converse_reply([{"text": text}])),
    _converse_stream,
    _converse_calling,
    lambda code, message: status(code, {"message": message}),
    "application/vnd.amazon.eventstream",
)


def _cohere_reply(message: Json, finish: str = "COMPLETE") -> Json:
    counted = {"input_tokens": 9, "output_tokens": 3}
    return {
        "id": "c-1", "message": {"role": "assistant", **message}, "finish_reason": finish,
        "usage": {"billed_units": counted, "tokens": counted},
    }  # fmt: skip


def _cohere_stream(words: Sequence[str]) -> list[bytes]:
    content = {"type": "text", "text": ""}
    finished = {"finish_reason": "COMPLETE", "usage": _cohere_reply({})["usage"]}
    start = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}
    payloads: list[Json] = [
        {"type": "message-start", "id": "c-1", "delta": start},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": content}}},
        *({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}} for word in words),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": finished},
    ]
    return [sse(payload, payload["type"]) for payload in payloads]


def _cohere_calling(arguments: Json) -> Script:
    function = {"name": "weather", "arguments": json.dumps(arguments)}
    call = {"id": "weather_1", "type": "function", "function": function}
    return ok(_cohere_reply({"tool_plan": "I will look.", "tool_calls": [call]}, "TOOL_CALL"))


ASKED_COHERE: Final = Provider(
    "cohere",
    "cohere.test",
    "{base-url: 'http://cohere.test/v2', models: ['*'], keys: ['${env:ALPHA_2}']}",
    lambda text: ok(_cohere_reply({"content": [{"type": "text", "text": text}]})),
    _cohere_stream,
    _cohere_calling,
    lambda code, message: status(code, {"id": "c-1", "message": message}),
)


def _ollama_reply(message: Json, done: bool = True) -> Json:
    reply: Json = {"model": "llama3", "created_at": "2026-11-01T00:00:00Z", "done": done}
    reply["message"] = {"role": "assistant", **message}
    if done:
        reply |= {"done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3, "total_duration": 5}
    return reply


def _ollama_calling(arguments: Json) -> Script:
    return ok(_ollama_reply({"content": "", "tool_calls": [{"function": {"name": "weather", "arguments": arguments}}]}))


ASKED_OLLAMA: Final = Provider(
    "ollama-native",
    "ollama.test",
    "{dialect: ollama, base-url: 'http://ollama.test', models: ['*']}",
    lambda text: ok(_ollama_reply({"content": text})),
    lambda words: [
        json.dumps(piece).encode() + b"\n"
        for piece in (*(_ollama_reply({"content": word}, done=False) for word in words), _ollama_reply({"content": ""}))
    ],
    _ollama_calling,
    lambda code, message: status(code, {"error": message}),
    "application/x-ndjson",
)

PROVIDERS: Final = (
    ASKED_CHAT, ASKED_RESPONSES, ASKED_MESSAGES, ASKED_GENERATE, ASKED_CONVERSE, ASKED_COHERE, ASKED_OLLAMA,
)  # fmt: skip

HOUSE: Final = "\n".join(
    [
        "providers:",
        *(f"  {provider.name}: {provider.config}" for provider in PROVIDERS),
        "routers:",
        *(
            f"  {provider.router}: {{load-balance: {{chat: {{providers: [{provider.name}]}}}}}}"
            for provider in PROVIDERS
        ),
    ]
)
"""A router for each provider, named as its host is."""
