"""A whole reply of Converse, read."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.bedrock.words import STOPS, UNREADABLE, Quote, Words, read_citation
from gateway.dialects.blob import read_blob
from gateway.dialects.canonical import Answer, Choice, Image, Part, Text, Thinking, ToolUse
from gateway.dialects.tokens import BedrockUsage, of_bedrock


class _ToolUse(msgspec.Struct, gc=False, rename="camel"):
    tool_use_id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    type: str | None = None


class _ReasoningText(msgspec.Struct, gc=False):
    text: str | None = None
    signature: str | None = None


class _Reasoning(msgspec.Struct, gc=False, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Cited(msgspec.Struct, gc=False):
    content: list[Words] | None = None
    citations: list[Quote] | None = None


class _Source(msgspec.Struct, gc=False):
    bytes: msgspec.Raw = msgspec.Raw()


class _Image(msgspec.Struct, gc=False):
    format: str | None = None
    source: _Source | None = None


class _Block(msgspec.Struct, gc=False, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None
    image: _Image | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Block] | None = None


class _Output(msgspec.Struct, gc=False):
    message: _Message | None = None


class _Tier(msgspec.Struct, gc=False):
    type: str | None = None


class _Reply(msgspec.Struct, gc=False, rename="camel"):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: BedrockUsage | None = None
    service_tier: _Tier | None = None


THINKER: Final = "anthropic"
"""Only Anthropic's models sign their thoughts here, and their proofs hold wherever Claude is asked."""

_REPLY: Final = msgspec.json.Decoder(_Reply)


def read_reply(body: bytes, headers: Headers) -> Answer:
    """Raises UpstreamFault("malformed"). The reply names neither itself nor its model: the id is the request's, the
    model is the caller's to know."""
    try:
        reply = _REPLY.decode(body)
    except UNREADABLE:
        raise UpstreamFault("malformed", "The provider's reply is not one of Converse.") from None
    message = reply.output.message if reply.output is not None else None
    if message is None or message.content is None:
        raise UpstreamFault("malformed", "The provider's reply has no message.")
    parts: list[Part] = []
    unread: dict[str, None] = {}
    for block in message.content:
        if (part := _part(block)) is not None:
            parts.append(part)
        else:
            unread["server_tool_use" if block.tool_use is not None else "content"] = None
    return Answer(
        id=request_id(headers),
        choices=(Choice(parts=tuple(parts), stop=STOPS.get(reply.stop_reason or "", "other")),),
        usage=of_bedrock(reply.usage),
        service_tier=(reply.service_tier.type or "") if reply.service_tier is not None else "",
        unread=tuple(unread),
    )


def request_id(headers: Headers) -> str:
    for name, value in headers:
        if name == b"x-amzn-requestid":
            return value.decode("latin-1")
    return ""


def _part(block: _Block) -> Part | None:
    if block.text is not None:
        return Text(text=block.text)
    called = block.tool_use
    if called is not None:
        # What the provider itself ran is told of, and is no wish of the model.
        if called.type == "server_tool_use":
            return None
        arguments = bytes(called.input).decode("utf-8", "replace") or "{}"
        return ToolUse(id=called.tool_use_id or "", name=called.name or "", arguments=arguments)
    if block.reasoning_content is not None:
        said = block.reasoning_content.reasoning_text or _ReasoningText()
        return Thinking(
            text=said.text or "",
            signature=said.signature or "",
            redacted=block.reasoning_content.redacted_content or "",
            vendor=THINKER,
        )
    cited = block.citations_content
    if cited is not None:
        text = "".join(piece.text or "" for piece in cited.content or ())
        return Text(text=text, citations=tuple(map(read_citation, cited.citations or ())))
    if block.image is not None and block.image.source is not None:
        content = read_blob(block.image.source.bytes) if block.image.source.bytes != msgspec.Raw() else None
        if content is not None:
            return Image(content=content, media_type=f"image/{block.image.format or 'png'}")
    return None
