"""The messages of a chat completions request: canonical turns become roles.

A canonical user turn may hold tool results beside its own words; here each result is a message of its own, in front of
them. The result of a tool is text in this format: its pictures follow in the user's message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Audio,
    CacheMark,
    Document,
    Image,
    Loss,
    Message,
    Part,
    Refusal,
    Request,
    TargetFacts,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.quirks import KEEPS_CACHE_MARKS, OPENAI, WANTS_DETAILS, WANTS_THOUGHTS
from gateway.dialects.openai_chat.thoughts import detail_of
from gateway.dialects.openai_words import audio_format, data_url, decoded_text


class _Text(msgspec.Struct, omit_defaults=True, tag_field="type", tag="text"):
    text: str
    cache_control: dict[str, str] | None = None


class _ImageUrl(msgspec.Struct, omit_defaults=True):
    url: str
    detail: str = ""


class _Image(msgspec.Struct, omit_defaults=True, tag_field="type", tag="image_url"):
    image_url: _ImageUrl
    cache_control: dict[str, str] | None = None


class _Sound(msgspec.Struct):
    data: str
    format: str


class _Audio(msgspec.Struct, omit_defaults=True, tag_field="type", tag="input_audio"):
    input_audio: _Sound
    cache_control: dict[str, str] | None = None


class _FileBody(msgspec.Struct, omit_defaults=True):
    filename: str = ""
    file_data: str = ""
    file_id: str = ""


class _File(msgspec.Struct, omit_defaults=True, tag_field="type", tag="file"):
    file: _FileBody
    cache_control: dict[str, str] | None = None


_Piece = _Text | _Image | _Audio | _File
_Content = str | list[_Piece]


class _System(msgspec.Struct, omit_defaults=True, tag_field="role", tag="system"):
    content: _Content
    name: str = ""


class _User(msgspec.Struct, omit_defaults=True, tag_field="role", tag="user"):
    content: _Content
    name: str = ""


class _Result(msgspec.Struct, omit_defaults=True, tag_field="role", tag="tool"):
    tool_call_id: str
    content: _Content


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct, omit_defaults=True):
    id: str
    type: str
    function: _Function
    extra_content: dict[str, dict[str, str]] | None = None


class _Spoken(msgspec.Struct):
    id: str


class _Assistant(msgspec.Struct, omit_defaults=True, tag_field="role", tag="assistant"):
    content: str | msgspec.UnsetType | None = msgspec.UNSET
    name: str = ""
    refusal: str = ""
    reasoning_content: str = ""
    reasoning_details: list[wire.Detail] | None = None
    audio: _Spoken | None = None
    tool_calls: list[_Call] | None = None


def cache_control(mark: CacheMark) -> dict[str, str]:
    """Anthropic's mark."""
    return {"type": "ephemeral"} if mark == "5m" else {"type": "ephemeral", "ttl": mark}


class MessageWriter:
    """Writes the messages of one request. Losses are added to the list that is given."""

    def __init__(self, facts: TargetFacts, blobs: BlobWriter, losses: list[Loss]) -> None:
        self._facts = facts
        self._blobs = blobs
        self._losses = losses
        self._marks = facts.provider in KEEPS_CACHE_MARKS

    def write(self, request: Request) -> list[object]:
        written: list[object] = []
        if request.system:
            written.append(_System(self._system(request.system, "system")))
        for index, message in enumerate(request.messages):
            at = f"messages[{index}]"
            match message.role:
                case "system":
                    written.append(_System(self._system(message.parts, at), message.name))
                case "user":
                    self._user(message, at, written)
                case "assistant":
                    written.append(self._assistant(message, at))
        return written

    def _lose(self, field: str, effect: str = "hint", note: str = "") -> None:
        loss = Loss(field, "meaning" if effect == "meaning" else "changed" if effect == "changed" else "hint", note)
        if loss not in self._losses[-4:]:
            self._losses.append(loss)

    def _system(self, parts: tuple[Part, ...], at: str) -> _Content:
        texts = [part for part in parts if isinstance(part, Text)]
        if len(texts) < len(parts):
            self._lose(f"{at}.content", "meaning", "a system prompt is text")
        if self._marks and any(part.cache for part in texts):
            return [_Text(part.text, self._mark(part, at)) for part in texts]
        for part in texts:
            self._mark(part, at)
        # One string: it is what everybody takes.
        return "\n\n".join(part.text for part in texts)

    def _mark(self, part: Part, at: str) -> dict[str, str] | None:
        if part.cache is None:
            return None
        if self._marks:
            return cache_control(part.cache)
        self._lose(f"{at}.cache_control")
        return None

    def _user(self, message: Message, at: str, written: list[object]) -> None:
        pieces: list[_Piece] = []
        results = False
        for part in message.parts:
            if isinstance(part, ToolResult):
                results = True
                written.append(self._result(part, at, pieces))
            else:
                pieces += self._piece(part, at)
        if pieces or not results:
            written.append(_User(_flat(pieces), message.name))

    def _result(self, result: ToolResult, at: str, pieces: list[_Piece]) -> _Result:
        texts: list[_Piece] = []
        for part in result.content:
            for piece in self._piece(part, f"{at}.tool_result"):
                if isinstance(piece, _Text):
                    texts.append(piece)
                else:
                    pieces.append(piece)
                    self._lose(f"{at}.tool_result", "changed", "what is no text follows in a message of the user")
        if result.error:
            self._lose(f"{at}.tool_result.error", "hint", "only its text says that the tool failed")
        self._mark(result, at)
        return _Result(self._id(result.id), _flat(texts))

    def _piece(self, part: Part, at: str) -> Iterable[_Piece]:
        match part:
            case Text():
                return (_Text(part.text, self._mark(part, at)),)
            case Image():
                return self._image(part, at)
            case Audio():
                return self._audio(part, at)
            case Document():
                return self._document(part, at)
            case Refusal():
                return (_Text(part.text, self._mark(part, at)),)
            case _:
                self._lose(f"{at}.content", "meaning", f"{type(part).__name__} is no part of a user's message")
                return ()

    def _image(self, part: Image, at: str) -> Iterable[_Piece]:
        if self._facts.vision is False:
            self._lose(f"{at}.image", "meaning", "the model sees no images")
            return ()
        if part.content is not None:
            url = data_url(part.media_type or "image/png", self._blobs.place(part.content))
        elif part.url:
            url = part.url
        else:
            self._lose(f"{at}.image", "meaning", "the target takes no file id of an image")
            return ()
        return (_Image(_ImageUrl(url, part.detail), self._mark(part, at)),)

    def _audio(self, part: Audio, at: str) -> Iterable[_Piece]:
        name = audio_format(part.media_type)
        if part.content is None or not name:
            self._lose(f"{at}.audio", "meaning", "the target takes audio as base64 in wav or mp3")
            return ()
        return (_Audio(_Sound(self._blobs.place(part.content), name), self._mark(part, at)),)

    def _document(self, part: Document, at: str) -> Iterable[_Piece]:
        mark = self._mark(part, at)
        if part.citations:
            self._lose(f"{at}.document.citations")
        if part.context:
            self._lose(f"{at}.document.context")
        text = part.text or decoded_text(part)
        if text:
            self._lose(f"{at}.document", "changed", "the document is written as text")
            return (_Text(f"{part.name}\n\n{text}" if part.name else text, mark),)
        if part.content is not None:
            body = _FileBody(
                part.name or "document.pdf",
                data_url(part.media_type or "application/pdf", self._blobs.place(part.content)),
            )
        elif part.url and self._facts.provider == "openrouter":
            body = _FileBody(part.name or "document.pdf", part.url)
        elif part.file.startswith("file-"):
            body = _FileBody(file_id=part.file)
        else:
            self._lose(f"{at}.document", "meaning", "the target takes documents as base64 or its own file id")
            return ()
        return (_File(body, mark),)

    def _assistant(self, message: Message, at: str) -> _Assistant:
        written = _Assistant(name=message.name)
        texts: list[str] = []
        calls: list[_Call] = []
        thoughts: list[Thinking] = []
        for part in message.parts:
            match part:
                case Text():
                    self._mark(part, at)
                    texts.append(part.text)
                case ToolUse():
                    extra = None
                    if part.signature and self._facts.provider == "gemini":
                        extra = {"google": {"thought_signature": part.signature}}
                    elif part.signature:
                        self._lose(f"{at}.signature")
                    calls.append(
                        _Call(self._id(part.id), "function", _Function(part.name, part.arguments or "{}"), extra)
                    )
                case Thinking():
                    thoughts.append(part)
                case Refusal():
                    if self._facts.provider in OPENAI:
                        written.refusal += part.text
                    else:
                        texts.append(part.text)
                case Audio() if part.id:
                    written.audio = _Spoken(part.id)
                case Audio() if part.transcript:
                    self._lose(f"{at}.audio", "changed", "what was said is written as text")
                    texts.append(part.transcript)
                case _:
                    self._lose(f"{at}.{type(part).__name__.lower()}", "changed", "left out of the assistant's own turn")
        if texts:
            written.content = "".join(texts)
        elif calls:
            written.content = None
        elif not written.refusal and written.audio is None:
            written.content = ""
        if calls:
            written.tool_calls = calls
        if thoughts:
            self._think(written, thoughts, at)
        return written

    def _think(self, written: _Assistant, thoughts: list[Thinking], at: str) -> None:
        provider = self._facts.provider
        text = "\n\n".join(part.text for part in thoughts if part.text)
        if provider in WANTS_DETAILS:
            details = [
                detail_of(part, index) or wire.Detail(type="reasoning.text", text=part.text, index=index)
                for index, part in enumerate(thoughts)
            ]
            written.reasoning_details = details
        elif provider in WANTS_THOUGHTS and written.tool_calls is not None and text:
            written.reasoning_content = text
        else:
            self._lose(f"{at}.thinking", "hint", "the target does not take its thoughts back")

    def _id(self, identity: str) -> str:
        if self._facts.provider != "mistral" or (len(identity) == 9 and identity.isascii() and identity.isalnum()):
            return identity
        # Mistral's ids have nine letters and digits, and it refuses others.
        return hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=5).hexdigest()[:9]


def _flat(pieces: list[_Piece]) -> _Content:
    """A string where that says all: some who speak this format take nothing else."""
    if not pieces:
        return ""
    first = pieces[0]
    if len(pieces) == 1 and isinstance(first, _Text) and first.cache_control is None:
        return first.text
    return pieces
