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
    CacheMark,
    Format,
    HostedTool,
    Reasoning,
    Request,
    Sampling,
    Tool,
    ToolChoice,
)
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.message_reader import Conversation, cache_of
from gateway.dialects.openai_sampling import EFFORTS
from gateway.dialects.openai_words import (
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
    system, messages = Conversation(asked.messages).read()
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
            found.append(_function(tool.function, f"{at}.function", cache_of(tool.cache_control, None)))
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
