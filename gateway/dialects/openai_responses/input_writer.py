"""Canonical turns become the input items of a Responses request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Audio,
    Document,
    Image,
    Loss,
    Message,
    Part,
    Refusal,
    TargetFacts,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from gateway.dialects.openai_responses.seal import OWN
from gateway.dialects.openai_words import data_url, decoded_text


class _InputText(msgspec.Struct, tag_field="type", tag="input_text"):
    text: str


class _OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    text: str


class _Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class _Image(msgspec.Struct, omit_defaults=True, tag_field="type", tag="input_image"):
    detail: str
    image_url: str = ""
    file_id: str = ""


class _File(msgspec.Struct, omit_defaults=True, tag_field="type", tag="input_file"):
    filename: str = ""
    file_data: str = ""
    file_url: str = ""
    file_id: str = ""


_Piece = _InputText | _OutputText | _Refusal | _Image | _File


class _Message(msgspec.Struct, tag_field="type", tag="message"):
    role: str
    content: str | list[_Piece]


class _Call(msgspec.Struct, tag_field="type", tag="function_call"):
    call_id: str
    name: str
    arguments: str


class _Output(msgspec.Struct, tag_field="type", tag="function_call_output"):
    call_id: str
    output: str | list[_Piece]


class _Summary(msgspec.Struct, tag_field="type", tag="summary_text"):
    text: str


class _Thought(msgspec.Struct, omit_defaults=True, tag_field="type", tag="reasoning"):
    summary: list[_Summary]
    id: str = ""
    encrypted_content: str = ""


_FILE_ID: Final = "file-"
"""How OpenAI's ids of uploaded files begin; another vendor's are of no use to it."""


class InputWriter:
    """Writes the items of one request. Losses are added to the list that is given."""

    def __init__(self, facts: TargetFacts, blobs: BlobWriter, losses: list[Loss]) -> None:
        self._facts = facts
        self._blobs = blobs
        self._losses = losses

    def instructions(self, system: tuple[Part, ...]) -> str:
        return self._words(system, "system")

    def items(self, messages: tuple[Message, ...]) -> list[object]:
        written: list[object] = []
        for index, message in enumerate(messages):
            at = f"messages[{index}]"
            if message.name:
                self._losses.append(Loss(f"{at}.name"))
            match message.role:
                case "system":
                    written.append(_Message("developer", self._words(message.parts, at)))
                case "user":
                    self._user(message.parts, at, written)
                case "assistant":
                    self._assistant(message.parts, at, written)
        return written

    def _words(self, parts: tuple[Part, ...], at: str) -> str:
        texts = [part for part in parts if isinstance(part, Text)]
        if len(texts) < len(parts):
            self._losses.append(Loss(f"{at}.content", "meaning", "a system prompt is text"))
        for part in texts:
            self._unmark(part, at)
        return "\n\n".join(part.text for part in texts)

    def _unmark(self, part: Part, at: str) -> None:
        if part.cache is not None:
            self._losses.append(Loss(f"{at}.cache_control"))

    def _user(self, parts: tuple[Part, ...], at: str, written: list[object]) -> None:
        pieces: list[_Piece] = []
        results = False
        for part in parts:
            self._unmark(part, at)
            if isinstance(part, ToolResult):
                results = True
                written.append(self._result(part, at))
            else:
                pieces += self._piece(part, at)
        if pieces or not results:
            written.append(_Message("user", pieces))

    def _result(self, result: ToolResult, at: str) -> _Output:
        pieces = [piece for part in result.content for piece in self._piece(part, f"{at}.tool_result")]
        if result.error:
            self._losses.append(Loss(f"{at}.tool_result.error", "hint", "only its text says that the tool failed"))
        if not pieces:
            return _Output(result.id, "")
        first = pieces[0]
        return _Output(result.id, first.text if len(pieces) == 1 and isinstance(first, _InputText) else pieces)

    def _piece(self, part: Part, at: str) -> Iterable[_Piece]:
        match part:
            case Text() | Refusal():
                return (_InputText(part.text),)
            case Image():
                return self._image(part, at)
            case Document():
                return self._document(part, at)
            case Audio():
                self._losses.append(Loss(f"{at}.audio", "meaning", "the target hears no audio"))
            case _:
                name = type(part).__name__
                self._losses.append(Loss(f"{at}.content", "meaning", f"{name} is no part of a user's message"))
        return ()

    def _image(self, part: Image, at: str) -> Iterable[_Piece]:
        detail = part.detail or "auto"
        if self._facts.vision is False:
            self._losses.append(Loss(f"{at}.image", "meaning", "the model sees no images"))
        elif part.content is not None:
            url = data_url(part.media_type or "image/png", self._blobs.place(part.content))
            return (_Image(detail, image_url=url),)
        elif part.url:
            return (_Image(detail, image_url=part.url),)
        elif part.file.startswith(_FILE_ID):
            return (_Image(detail, file_id=part.file),)
        else:
            self._losses.append(Loss(f"{at}.image", "meaning", "the file is kept by another provider"))
        return ()

    def _document(self, part: Document, at: str) -> Iterable[_Piece]:
        if part.citations:
            self._losses.append(Loss(f"{at}.document.citations"))
        if part.context:
            self._losses.append(Loss(f"{at}.document.context"))
        text = part.text or decoded_text(part)
        if text:
            self._losses.append(Loss(f"{at}.document", "changed", "the document is written as text"))
            return (_InputText(f"{part.name}\n\n{text}" if part.name else text),)
        if part.content is not None:
            content = data_url(part.media_type or "application/pdf", self._blobs.place(part.content))
            return (_File(part.name or "document.pdf", file_data=content),)
        if part.url:
            return (_File(file_url=part.url),)
        if part.file.startswith(_FILE_ID):
            return (_File(file_id=part.file),)
        self._losses.append(Loss(f"{at}.document", "meaning", "the file is kept by another provider"))
        return ()

    def _assistant(self, parts: tuple[Part, ...], at: str, written: list[object]) -> None:
        pieces: list[_Piece] = []
        for part in parts:
            self._unmark(part, at)
            match part:
                case Text():
                    pieces.append(_OutputText(part.text))
                    continue
                case Refusal():
                    pieces.append(_Refusal(part.text))
                    continue
                case Audio() if part.transcript:
                    self._losses.append(Loss(f"{at}.audio", "changed", "what was said is written as text"))
                    pieces.append(_OutputText(part.transcript))
                    continue
            if pieces:
                written.append(_Message("assistant", pieces))
                pieces = []
            match part:
                case ToolUse():
                    if part.signature:
                        self._losses.append(Loss(f"{at}.signature"))
                    written.append(_Call(part.id, part.name, part.arguments or "{}"))
                case Thinking() if part.vendor == OWN and part.redacted:
                    summary = [_Summary(part.text)] if part.text else []
                    written.append(_Thought(summary, part.id, part.redacted))
                case Thinking():
                    self._losses.append(Loss(f"{at}.thinking", "hint", "it is of no use to another vendor"))
                case _:
                    name = type(part).__name__.lower()
                    self._losses.append(Loss(f"{at}.{name}", "changed", "left out of the assistant's own turn"))
        if pieces:
            written.append(_Message("assistant", pieces))
