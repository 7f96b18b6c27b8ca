"""A client's Messages request, read into the canonical form.

Lives here: reading alone. Law: nothing but GatewayError is raised, with the field in `param`; what is not translated is
named in `unread`, or in `lost` where the request means something else without it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call
from gateway.dialects.anthropic import request_body as wire
from gateway.dialects.anthropic.content_reader import ContentReader, inner, invalid, mark_of
from gateway.dialects.anthropic.words import EMPTY, is_object
from gateway.dialects.body import Number, read
from gateway.dialects.canonical import (
    CacheMark,
    Effort,
    Format,
    HostedTool,
    Loss,
    Message,
    Reasoning,
    Request,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from gateway.dialects.unread import Shape, unread

_BODY: Final = msgspec.json.Decoder(wire.Body)
_TOOL: Final = msgspec.json.Decoder(wire.Tool)
_SHAPE: Final = Shape(wire.Body)
_TOOL_SHAPE: Final = Shape(wire.Tool)

_EFFORTS: Final[dict[str, Effort]] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "max", "max": "max"}
_HOSTED: Final = (
    ("web_search_", "web-search"),
    ("code_execution_", "code-execution"),
    ("web_fetch_", "url-context"),
    ("computer_", "computer"),
)
# Without these a request is another one: where it may be computed, what is in the model's container.
_WEIGHTY: Final = ("inference_geo", "container")


def read_request(body: bytes, call: Call) -> Request:
    """Raises GatewayError: malformed_body, invalid_request."""
    asked = read(_BODY, body)
    if asked.messages is None:
        raise invalid("messages", "a list of messages is due")
    reader = ContentReader()
    reader.unread += unread(body, _SHAPE)
    system = reader.system(asked.system)
    messages: list[Message] = []
    for at, turn in enumerate(asked.messages):
        message = reader.turn(turn, f"messages[{at}]")
        if message.role == "system" and not messages:
            system += message.parts
        else:
            messages.append(message)
    if asked.cache_control is not None:
        _mark_last(messages, mark_of(asked.cache_control))
    tools = _tools(reader, asked.tools or [], asked.mcp_servers or [])
    sampling = Sampling(temperature=_float(asked.temperature), top_p=_float(asked.top_p), top_k=_whole(asked.top_k))
    reasoning = _reasoning(reader, asked.thinking, asked.output_config)
    shaped = _format(reader, asked)
    names, weighty = _weigh(reader.unread)
    return Request(
        model=asked.model or call.model,
        messages=tuple(messages),
        system=system,
        tools=tools,
        tool_choice=_tool_choice(asked.tool_choice),
        format=shaped,
        reasoning=reasoning,
        sampling=sampling,
        max_tokens=_whole(asked.max_tokens),
        stop=tuple(asked.stop_sequences or ()),
        stream=asked.stream is True,
        wants_usage=True,
        user=(asked.metadata.user_id or "") if asked.metadata is not None else "",
        service_tier=asked.service_tier or "",
        unread=names,
        lost=(*weighty, *reader.lost),
    )


def _tools(
    reader: ContentReader, tools: list[msgspec.Raw], servers: list[msgspec.Raw]
) -> tuple[Tool | HostedTool, ...]:
    found: list[Tool | HostedTool] = []
    for number, raw in enumerate(tools):
        at = f"tools[{number}]"
        tool = inner(_TOOL, raw, at)
        if tool is None:
            raise invalid(at, "an object is due")
        if tool.type not in (None, "custom"):
            found.append(HostedTool(kind=_hosted_kind(tool.type), vendor="anthropic", body=raw))
            continue
        if not tool.name:
            raise invalid(f"{at}.name", "a tool has a name")
        reader.unread += unread(raw, _TOOL_SHAPE, f"{at}.")
        schema = None if tool.input_schema in (EMPTY, b"null") else tool.input_schema
        found.append(
            Tool(
                name=tool.name,
                description=tool.description or "",
                parameters=schema,
                strict=tool.strict,
                cache=mark_of(tool.cache_control),
            )
        )
    found.extend(HostedTool(kind="mcp", vendor="anthropic", body=raw) for raw in servers)
    return tuple(found)


def _reasoning(
    reader: ContentReader, thinking: wire.Thinking | None, output: wire.OutputConfig | None
) -> Reasoning | None:
    effort = _EFFORTS.get(output.effort or "") if output is not None else None
    if output is not None and output.effort is not None and effort is None:
        reader.unread.append("output_config.effort")
    if thinking is None:
        return Reasoning(effort=effort) if effort is not None else None
    visible = None if thinking.display is None else thinking.display != "omitted"
    match thinking.type:
        case "enabled":
            budget = _whole(thinking.budget_tokens)
            if budget is None:
                raise invalid("thinking.budget_tokens", "a number of tokens is due")
            return Reasoning(effort=effort, budget=max(budget, 0), visible=visible)
        case "adaptive":
            return Reasoning(effort=effort, budget=-1, visible=visible)
        case "disabled" | "between_tools":
            return Reasoning(effort="none")
        case _:
            raise invalid("thinking.type", "`enabled`, `adaptive` or `disabled` is due")


def _format(reader: ContentReader, asked: wire.Body) -> Format | None:
    shaped = asked.output_config.format if asked.output_config is not None else None
    shaped = shaped or asked.output_format
    if shaped is None:
        return None
    if shaped.type != "json_schema" or not is_object(shaped.schema):
        raise invalid("output_config.format", "`json_schema` with an object as its `schema` is due")
    return Format(kind="schema", name=shaped.name or "", schema=shaped.schema, strict=True)


def _mark_last(messages: list[Message], mark: CacheMark | None) -> None:
    """`cache_control` of the request itself stands for a mark on its last block."""
    if messages and messages[-1].parts:
        last = messages[-1]
        part = last.parts[-1]
        if part.cache is None and not isinstance(part, Thinking):
            marked = msgspec.structs.replace(part, cache=mark)
            messages[-1] = Message(last.role, (*last.parts[:-1], marked), last.name)


def _hosted_kind(kind: str | None) -> str:
    name = kind or ""
    for prefix, known in _HOSTED:
        if name.startswith(prefix):
            return known
    return name


def _tool_choice(choice: wire.ToolChoice | None) -> ToolChoice | None:
    if choice is None:
        return None
    parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
    match choice.type:
        case "auto":
            return ToolChoice(mode="auto", parallel=parallel)
        case "any":
            return ToolChoice(mode="any", parallel=parallel)
        case "none":
            return ToolChoice(mode="none", parallel=parallel)
        case "tool" if choice.name:
            return ToolChoice(mode="tool", name=choice.name, parallel=parallel)
        case _:
            raise invalid("tool_choice", "`auto`, `any`, `none`, or `tool` with a name is due")


def _weigh(names: list[str]) -> tuple[tuple[str, ...], tuple[Loss, ...]]:
    """The unread members, and those of them that matter."""
    weighty = tuple(Loss(name, "meaning", "no other provider has it") for name in names if name in _WEIGHTY)
    return tuple(name for name in names if name not in _WEIGHTY), weighty


def _whole(value: Number) -> int | None:
    return None if value is None else int(min(max(value, -(2**31)), 2**31 - 1))


def _float(value: Number) -> float | None:
    return None if value is None else float(min(max(value, -1e9), 1e9))
