"""A Responses request becomes a canonical one.

The law it keeps: a member is read, or it is named in `unread` or `lost`, or the client is told where it is wrong. What
OpenAI alone keeps or runs (a stored conversation, a background job, a stored prompt) is in `lost`, for without it the
request means something else. Nothing but GatewayError leaves this module.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call
from gateway.dialects.body import read
from gateway.dialects.canonical import (
    Format,
    HostedTool,
    Loss,
    Reasoning,
    Request,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)
from gateway.dialects.openai_responses import request_body as wire
from gateway.dialects.openai_responses.input_reader import InputReader
from gateway.dialects.openai_sampling import EFFORTS
from gateway.dialects.openai_words import cache_mark, hosted_kind, invalid, opens
from gateway.dialects.unread import shape_of, unread

_BODY: Final = msgspec.json.Decoder(wire.Body)
_TOOL: Final = msgspec.json.Decoder(wire.Tool)
_SHAPE: Final = shape_of(wire.Body)
_TOOL_SHAPE: Final = shape_of(wire.Tool)
_FREE_TEXT: Final = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)
_LOGPROBS: Final = "message.output_text.logprobs"
_ENCRYPTED: Final = "reasoning.encrypted_content"


def read_request(body: bytes, call: Call) -> Request:
    """Raises GatewayError `malformed_body` or `invalid_request`, with the place in `param`."""
    asked = read(_BODY, body)
    lost = _kept_elsewhere(asked)
    untold = [*unread(body, _SHAPE), *_told(asked)]
    if asked.input is None and not any(
        loss.field in ("prompt", "previous_response_id", "conversation") for loss in lost
    ):
        raise invalid("input", "a string or a list of items is due")
    tools = _tools(asked, lost, untold)
    reader = InputReader(lost, untold)
    if isinstance(asked.instructions, str):
        reader.system.append(Text(text=asked.instructions))
    elif asked.instructions:
        reader.take(asked.instructions, "instructions")
    if isinstance(asked.input, str):
        reader.say(asked.input)
    elif asked.input:
        reader.take(asked.input, "input")
    system, messages = reader.read()
    # Of an item that is lost as a whole, what was in it need not be said.
    gone = {loss.field for loss in lost}
    return Request(
        model=asked.model or call.model,
        messages=messages,
        system=system,
        tools=tools,
        tool_choice=_tool_choice(asked, lost),
        format=_format(asked.text.format if asked.text is not None else None),
        reasoning=_reasoning(asked.reasoning),
        sampling=_sampling(asked),
        max_tokens=asked.max_output_tokens,
        stream=bool(asked.stream),
        wants_usage=True,
        user=asked.safety_identifier or asked.user or "",
        metadata=asked.metadata if opens(asked.metadata, b"{") and bytes(asked.metadata) != b"{}" else None,
        service_tier=asked.service_tier or "",
        unread=tuple(name for name in untold if name.partition(".")[0] not in gone),
        lost=tuple(lost),
        custom_tools=tuple(tool.name for tool in tools if isinstance(tool, Tool) and tool.parameters is _FREE_TEXT),
    )


def _kept_elsewhere(asked: wire.Body) -> list[Loss]:
    lost: list[Loss] = []
    if asked.previous_response_id:
        lost.append(Loss("previous_response_id", "meaning", "the earlier turns are kept by the provider that answered"))
    if opens(asked.conversation, b"{") or opens(asked.conversation, b'"'):
        lost.append(Loss("conversation", "meaning", "the conversation is kept by another provider"))
    if opens(asked.prompt, b"{"):
        lost.append(Loss("prompt", "meaning", "the prompt is kept by another provider"))
    if asked.background:
        lost.append(Loss("background", "meaning", "the target answers at once or not at all"))
    return lost


def _told(asked: wire.Body) -> list[str]:
    """Hints that have no place in the canonical form."""
    told = [f"include[{name}]" for name in asked.include or () if name not in (_LOGPROBS, _ENCRYPTED)]
    if asked.store:
        told.append("store")
    if asked.truncation not in (None, "disabled"):
        told.append("truncation")
    return told


def _sampling(asked: wire.Body) -> Sampling:
    wanted = None
    if asked.top_logprobs or _LOGPROBS in (asked.include or ()):
        wanted = asked.top_logprobs or 0
    return Sampling(temperature=asked.temperature, top_p=asked.top_p, logprobs=wanted)


def _reasoning(found: wire.ReasoningIn | None) -> Reasoning | None:
    if found is None:
        return None
    level = found.effort
    if level is not None and level not in EFFORTS:
        raise invalid("reasoning.effort", f"it is one of {', '.join(EFFORTS)}")
    visible = True if found.summary or found.generate_summary else None
    if level is None and visible is None:
        return None
    return Reasoning(effort=EFFORTS[level] if level is not None else None, visible=visible)


def _format(found: wire.TextFormat | None) -> Format | None:
    if found is None:
        return None
    match found.type:
        case "text":
            return None
        case "json_object":
            return Format(kind="json")
        case "json_schema":
            if not opens(found.schema, b"{"):
                raise invalid("text.format.schema", "a JSON Schema is due")
            return Format(
                kind="schema",
                name=found.name or "",
                description=found.description or "",
                schema=found.schema,
                strict=found.strict,
            )
        case _:
            raise invalid("text.format.type", "it is `text`, `json_object` or `json_schema`")


def _tools(asked: wire.Body, lost: list[Loss], untold: list[str]) -> tuple[Tool | HostedTool, ...]:
    found: list[Tool | HostedTool] = []
    for index, raw in enumerate(asked.tools or ()):
        at = f"tools[{index}]"
        try:
            tool = _TOOL.decode(raw)
        except msgspec.MsgspecError as error:
            raise invalid(at, str(error)) from None
        if tool.type == "custom" and tool.name:
            lost.append(Loss(at, "changed", "a custom tool: its free text is an argument of a function"))
            found.append(Tool(name=tool.name, description=_described(tool), parameters=_FREE_TEXT))
            continue
        if tool.type != "function":
            if not tool.type:
                raise invalid(f"{at}.type", "the type of the tool is due, such as `function`")
            found.append(HostedTool(kind=hosted_kind(tool.type), vendor="openai", body=raw))
            continue
        if not tool.name:
            raise invalid(f"{at}.name", "a name is due")
        untold += unread(raw, _TOOL_SHAPE, f"{at}.")
        mark = tool.cache_control
        found.append(
            Tool(
                name=tool.name,
                description=tool.description or "",
                parameters=tool.parameters if opens(tool.parameters, b"{") else None,
                strict=tool.strict,
                cache=cache_mark(mark.ttl == "1h") if mark is not None else None,
            )
        )
    return tuple(found)


def _described(tool: wire.Tool) -> str:
    """What a custom tool is for, and the grammar of its text, which no other provider can hold a model to."""
    form, words = tool.format, tool.description or ""
    if form is None or not form.definition:
        return words
    return f"{words}\n\n`input` follows this {form.syntax or ''} grammar:\n{form.definition}".strip()


def _tool_choice(asked: wire.Body, lost: list[Loss]) -> ToolChoice | None:
    choice, parallel = asked.tool_choice, asked.parallel_tool_calls
    match choice:
        case None:
            return None if parallel is None else ToolChoice(parallel=parallel)
        case "auto" | "none":
            return ToolChoice(mode=choice, parallel=parallel)
        case "required" | "any":
            return ToolChoice(mode="any", parallel=parallel)
        case str():
            raise invalid("tool_choice", "it is `auto`, `none`, `required` or an object that names a tool")
        case wire.Choice(type="allowed_tools"):
            names = tuple(tool.name for tool in choice.tools or () if tool.name)
            return ToolChoice(mode="any" if choice.mode == "required" else "auto", allowed=names, parallel=parallel)
        case wire.Choice(type="function" | "custom", name=str(name)) if name:
            return ToolChoice(mode="tool", name=name, parallel=parallel)
        case wire.Choice(type="function" | "custom" | None):
            raise invalid("tool_choice.name", "the name of a tool is due")
        case wire.Choice():
            lost.append(Loss("tool_choice", "meaning", f"{choice.type} is run by OpenAI alone"))
            return None
