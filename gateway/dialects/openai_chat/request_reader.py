"""A chat completions request becomes a canonical one.

The law it keeps: a member is read, or it is named in `unread`, or the client is told where it is wrong. Nothing but
GatewayError leaves this module.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call
from gateway.dialects.body import read
from gateway.dialects.canonical import (
    Audio,
    CacheMark,
    Document,
    Format,
    HostedTool,
    Image,
    Message,
    Part,
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
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.thoughts import mistral_thinking, plain_thought, thoughts_of
from gateway.dialects.openai_words import (
    AUDIO_TYPES,
    EFFORTS,
    address,
    base64,
    cache_mark,
    file_type,
    hosted_kind,
    invalid,
    opens,
)
from gateway.dialects.unread import shape_of, unread

_BODY: Final = msgspec.json.Decoder(wire.Body)
_TOOL: Final = msgspec.json.Decoder(wire.Tool)
_encode: Final = msgspec.json.encode
_SHAPE: Final = shape_of(wire.Body)
_TOOL_SHAPE: Final = shape_of(wire.Tool)
_NOTHING: Final = (b"", b"null")


def read_request(body: bytes, call: Call) -> Request:
    """Raises GatewayError `malformed_body` or `invalid_request`, with the place in `param`."""
    asked = read(_BODY, body)
    if not asked.messages:
        raise invalid("messages", "at least one message is due")
    untold = list(unread(body, _SHAPE))
    tools = _tools(asked, untold)
    system, messages = _Conversation(asked.messages).read()
    if asked.store:
        untold.append("store")
    return Request(
        model=asked.model or call.model,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=_tool_choice(asked),
        format=_format(asked.response_format),
        reasoning=_reasoning(asked),
        sampling=_sampling(asked),
        max_tokens=asked.max_completion_tokens if asked.max_completion_tokens is not None else asked.max_tokens,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        n=1 if asked.n is None else asked.n,
        stream=bool(asked.stream),
        wants_usage=asked.stream_options is not None and bool(asked.stream_options.include_usage),
        user=asked.safety_identifier or asked.user or "",
        metadata=None if bytes(asked.metadata) in _NOTHING else asked.metadata,
        service_tier=asked.service_tier or "",
        modalities=tuple(asked.modalities or ()),
        unread=tuple(untold),
        legacy_calls=bool(asked.functions) and not asked.tools,
    )


def _sampling(asked: wire.Body) -> Sampling:
    wanted = None
    if asked.logprobs or asked.top_logprobs:
        wanted = asked.top_logprobs or 0
    return Sampling(
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        seed=asked.seed,
        logprobs=wanted,
    )


def _reasoning(asked: wire.Body) -> Reasoning | None:
    level, budget, visible = asked.reasoning_effort, None, None
    at = "reasoning_effort"
    if (router := asked.reasoning) is not None:
        level, at = level or router.effort, "reasoning.effort"
        budget = router.max_tokens
        visible = None if router.exclude is None else not router.exclude
        if router.enabled is False and level is None:
            level = "none"
        elif router.enabled and level is None and budget is None:
            budget = -1
    if (thinking := asked.thinking) is not None and level is None:
        match thinking.type:
            case "disabled":
                level = "none"
            case "enabled" | "adaptive":
                budget = -1 if thinking.budget_tokens is None else thinking.budget_tokens
            case _:
                raise invalid("thinking.type", "it is `enabled`, `adaptive` or `disabled`")
    if level is not None and level not in EFFORTS:
        raise invalid(at, f"it is one of {', '.join(EFFORTS)}")
    if level is None and budget is None and visible is None:
        return None
    return Reasoning(effort=EFFORTS[level] if level is not None else None, budget=budget, visible=visible)


def _format(found: wire.ResponseFormat | None) -> Format | None:
    if found is None:
        return None
    match found.type:
        case "text":
            return None
        case "json_object":
            return Format(kind="json")
        case "json_schema":
            schema = found.json_schema
            if schema is None or not opens(schema.schema, b"{"):
                raise invalid("response_format.json_schema.schema", "a JSON Schema is due")
            return Format(
                kind="schema",
                name=schema.name or "",
                description=schema.description or "",
                schema=schema.schema,
                strict=schema.strict,
            )
        case _:
            raise invalid("response_format.type", "it is `text`, `json_object` or `json_schema`")


def _tools(asked: wire.Body, untold: list[str]) -> tuple[Tool | HostedTool, ...]:
    found: list[Tool | HostedTool] = []
    for index, raw in enumerate(asked.tools or ()):
        at = f"tools[{index}]"
        try:
            tool = _TOOL.decode(raw)
        except msgspec.MsgspecError as error:
            raise invalid(at, str(error)) from None
        if tool.type == "function" or (tool.type is None and tool.function is not None):
            if tool.function is None:
                raise invalid(f"{at}.function", "a function is due")
            untold += unread(raw, _TOOL_SHAPE, f"{at}.")
            found.append(_function(tool.function, f"{at}.function", _cache(tool.cache_control, None)))
        elif tool.type:
            found.append(HostedTool(kind=hosted_kind(tool.type), vendor="openai", body=raw))
        else:
            raise invalid(f"{at}.type", "the type of the tool is due, such as `function`")
    for index, definition in enumerate(asked.functions or ()):
        found.append(_function(definition, f"functions[{index}]", None))
    if opens(asked.web_search_options, b"{"):
        found.append(HostedTool(kind="web-search", vendor="openai", body=asked.web_search_options))
    return tuple(found)


def _function(definition: wire.Definition, at: str, cache: CacheMark | None) -> Tool:
    if not definition.name:
        raise invalid(f"{at}.name", "a name is due")
    return Tool(
        name=definition.name,
        description=definition.description or "",
        parameters=definition.parameters if opens(definition.parameters, b"{") else None,
        strict=definition.strict,
        cache=cache,
    )


def _tool_choice(asked: wire.Body) -> ToolChoice | None:
    choice, parallel = asked.tool_choice, asked.parallel_tool_calls
    match choice:
        case None:
            return _legacy_choice(asked.function_call, parallel)
        case "auto" | "none":
            return ToolChoice(mode=choice, parallel=parallel)
        case "required" | "any":
            return ToolChoice(mode="any", parallel=parallel)
        case str():
            raise invalid("tool_choice", "it is `auto`, `none`, `required` or an object that names a tool")
        case wire.Choice():
            return _object_choice(choice, parallel)


def _object_choice(choice: wire.Choice, parallel: bool | None) -> ToolChoice:
    if (allowed := choice.allowed_tools) is not None:
        names = tuple(tool.function.name for tool in allowed.tools or () if tool.function and tool.function.name)
        return ToolChoice(mode="any" if allowed.mode == "required" else "auto", allowed=names, parallel=parallel)
    named = choice.function or choice.custom
    if named is None or not named.name:
        raise invalid("tool_choice.function.name", "the name of a tool is due")
    return ToolChoice(mode="tool", name=named.name, parallel=parallel)


def _legacy_choice(choice: str | wire.Named | None, parallel: bool | None) -> ToolChoice | None:
    match choice:
        case None:
            return None if parallel is None else ToolChoice(parallel=parallel)
        case "auto" | "none":
            return ToolChoice(mode=choice, parallel=parallel)
        case wire.Named(name=str(name)) if name:
            return ToolChoice(mode="tool", name=name, parallel=parallel)
        case _:
            raise invalid("function_call", "it is `auto`, `none` or an object with a name")


class _Conversation:
    """The messages, in order, with what later ones must know of earlier ones: which tool a call was of."""

    def __init__(self, found: list[wire.Message]) -> None:
        self._found = found
        self._names: dict[str, str] = {}
        self._legacy: dict[str, str] = {}
        self._system: list[Part] = []
        self._messages: list[Message] = []
        self._results: list[Part] = []

    def read(self) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
        for index, message in enumerate(self._found):
            self._read(message, f"messages[{index}]", index)
        self._flush()
        return tuple(self._system), tuple(self._messages)

    def _read(self, message: wire.Message, at: str, index: int) -> None:
        role = message.role
        if role in ("tool", "function"):
            self._results.append(self._result(message, at))
            return
        self._flush()
        match role:
            case "system" | "developer":
                parts = _content(message, at)
                if self._messages:
                    self._messages.append(Message("system", parts, message.name or ""))
                else:
                    self._system += parts
            case "user":
                if message.content is None:
                    raise invalid(f"{at}.content", "a string or a list of parts is due")
                self._messages.append(Message("user", _content(message, at), message.name or ""))
            case "assistant":
                self._messages.append(Message("assistant", self._assistant(message, at, index), message.name or ""))
            case None:
                raise invalid(f"{at}.role", "a role is due")
            case _:
                raise invalid(f"{at}.role", "it is system, developer, user, assistant, tool or function")

    def _flush(self) -> None:
        if self._results:
            self._messages.append(Message("user", tuple(self._results)))
            self._results = []

    def _result(self, message: wire.Message, at: str) -> ToolResult:
        if message.role == "function":
            name = message.name or ""
            identity = self._legacy.get(name, name)
        else:
            identity = message.tool_call_id or ""
            name = message.name or self._names.get(identity, "")
        if not identity:
            raise invalid(f"{at}.tool_call_id", "the id of the call that this answers is due")
        return ToolResult(
            id=identity, name=name, content=_content(message, at), cache=_cache(message.cache_control, None)
        )

    def _assistant(self, message: wire.Message, at: str, index: int) -> tuple[Part, ...]:
        parts: list[Part] = list(
            thoughts_of(
                message.thinking_blocks,
                message.reasoning_details,
                plain_thought(message.reasoning_content, message.reasoning),
            )
        )
        parts += _content(message, at)
        if message.refusal:
            parts.append(Refusal(text=message.refusal))
        if message.audio is not None and message.audio.id:
            parts.append(Audio(id=message.audio.id))
        for number, call in enumerate(message.tool_calls or ()):
            parts.append(self._call(call, f"{at}.tool_calls[{number}]"))
        if (function := message.function_call) is not None:
            if not function.name:
                raise invalid(f"{at}.function_call.name", "a name is due")
            identity = f"call_{index}"
            self._legacy[function.name] = identity
            parts.append(ToolUse(id=identity, name=function.name, arguments=wire.arguments_of(function)))
        return tuple(parts)

    def _call(self, call: wire.ToolCall, at: str) -> ToolUse:
        function, custom = call.function, call.custom
        if function is not None:
            name, arguments = function.name, wire.arguments_of(function)
        elif custom is not None:
            name, arguments = custom.name, _encode({"input": custom.input or ""}).decode()
        else:
            raise invalid(f"{at}.function", "a function is due")
        if not name:
            raise invalid(f"{at}.function.name", "a name is due")
        identity = call.id or ""
        self._names[identity] = name
        return ToolUse(id=identity, name=name, arguments=arguments, signature=wire.signature_of(call))


def _content(message: wire.Message, at: str) -> tuple[Part, ...]:
    content = message.content
    if content is None:
        return ()
    if isinstance(content, str):
        # An empty string beside tool calls is how many clients write nothing.
        if not content and message.role == "assistant":
            return ()
        return (Text(text=content, cache=_cache(message.cache_control, None)),)
    return tuple(_part(piece, f"{at}.content[{index}]") for index, piece in enumerate(content))


def _part(piece: wire.Piece, at: str) -> Part:
    cache = _cache(piece.cache_control, piece.prompt_cache_breakpoint)
    match piece.type:
        case "text":
            if piece.text is None:
                raise invalid(f"{at}.text", "a string is due")
            return Text(text=piece.text, cache=cache)
        case "image_url":
            return _image(piece.image_url, f"{at}.image_url", cache)
        case "input_audio":
            return _audio(piece.input_audio, f"{at}.input_audio", cache)
        case "file":
            return _document(piece.file, f"{at}.file", cache)
        case "refusal":
            return Refusal(text=piece.refusal or piece.text or "", cache=cache)
        case "thinking":
            return Thinking(text=mistral_thinking(piece.thinking), cache=cache)
        case None:
            raise invalid(f"{at}.type", "the type of the part is due, such as `text`")
        case _:
            raise invalid(f"{at}.type", "no such part is known; it is text, image_url, input_audio, file or refusal")


def _image(found: wire.ImageUrl | str | None, at: str, cache: CacheMark | None) -> Image:
    if found is None:
        raise invalid(at, "an object with a url is due")
    if isinstance(found, str):
        found = wire.ImageUrl(msgspec.Raw(_encode(found)))
    else:
        at = f"{at}.url"
    url, media_type, content = address(found.url, at)
    return Image(url=url, content=content, media_type=media_type, detail=found.detail or "", cache=cache)


def _audio(found: wire.InputAudio | None, at: str, cache: CacheMark | None) -> Audio:
    if found is None:
        raise invalid(at, "an object with data and format is due")
    kind = found.format or "wav"
    return Audio(
        content=base64(found.data, f"{at}.data"), media_type=AUDIO_TYPES.get(kind, f"audio/{kind}"), cache=cache
    )


def _document(found: wire.File | None, at: str, cache: CacheMark | None) -> Document:
    if found is None:
        raise invalid(at, "an object with file_data or file_id is due")
    name = found.filename or ""
    if not opens(found.file_data, b'"'):
        if not found.file_id:
            raise invalid(at, "file_data or file_id is due")
        return Document(file=found.file_id, name=name, cache=cache)
    at = f"{at}.file_data"
    url, media_type, content = address(found.file_data, at)
    if content is None and not url.startswith(("http://", "https://")):
        url, content = "", base64(found.file_data, at)
    return Document(url=url, content=content, media_type=media_type or file_type(name), name=name, cache=cache)


def _cache(mark: wire.CacheControl | None, breakpoint_: wire.Breakpoint | None) -> CacheMark | None:
    if mark is not None:
        return cache_mark(mark.ttl == "1h")
    return cache_mark(breakpoint_.ttl == "12h") if breakpoint_ is not None else None
