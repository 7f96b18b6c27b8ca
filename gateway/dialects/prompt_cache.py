"""Cache marks for a provider that keeps only what is marked, put behind the long stable prefixes of a request.

Lives here: where marks are worth it. A conversation grows at its end, so what stands before the last turn of the user
is asked again with the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.canonical import (
    Document,
    HostedTool,
    Image,
    Message,
    Part,
    Request,
    Text,
    Tool,
    ToolResult,
    ToolUse,
)

WORTH_IT: Final = 4096
"""Characters of the whole prefix: about 1,024 tokens, the least that Anthropic keeps."""
_IMAGE: Final = 4096


def marked(request: Request) -> Request:
    """The request with marks behind its tools, its system prompt and the last but one turn of the user, where what
    stands before them is long enough. As it is where the client has set any."""
    if _has_marks(request):
        return request
    tools, system, messages = request.tools, request.system, request.messages
    length = sum(map(_tool_length, tools))
    if length >= WORTH_IT and isinstance(tools[-1], Tool):
        tools = (*tools[:-1], msgspec.structs.replace(tools[-1], cache="5m"))
    length += _length(system)
    if system and length >= WORTH_IT:
        system = _marked_last(system)
    turns = [at for at, message in enumerate(messages) if message.role == "user"]
    if len(turns) > 1:
        at = turns[-2]
        length += sum(_length(message.parts) for message in messages[: at + 1])
        if length >= WORTH_IT:
            turn = messages[at]
            marked_turn = Message(turn.role, _marked_last(turn.parts), turn.name)
            messages = (*messages[:at], marked_turn, *messages[at + 1 :])
    return msgspec.structs.replace(request, tools=tools, system=system, messages=messages)


def _has_marks(request: Request) -> bool:
    return (
        any(part.cache for part in request.system)
        or any(isinstance(tool, Tool) and tool.cache for tool in request.tools)
        or any(part.cache for message in request.messages for part in message.parts)
    )


def _marked_last(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The last part that a mark may stand on: Anthropic refuses one on empty text."""
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        if isinstance(part, Image | Document | ToolResult) or (isinstance(part, Text) and part.text.strip()):
            return (*parts[:at], msgspec.structs.replace(part, cache="5m"), *parts[at + 1 :])
    return parts


def _tool_length(tool: Tool | HostedTool) -> int:
    if isinstance(tool, HostedTool):
        return len(bytes(tool.body))
    return len(tool.name) + len(tool.description) + (len(bytes(tool.parameters)) if tool.parameters is not None else 0)


def _length(parts: Iterable[Part]) -> int:
    length = 0
    for part in parts:
        match part:
            case Text():
                length += len(part.text)
            case Image():
                length += _IMAGE
            case Document():
                length += len(part.text) or _IMAGE
            case ToolUse():
                length += len(part.arguments)
            case ToolResult():
                length += _length(part.content)
            case _:
                pass
    return length
