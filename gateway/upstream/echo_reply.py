"""What echo answers to a chat request, as pure functions.

What lives here: the fields of a request that echo looks at, the answer to it, and the answer as
OpenAI writes it, whole or in chunks, with every field that a strict client demands. Tokens are words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

Json = dict[str, object]
Schema = Json | bool

MAX_DEPTH: Final = 8
"""Levels of a schema that are followed: one that contains itself must end somewhere."""

FINGERPRINT: Final = "fp_echo"


class Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""


class Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class Function(msgspec.Struct):
    name: str
    parameters: Schema | None = None


class Tool(msgspec.Struct):
    type: str = "function"
    function: Function | None = None


class NamedFunction(msgspec.Struct):
    name: str


class NamedTool(msgspec.Struct):
    type: str = "function"
    function: NamedFunction | None = None


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """What is read of a chat request; other fields are accepted and ignored."""

    model: str
    messages: list[Message]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedTool | None = None


class Answer(msgspec.Struct, frozen=True):
    """text or a call, never both. arguments: JSON text."""

    reply_id: str
    created: int
    model: str
    prompt_tokens: int
    text: str = ""
    tool: str = ""
    arguments: str = ""

    @property
    def completion_tokens(self) -> int:
        return len((self.text or self.arguments).split())


def answer(asked: ChatRequest, *, reply_id: str, created: int) -> Answer:
    """A tool call when there is a tool to call and the user has spoken last, else text. `messages`
    must not be empty."""
    last = asked.messages[-1]
    prompt_tokens = sum(len(read_text(message).split()) for message in asked.messages)
    called = choose_tool(asked) if last.role == "user" else None
    if called is not None:
        arguments = msgspec.json.encode(make_example(called.parameters or {})).decode()
        return Answer(reply_id, created, asked.model, prompt_tokens, tool=called.name, arguments=arguments)
    if last.role in ("tool", "function"):
        text = f"The tool said: {read_text(last)}"
    else:
        spoken = next((m for m in reversed(asked.messages) if m.role == "user"), last)
        text = f"You said: {read_text(spoken)}"
    return Answer(reply_id, created, asked.model, prompt_tokens, text=text)


def choose_tool(asked: ChatRequest) -> Function | None:
    """The tool that tool_choice names, else the first; None when there is none or none may be called."""
    if asked.tool_choice == "none":
        return None
    functions = [tool.function for tool in asked.tools or () if tool.function is not None]
    if isinstance(asked.tool_choice, NamedTool) and asked.tool_choice.function is not None:
        named = asked.tool_choice.function.name
        return next((function for function in functions if function.name == named), None)
    return functions[0] if functions else None


def read_text(message: Message) -> str:
    """The text of a message; parts that are no text are left out."""
    content = message.content
    if isinstance(content, list):
        return " ".join(part.text for part in content if part.text)
    return content or ""


def make_example(schema: Schema, root: Schema | None = None, depth: int = 0) -> object:
    """The smallest value that a plain JSON schema allows: objects with their required fields only.
    Follows enum, const, default, anyOf, oneOf, allOf (its first) and `$ref` inside the document."""
    if isinstance(schema, bool) or depth > MAX_DEPTH:
        return None
    root = schema if root is None else root
    if "const" in schema:
        return schema["const"]
    if "default" in schema:
        return schema["default"]
    if (allowed := schema.get("enum")) and isinstance(allowed, list):
        return allowed[0]
    target = schema.get("$ref")
    if isinstance(target, str):
        return make_example(_resolve(root, target), root, depth + 1)
    for either in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(either)
        if isinstance(choices, list) and choices:
            return make_example(_as_schema(choices[0]), root, depth + 1)
    return _make_typed(schema, root, depth)


def _make_typed(schema: Json, root: Schema, depth: int) -> object:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    match kind:
        case "string":
            shortest = schema.get("minLength")
            return "text" if not isinstance(shortest, int) or shortest <= 4 else "x" * shortest
        case "integer" | "number":
            lowest = schema.get("minimum")
            return lowest if isinstance(lowest, (int, float)) else 1
        case "boolean":
            return True
        case "array":
            fewest = schema.get("minItems")
            item = make_example(_as_schema(schema.get("items", {})), root, depth + 1)
            return [item] * (fewest if isinstance(fewest, int) else 0)
        case "object" | None:
            fields = schema.get("properties")
            required = schema.get("required")
            if not isinstance(fields, dict) or not isinstance(required, list):
                return {}
            return {name: make_example(_as_schema(fields.get(name, {})), root, depth + 1) for name in required}
        case _:
            return None


def _as_schema(found: object) -> Schema:
    return found if isinstance(found, (dict, bool)) else {}


def _resolve(root: Schema, reference: str) -> Schema:
    found: object = root
    for step in filter(None, reference.removeprefix("#").split("/")):
        found = found.get(step) if isinstance(found, dict) else None
    return _as_schema(found)


def describe_usage(said: Answer) -> Json:
    used = said.completion_tokens
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": used,
        "total_tokens": said.prompt_tokens + used,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def describe_whole(said: Answer) -> Json:
    """A `chat.completion`."""
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None, "annotations": []}
    if said.tool:
        message["tool_calls"] = [_describe_call(said)]
    return {
        "id": said.reply_id,
        "object": "chat.completion",
        "created": said.created,
        "model": said.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}],
        "usage": describe_usage(said),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def iterate_events(said: Answer, *, with_usage: bool) -> Iterator[Json]:
    """The `chat.completion.chunk`s: the role, a chunk for each word or the call in two halves, the
    finish, and the usage when wanted (the others then say `usage: null`, as OpenAI's do)."""
    if said.tool:
        opening = {**_describe_call(said), "index": 0, "function": {"name": said.tool, "arguments": ""}}
        yield _chunk(said, {"role": "assistant", "content": None, "refusal": None, "tool_calls": [opening]}, with_usage)
        half = len(said.arguments) // 2
        for piece in (said.arguments[:half], said.arguments[half:]):
            yield _chunk(said, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, with_usage)
    else:
        yield _chunk(said, {"role": "assistant", "content": "", "refusal": None}, with_usage)
        for number, word in enumerate(said.text.split(" ")):
            yield _chunk(said, {"content": f" {word}" if number else word}, with_usage)
    yield _chunk(said, {}, with_usage, _finish(said))
    if with_usage:
        yield {**_chunk(said, {}, with_usage), "choices": [], "usage": describe_usage(said)}


def _chunk(said: Answer, delta: Json, with_usage: bool, finish: str | None = None) -> Json:
    event: Json = {
        "id": said.reply_id,
        "object": "chat.completion.chunk",
        "created": said.created,
        "model": said.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    if with_usage:
        event["usage"] = None
    return event


def _describe_call(said: Answer) -> Json:
    return {
        "id": f"call_{said.reply_id.removeprefix('chatcmpl-')}",
        "type": "function",
        "function": {"name": said.tool, "arguments": said.arguments},
    }


def _finish(said: Answer) -> str:
    return "tool_calls" if said.tool else "stop"
