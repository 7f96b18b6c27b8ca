"""A whole message: a provider's read, a client's written with every member that its schema demands."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.anthropic.seal import OWN, sealed, sealed_call, sealed_redacted
from gateway.dialects.anthropic.words import (
    EMPTY,
    STOPS,
    UNREADABLE,
    WRITTEN_STOPS,
    Block,
    read_citation,
    write_citation,
    write_usage,
)
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Echo,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.faults import fault_of_event
from gateway.dialects.tokens import AnthropicUsage, of_anthropic
from gateway.dialects.tool_calls import arguments_of, wrapped_arguments


class ReplyUsage(AnthropicUsage, gc=False):
    service_tier: str | None = None


class StopDetails(msgspec.Struct, gc=False):
    """Of a refusal: why."""

    explanation: str | None = None


class Reply(msgspec.Struct, gc=False):
    """As read: a message, or an error that came with a status of success."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: ReplyUsage | None = None


_REPLY: Final = msgspec.json.Decoder(Reply)


def read_reply(body: bytes, headers: Headers) -> Answer:
    """Raises UpstreamFault: malformed, or what an error in the body stands for."""
    try:
        reply = _REPLY.decode(body)
    except UNREADABLE:
        raise UpstreamFault("malformed", "The provider's reply is not a message of Anthropic's format.") from None
    if reply.type == "error":
        raise fault_of_event("anthropic", body)
    if reply.content is None:
        raise UpstreamFault("malformed", "The provider's reply has no content.")
    parts: list[Part] = []
    unread: dict[str, None] = {}
    for block in reply.content:
        if (part := read_block(block)) is not None:
            parts.append(part)
        elif block.type:
            unread[block.type] = None
    if reply.stop_details is not None and reply.stop_details.explanation:
        parts.append(Refusal(text=reply.stop_details.explanation))
    choice = Choice(
        parts=tuple(parts),
        stop=STOPS.get(reply.stop_reason or "", "other"),
        stop_sequence=reply.stop_sequence or "",
    )
    return Answer(
        id=reply.id or "",
        model=reply.model or "",
        choices=(choice,),
        usage=of_anthropic(reply.usage),
        service_tier=(reply.usage.service_tier or "") if reply.usage is not None else "",
        unread=tuple(unread),
    )


def read_block(block: Block) -> Part | None:
    """None for what Anthropic's own tools did, and for kinds that are not known."""
    match block.type:
        case "text":
            return Text(text=block.text or "", citations=tuple(map(read_citation, block.citations or ())))
        case "thinking":
            return Thinking(text=block.thinking or "", signature=block.signature or "", vendor=OWN)
        case "redacted_thinking":
            return Thinking(redacted=block.data or "", vendor=OWN)
        case "tool_use":
            arguments = "{}" if block.input == EMPTY else bytes(block.input).decode("utf-8", "replace")
            return ToolUse(id=block.id or "", name=block.name or "", arguments=arguments)
        case _:
            return None


def write_reply(answer: Answer, echo: Echo) -> bytes:
    """The first choice: Anthropic's format has no room for others."""
    choice = answer.choices[0] if answer.choices else Choice(parts=(), stop="other")
    blocks: list[dict[str, object]] = []
    for part in choice.parts:
        if (block := write_block(part)) is not None:
            blocks.append(block)
        if isinstance(part, ToolUse) and (proof := sealed_call(part)):
            blocks.append({"type": "thinking", "thinking": "", "signature": proof})
    refused = any(isinstance(part, Refusal) for part in choice.parts)
    stop = "refusal" if refused else WRITTEN_STOPS[choice.stop]
    message = {
        "id": answer.id or echo.id,
        "type": "message",
        "role": "assistant",
        "model": echo.model,
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": choice.stop_sequence or None if stop == "stop_sequence" else None,
        "stop_details": stop_details(stop),
        "container": None,
        "usage": write_usage(answer.usage, answer.service_tier),
    }
    return msgspec.json.encode(message)


def stop_details(stop: str) -> dict[str, str | None] | None:
    """The member that says more of a refusal; the words of it are in the content, where every client looks."""
    return {"type": "refusal", "category": None, "explanation": None} if stop == "refusal" else None


def write_block(part: Part) -> dict[str, object] | None:
    """None for what Anthropic's format cannot hold in an answer: pictures."""
    match part:
        case Text(text=text):
            return {"type": "text", "text": text, "citations": [write_citation(one) for one in part.citations] or None}
        case Refusal(text=text) | Audio(transcript=text):
            return {"type": "text", "text": text, "citations": None}
        case Thinking(text="") if part.redacted:
            return {"type": "redacted_thinking", "data": sealed_redacted(part, part.redacted)}
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": sealed(part)}
        case ToolUse():
            arguments = arguments_of(part.arguments)
            if arguments is None:
                arguments = wrapped_arguments(part.arguments)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        case _:
            return None
