"""The messages of a request as Converse demands them: parts as content blocks, neighbours of one role together, the
user first, results of tools in front, names and ids in the characters that it takes."""

from __future__ import annotations

import re
from typing import Final

from gateway.dialects.alternation import Alternation, Json
from gateway.dialects.bedrock.models import Carried
from gateway.dialects.blob import BlobWriter
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

_ODD_ID: Final = re.compile(r"[^a-zA-Z0-9_.:-]")
_ODD_NAME: Final = re.compile(r"[^a-zA-Z0-9()\[\]-]+")
_IMAGES: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_AUDIO: Final = {
    "audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/aac": "aac",
    "audio/flac": "flac", "audio/ogg": "ogg", "audio/opus": "opus", "audio/m4a": "m4a", "audio/webm": "webm",
    "audio/pcm": "pcm",
}  # fmt: skip
_DOCUMENTS: Final = {
    "application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/html": "html", "text/markdown": "md",
    "application/msword": "doc", "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}  # fmt: skip


class Blocks(Alternation):
    """Writes the messages of one request."""

    __slots__ = ("_carried", "_names")

    def __init__(self, request: Request, carried: Carried, blobs: BlobWriter, losses: list[Loss]) -> None:
        claude = carried.claude
        super().__init__(
            request,
            blobs,
            losses,
            system_turns=claude is not None and claude.system_turns,
            prefill=claude is None or claude.prefill,
        )
        self._carried = carried
        self._names: set[str] = set()

    def messages(self) -> list[Json]:
        turns = self.turns()
        for role, blocks in turns:
            if role == "user":
                _results_first(blocks)
        return [{"role": role, "content": blocks} for role, blocks in turns]

    def system(self) -> list[Json]:
        blocks: list[Json] = []
        for number, part in enumerate(self._request.system):
            if not isinstance(part, Text):
                self._lose(f"system[{number}]", "meaning", "a system prompt is text")
            elif part.text.strip():
                blocks.append({"text": part.text})
                blocks += self.cache_point(part.cache)
        return blocks

    def cache_point(self, cache: CacheMark | None) -> list[Json]:
        """The block that stands for a mark: behind what it marks."""
        if cache is None:
            return []
        if not self._carried.caches:
            self._lose("cache_control")
            return []
        long = cache == "1h" and self._carried.long_cache
        return [{"cachePoint": {"type": "default", "ttl": "1h"} if long else {"type": "default"}}]

    def _is_words(self, block: Json) -> bool:
        return "text" in block or "cachePoint" in block

    def _blocks(self, parts: tuple[Part, ...], at: str, role: str) -> list[Json]:
        blocks: list[Json] = []
        for part in parts:
            block = self._block(part, at, role)
            if block is not None:
                blocks.append(block)
                blocks += self.cache_point(part.cache)
        return blocks

    def _block(self, part: Part, at: str, role: str) -> Json | None:
        match part:
            case Text(text=text) | Refusal(text=text):
                return {"text": text} if text.strip() else None
            case Thinking():
                return self._thinking(part, at, role)
            case ToolUse():
                return self._tool_use(part, at)
            case ToolResult():
                return self._tool_result(part, at)
            case Image():
                return self._image(part, at)
            case Document():
                return self._document(part, at)
            case Audio():
                return self._audio(part, at)
            case _:
                return None

    def _thinking(self, part: Thinking, at: str, role: str) -> Json | None:
        proven = part.signature or part.redacted
        if self._carried.family != "claude" or part.vendor != "anthropic" or role != "assistant" or not proven:
            self._lose(f"{at}.thinking", "hint", "not signed by the model that is asked")
            return None
        if part.redacted:
            return {"reasoningContent": {"redactedContent": part.redacted}}
        return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}

    def _tool_use(self, part: ToolUse, at: str) -> Json:
        arguments = self._arguments(part, at)
        return {"toolUse": {"toolUseId": _identity(part.id), "name": part.name, "input": arguments}}

    def _tool_result(self, part: ToolResult, at: str) -> Json:
        if part.name and part.name not in self.calls:
            self.calls.append(part.name)
        content = [block for inner in part.content if (block := self._block(inner, at, "user")) is not None]
        result: Json = {"toolUseId": _identity(part.id), "content": content or [{"text": "(nothing)"}]}
        if part.error:
            result["status"] = "error"
        return {"toolResult": result}

    def _image(self, part: Image, at: str) -> Json | None:
        field = f"{at}.image"
        if part.detail not in ("", "auto"):
            self._lose(f"{field}.detail")
        form = _IMAGES.get(part.media_type.lower() or "image/png")
        if form is None:
            return self._drop(field, f"Converse does not read {part.media_type[:60]}")
        if part.content is not None:
            return {"image": {"format": form, "source": {"bytes": self._blobs.place(part.content)}}}
        if part.url.startswith("s3://"):
            return {"image": {"format": form, "source": {"s3Location": {"uri": part.url}}}}
        return self._drop(field, "Converse takes pictures by their bytes alone, not by an address")

    def _document(self, part: Document, at: str) -> Json | None:
        field = f"{at}.document"
        source: Json
        form = _DOCUMENTS.get(part.media_type.lower() or "application/pdf")
        if part.text:
            form, source = "txt", {"text": part.text}
        elif part.content is not None and form is not None:
            source = {"bytes": self._blobs.place(part.content)}
        elif part.url.startswith("s3://") and form is not None:
            source = {"s3Location": {"uri": part.url}}
        elif part.content is not None:
            return self._drop(field, f"Converse does not read {part.media_type[:60]}")
        else:
            return self._drop(field, "Converse takes documents by their bytes alone, not by an address or an id")
        document: Json = {"format": form, "name": self._name(part.name), "source": source}
        if part.context:
            document["context"] = part.context
        if part.citations:
            document["citations"] = {"enabled": True}
        return {"document": document}

    def _name(self, name: str) -> str:
        """Converse demands a name of few kinds of characters, and no two alike."""
        plain = _ODD_NAME.sub(" ", name).strip()[:180] or "document"
        found, number = plain, 1
        while found in self._names:
            number += 1
            found = f"{plain} {number}"
        self._names.add(found)
        return found

    def _audio(self, part: Audio, at: str) -> Json | None:
        form = _AUDIO.get(part.media_type.partition(";")[0].lower())
        if part.content is not None and form is not None:
            return {"audio": {"format": form, "source": {"bytes": self._blobs.place(part.content)}}}
        if part.transcript.strip():
            self._lose(f"{at}.audio", "changed", "its transcript alone")
            return {"text": part.transcript}
        return self._drop(f"{at}.audio", "Converse takes sound by its bytes alone")


def _identity(text: str) -> str:
    """A call's id in the characters and the length that Converse takes; the same for the call and for its result."""
    return _ODD_ID.sub("_", text)[-64:] or "call"


def _results_first(blocks: list[Json]) -> None:
    """Results answer the calls of the turn before, and stand in front of what the user adds, their cache points too."""
    groups: list[list[Json]] = []
    for block in blocks:
        if "cachePoint" in block and groups:
            groups[-1].append(block)
        else:
            groups.append([block])
    groups.sort(key=lambda group: "toolResult" not in group[0])
    blocks[:] = [block for group in groups for block in group]
