"""The contents of a client's messages, read into parts.

Lives here: content blocks, their sources and marks. Law: as request_reader's.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec

from gateway.core.errors import GatewayError
from gateway.dialects.anthropic import request_body as wire
from gateway.dialects.anthropic.seal import unsealed, with_signatures
from gateway.dialects.anthropic.words import EMPTY, UNREADABLE, CacheControl, Quote, read_citation
from gateway.dialects.blob import Blob, read_blob
from gateway.dialects.body import Decoder
from gateway.dialects.canonical import (
    CacheMark,
    Document,
    Image,
    Loss,
    Message,
    Part,
    Text,
    ToolResult,
    ToolUse,
)

_CONTENT: Final = msgspec.json.Decoder(str | list[wire.Block])
_QUOTES: Final = msgspec.json.Decoder(list[Quote])
_CITATIONS: Final = msgspec.json.Decoder(wire.Citations)
_STRING: Final = msgspec.json.Decoder(str)

# What tools that Anthropic ran have left in the history: the words that follow rest on it, and stand without it.
_TRACES: Final = ("server_tool_use", "mcp_tool_use", "mcp_tool_result", "compaction", "fallback")

T = TypeVar("T")


class ContentReader:
    """Gathers, on the way through a request, what it has no place for. names: of the tools that were called, by the
    call's id."""

    __slots__ = ("lost", "names", "unread")

    def __init__(self) -> None:
        self.unread: list[str] = []
        self.lost: list[Loss] = []
        self.names: dict[str, str] = {}

    def system(self, system: str | list[wire.Block] | None) -> tuple[Part, ...]:
        if isinstance(system, str):
            return (Text(text=system),) if system else ()
        return tuple(self.parts(system or [], "system"))

    def turn(self, turn: wire.Turn, at: str) -> Message:
        role: Literal["system", "user", "assistant"]
        if turn.role == "user":
            role = "user"
        elif turn.role == "assistant":
            role = "assistant"
        elif turn.role in ("system", "developer"):
            role = "system"
        else:
            raise invalid(f"{at}.role", "`user`, `assistant` or `system` is due")
        content = turn.content
        if content is None:
            raise invalid(f"{at}.content", "a string or a list of content blocks is due")
        if isinstance(content, str):
            return Message(role, (Text(text=content),))
        return Message(role, tuple(self.parts(content, f"{at}.content")))

    def parts(self, blocks: list[wire.Block], at: str) -> list[Part]:
        found: list[Part] = []
        for number, block in enumerate(blocks):
            part = self.part(block, f"{at}[{number}]")
            if part is not None:
                found.append(part)
        return with_signatures(found)

    def part(self, block: wire.Block, at: str) -> Part | None:
        cache = mark_of(block.cache_control)
        match block.type:
            case "text":
                if block.text is None:
                    raise invalid(f"{at}.text", "a string is due")
                quotes = inner(_QUOTES, block.citations, f"{at}.citations") or []
                return Text(text=block.text, citations=tuple(map(read_citation, quotes)), cache=cache)
            case "image":
                return self.image(block, cache, at)
            case "document":
                return self.document(block, cache, at)
            case "search_result":
                return self.search_result(block, cache, at)
            case "tool_use":
                if not block.id or not block.name:
                    raise invalid(at, "a tool_use block has an `id` and a `name`")
                self.names[block.id] = block.name
                arguments = bytes(block.input).decode("utf-8", "replace") if block.input != EMPTY else "{}"
                return ToolUse(id=block.id, name=block.name, arguments=arguments, cache=cache)
            case "tool_result":
                return self.tool_result(block, cache, at)
            case "thinking":
                return unsealed(block.thinking or "", block.signature or "", False)
            case "redacted_thinking":
                return unsealed("", block.data or "", True) if block.data else None
            case None:
                raise invalid(f"{at}.type", "every content block has a `type`")
            case kind if kind in _TRACES or kind.endswith("_tool_result"):
                self.unread.append(at)
                return None
            case kind:
                self.lost.append(Loss(at, "meaning", f"a `{kind[:60]}` block has no counterpart"))
                return None

    def image(self, block: wire.Block, cache: CacheMark | None, at: str) -> Image:
        source = self.source(block, at)
        match source.type:
            case "base64":
                content = _blob(source.data, f"{at}.source.data")
                return Image(content=content, media_type=source.media_type or "", cache=cache)
            case "url":
                return Image(url=source.url or "", cache=cache)
            case "file":
                return Image(file=source.file_id or "", cache=cache)
            case _:
                raise invalid(f"{at}.source.type", "`base64`, `url` or `file` is due")

    def document(self, block: wire.Block, cache: CacheMark | None, at: str) -> Document:
        source = self.source(block, at)
        cited = inner(_CITATIONS, block.citations, f"{at}.citations")
        text = url = file = media_type = ""
        content: Blob | None = None
        match source.type:
            case "base64":
                content = _blob(source.data, f"{at}.source.data")
                media_type = source.media_type or "application/pdf"
            case "text":
                text = inner(_STRING, source.data, f"{at}.source.data") or ""
                media_type = source.media_type or "text/plain"
            case "content":
                text = self.joined(source.content, f"{at}.source.content")
                media_type = "text/plain"
            case "url":
                url, media_type = source.url or "", "application/pdf"
            case "file":
                file = source.file_id or ""
            case _:
                raise invalid(f"{at}.source.type", "`base64`, `text`, `content`, `url` or `file` is due")
        return Document(
            content=content,
            text=text,
            url=url,
            file=file,
            media_type=media_type,
            name=block.title or "",
            context=block.context or "",
            citations=cited is not None and cited.enabled is True,
            cache=cache,
        )

    def search_result(self, block: wire.Block, cache: CacheMark | None, at: str) -> Document:
        source = block.source if isinstance(block.source, str) else ""
        cited = inner(_CITATIONS, block.citations, f"{at}.citations")
        return Document(
            text=self.joined(block.content, f"{at}.content"),
            media_type="text/plain",
            name=block.title or "",
            context=f"source: {source}" if source else "",
            citations=cited is not None and cited.enabled is True,
            cache=cache,
        )

    def joined(self, content: msgspec.Raw, at: str) -> str:
        """The texts of nested content."""
        found = inner(_CONTENT, content, at) or ""
        if isinstance(found, str):
            return found
        texts: list[str] = []
        for number, block in enumerate(found):
            if block.type == "text" and block.text is not None:
                texts.append(block.text)
            else:
                self.lost.append(Loss(f"{at}[{number}]", "meaning", "only text can stand here elsewhere"))
        return "\n".join(texts)

    def tool_result(self, block: wire.Block, cache: CacheMark | None, at: str) -> ToolResult:
        if not block.tool_use_id:
            raise invalid(f"{at}.tool_use_id", "the id of the call that this answers is due")
        found = inner(_CONTENT, block.content, f"{at}.content")
        if isinstance(found, str):
            content: tuple[Part, ...] = (Text(text=found),)
        else:
            content = tuple(self.parts(found or [], f"{at}.content"))
        return ToolResult(
            id=block.tool_use_id,
            name=self.names.get(block.tool_use_id, ""),
            content=content,
            error=block.is_error is True,
            cache=cache,
        )

    def source(self, block: wire.Block, at: str) -> wire.Source:
        if not isinstance(block.source, wire.Source):
            raise invalid(f"{at}.source", "a source is due")
        return block.source


def inner(decoder: Decoder[T], raw: msgspec.Raw, at: str) -> T | None:
    """What was left undecoded; None where there is none."""
    if raw == EMPTY or raw == b"null":
        return None
    try:
        return decoder.decode(raw)
    except UNREADABLE as error:
        said, _, inside = str(error).partition(" - at `$")
        raise invalid(at + inside.rstrip("`"), said or "it cannot be read") from None


def _blob(raw: msgspec.Raw, at: str) -> Blob:
    blob = read_blob(raw) if raw != EMPTY else None
    if blob is None:
        raise invalid(at, "a string of base64 is due")
    return blob


def mark_of(control: CacheControl | None) -> CacheMark | None:
    if control is None:
        return None
    return "1h" if control.ttl == "1h" else "5m"


def invalid(at: str, why: str) -> GatewayError:
    return GatewayError("invalid_request", f"`{at}`: {why}.", param=at)
