"""The messages of a request as Anthropic demands them.

It refuses what others let pass: blank texts, a conversation that does not begin with the user, tool results behind
other blocks, `system` turns in the wrong place, ids with odd characters, thoughts that somebody else signed. Neighbours
of one role become one message.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from gateway.dialects.alternation import Alternation, Json
from gateway.dialects.anthropic.models import Traits
from gateway.dialects.anthropic.seal import OWN
from gateway.dialects.blob import Blob, BlobWriter
from gateway.dialects.canonical import (
    Audio,
    CacheMark,
    Document,
    Image,
    Loss,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)

_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")
_IMAGES: Final = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_BEGINNINGS: Final = (
    (b"iVBORw", "image/png"),
    (b"/9j/", "image/jpeg"),
    (b"R0lGOD", "image/gif"),
    (b"UklGR", "image/webp"),
)


class Turns(Alternation):
    """Writes the messages of one request."""

    __slots__ = ()

    def __init__(self, request: Request, traits: Traits, blobs: BlobWriter, losses: list[Loss]) -> None:
        super().__init__(request, blobs, losses, system_turns=traits.system_turns, prefill=traits.prefill)

    def written(self) -> list[Json]:
        return [{"role": role, "content": _content(role, blocks)} for role, blocks in self.turns()]

    def _is_words(self, block: Json) -> bool:
        return block["type"] == "text"

    def _blocks(self, parts: tuple[Part, ...], at: str, role: str) -> list[Json]:
        blocks: list[Json] = []
        for part in parts:
            block = self._block(part, at, role)
            if block is not None:
                blocks.append(block)
        return blocks

    def _block(self, part: Part, at: str, role: str) -> Json | None:
        match part:
            case Text(text=text) | Refusal(text=text):
                return {"type": "text", "text": text, **mark(part.cache)} if text.strip() else None
            case Thinking():
                return self._thinking(part, at, role)
            case ToolUse():
                return self._tool_use(part, at)
            case ToolResult():
                return self._tool_result(part, at)
            case Image():
                if role == "assistant":
                    return self._drop(f"{at}.image", "the assistant's pictures cannot be sent back")
                return self._image(part, at)
            case Document():
                return self._document(part, at)
            case Audio(transcript=transcript) if transcript.strip():
                self._lose(f"{at}.audio", "changed", "its transcript alone")
                return {"type": "text", "text": transcript, **mark(part.cache)}
            case Audio():
                return self._drop(f"{at}.audio", "Anthropic's models hear nothing")
            case _:
                return None

    def _thinking(self, part: Thinking, at: str, role: str) -> Json | None:
        if part.vendor != OWN or role != "assistant" or not (part.signature or part.redacted):
            self._lose(f"{at}.thinking", "hint", "not signed by Anthropic")
            return None
        if part.redacted:
            return {"type": "redacted_thinking", "data": part.redacted}
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}

    def _tool_use(self, part: ToolUse, at: str) -> Json:
        named = {"id": identity(part.id), "name": part.name, "input": self._arguments(part, at)}
        return {"type": "tool_use", **named, **mark(part.cache)}

    def _tool_result(self, part: ToolResult, at: str) -> Json:
        written: Json = {"type": "tool_result", "tool_use_id": identity(part.id)}
        blocks = self._blocks(part.content, at, "user")
        if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
            written["content"] = blocks[0]["text"]
        elif blocks:
            written["content"] = blocks
        if part.error:
            written["is_error"] = True
        return {**written, **mark(part.cache)}

    def _image(self, part: Image, at: str) -> Json | None:
        field = f"{at}.image"
        if part.detail not in ("", "auto"):
            self._lose(f"{field}.detail")
        if part.file:
            return self._drop(field, "a file that was uploaded to another provider")
        if part.content is None:
            return {"type": "image", "source": {"type": "url", "url": part.url}, **mark(part.cache)}
        media_type = part.media_type.lower().replace("image/jpg", "image/jpeg") or _sniffed(part.content)
        if media_type not in _IMAGES:
            return self._drop(field, f"Anthropic does not read {media_type[:60]}")
        source = {"type": "base64", "media_type": media_type, "data": self._blobs.place(part.content)}
        return {"type": "image", "source": source, **mark(part.cache)}

    def _document(self, part: Document, at: str) -> Json | None:
        field = f"{at}.document"
        if part.file:
            return self._drop(field, "a file that was uploaded to another provider")
        source: Json
        if part.text:
            source = {"type": "text", "media_type": "text/plain", "data": part.text}
        elif part.content is not None and part.media_type in ("application/pdf", ""):
            data = self._blobs.place(part.content)
            source = {"type": "base64", "media_type": "application/pdf", "data": data}
        elif part.content is not None:
            text = _decoded(part.content) if part.media_type.startswith("text/") else None
            if text is None:
                return self._drop(field, f"Anthropic does not read {part.media_type[:60]}")
            source = {"type": "text", "media_type": "text/plain", "data": text}
        elif part.url and part.media_type not in ("application/pdf", ""):
            return self._drop(field, f"by its address Anthropic reads PDF alone, and no {part.media_type[:60]}")
        elif part.url:
            source = {"type": "url", "url": part.url}
        else:
            return None
        written: Json = {"type": "document", "source": source}
        if part.name:
            written["title"] = part.name
        if part.context:
            written["context"] = part.context
        if part.citations:
            written["citations"] = {"enabled": True}
        return {**written, **mark(part.cache)}


def mark(cache: CacheMark | None) -> Json:
    if cache is None:
        return {}
    return {"cache_control": {"type": "ephemeral", "ttl": "1h"} if cache == "1h" else {"type": "ephemeral"}}


def identity(text: str) -> str:
    """A call's id in the characters that Anthropic takes. The same for the call and for its result."""
    return _ODD.sub("_", text) or "call"


def _content(role: str, blocks: list[Json]) -> object:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    if role == "user":
        # A stable sort: results answer the calls of the turn before, and stand in front of what the user adds.
        blocks.sort(key=lambda block: block["type"] != "tool_result")
    return blocks


def _sniffed(content: Blob) -> str:
    head = bytes(content.view[:8])
    return next((kind for beginning, kind in _BEGINNINGS if head.startswith(beginning)), "image/png")


def _decoded(content: Blob) -> str | None:
    """A text file that came as base64."""
    try:
        return binascii.a2b_base64(content.view).decode("utf-8")
    except ValueError:
        return None
