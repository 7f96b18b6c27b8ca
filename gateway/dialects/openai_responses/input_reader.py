"""The input items of a Responses request become canonical turns.

Items are finer than turns: the words, the thoughts and the calls of one answer are items of their own, and so are the
results of tools. Neighbours of one side are gathered into one turn.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.dialects.canonical import (
    Audio,
    CacheMark,
    Document,
    Image,
    Loss,
    Message,
    Part,
    Refusal,
    Text,
    ToolResult,
    ToolUse,
)
from gateway.dialects.openai_responses import request_body as wire
from gateway.dialects.openai_responses.seal import unsealed
from gateway.dialects.openai_words import AUDIO_TYPES, address, base64, cache_mark, file_type, invalid, opens

_CALLS: Final = ("function_call", "custom_tool_call")
_RESULTS: Final = ("function_call_output", "custom_tool_call_output")
_STORED: Final = frozenset(("item_reference", "compaction", "program", "program_output", "additional_tools"))
"""Kinds that stand for something which OpenAI keeps: without it the rest means something else."""


class InputReader:
    """Reads the items in order. lost and untold are added to."""

    def __init__(self, lost: list[Loss], untold: list[str]) -> None:
        self.system: list[Part] = []
        self._lost = lost
        self._untold = untold
        self._messages: list[Message] = []
        self._side: Literal["user", "assistant"] = "user"
        self._gathered: list[Part] = []
        self._open = False
        self._names: dict[str, str] = {}

    def read(self) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
        """System prompt and turns."""
        self._flush()
        return tuple(self.system), tuple(self._messages)

    def say(self, text: str) -> None:
        """The whole input as one string."""
        self._messages.append(Message("user", (Text(text=text),)))

    def take(self, items: list[wire.Item], name: str) -> None:
        """Raises GatewayError `invalid_request`. name: of the member that the items are in."""
        for index, item in enumerate(items):
            self._take(item, f"{name}[{index}]")

    def _take(self, item: wire.Item, at: str) -> None:
        kind = item.type or ("message" if item.role else "item_reference" if item.id else None)
        if kind == "message":
            self._message(item, at)
        elif kind == "reasoning":
            text, proof = _thought(item), item.encrypted_content or ""
            if text or proof:
                self._gather("assistant", unsealed(text, proof, item.id or ""))
        elif kind in _CALLS:
            self._gather("assistant", self._call(item, at))
        elif kind in _RESULTS:
            self._gather("user", self._result(item, at))
        elif kind is None:
            raise invalid(f"{at}.type", "the type of the item is due, such as `message`")
        elif kind in _STORED:
            self._lost.append(Loss(at, "meaning", f"{kind}: OpenAI alone knows what it stands for"))
        elif kind.endswith(("_call", "_call_output", "_list_tools", "_approval_request", "_approval_response")):
            self._lost.append(Loss(at, "changed", f"{kind}: what OpenAI's own tools did is left out"))
        else:
            raise invalid(f"{at}.type", f"no item `{kind[:60]}` is known")

    def _message(self, item: wire.Item, at: str) -> None:
        parts = self._content(item.content, f"{at}.content", item.role == "assistant")
        match item.role:
            case "system" | "developer":
                self._flush()
                if self._messages:
                    self._messages.append(Message("system", parts))
                else:
                    self.system += parts
            case "user":
                self._flush()
                self._messages.append(Message("user", parts))
            case "assistant":
                self._gather("assistant", *parts)
            case _:
                raise invalid(f"{at}.role", "it is system, developer, user or assistant")

    def _gather(self, side: Literal["user", "assistant"], *parts: Part) -> None:
        if self._open and self._side != side:
            self._flush()
        self._side = side
        self._open = True
        self._gathered += parts

    def _flush(self) -> None:
        if self._open:
            self._messages.append(Message(self._side, tuple(self._gathered)))
            self._gathered = []
            self._open = False

    def _call(self, item: wire.Item, at: str) -> ToolUse:
        if not item.name:
            raise invalid(f"{at}.name", "the name of the tool is due")
        if not item.call_id:
            raise invalid(f"{at}.call_id", "the id of the call is due")
        self._names[item.call_id] = item.name
        google = item.extra_content.google if item.extra_content is not None else None
        signature = (google.thought_signature or "") if google is not None else ""
        return ToolUse(id=item.call_id, name=item.name, arguments=arguments_of(item), signature=signature)

    def _result(self, item: wire.Item, at: str) -> ToolResult:
        identity = item.call_id or ""
        if not identity:
            raise invalid(f"{at}.call_id", "the id of the call that this answers is due")
        output = item.output
        if isinstance(output, dict):
            output = msgspec.json.encode(output).decode()
        return ToolResult(
            id=identity, name=self._names.get(identity, ""), content=self._content(output, f"{at}.output", False)
        )

    def _content(self, content: str | list[wire.Piece] | None, at: str, own: bool) -> tuple[Part, ...]:
        if content is None:
            return ()
        if isinstance(content, str):
            return (Text(text=content),) if content or not own else ()
        return tuple(_part(piece, f"{at}[{index}]") for index, piece in enumerate(content))


def arguments_of(item: wire.Item) -> str:
    """JSON text. A custom tool's free text is put into an object, as the function that stands for it would have it."""
    if item.type == "custom_tool_call":
        return msgspec.json.encode({"input": item.input or ""}).decode()
    found = item.arguments
    return found if isinstance(found, str) else msgspec.json.encode(found).decode() if found is not None else ""


def _thought(item: wire.Item) -> str:
    content = item.content if isinstance(item.content, list) else []
    return "\n\n".join(piece.text for piece in (*(item.summary or ()), *content) if piece.text)


def _part(piece: wire.Piece, at: str) -> Part:
    cache = _cache(piece)
    match piece.type:
        case "input_text" | "output_text" | "text":
            if piece.text is None:
                raise invalid(f"{at}.text", "a string is due")
            return Text(text=piece.text, cache=cache)
        case "refusal":
            return Refusal(text=piece.refusal or "", cache=cache)
        case "input_image":
            if not opens(piece.image_url, b'"'):
                if not piece.file_id:
                    raise invalid(f"{at}.image_url", "image_url or file_id is due")
                return Image(file=piece.file_id, detail=piece.detail or "", cache=cache)
            url, media_type, content = address(piece.image_url, f"{at}.image_url")
            return Image(url=url, content=content, media_type=media_type, detail=piece.detail or "", cache=cache)
        case "input_audio":
            sound = piece.input_audio
            if sound is None:
                raise invalid(f"{at}.input_audio", "an object with data and format is due")
            kind = sound.format or "wav"
            return Audio(
                content=base64(sound.data, f"{at}.input_audio.data"),
                media_type=AUDIO_TYPES.get(kind, f"audio/{kind}"),
                cache=cache,
            )
        case "input_file":
            return _document(piece, at, cache)
        case None:
            raise invalid(f"{at}.type", "the type of the part is due, such as `input_text`")
        case _:
            raise invalid(
                f"{at}.type", "no such part is known; it is input_text, input_image, input_file or output_text"
            )


def _document(piece: wire.Piece, at: str, cache: CacheMark | None) -> Document:
    name = piece.filename or ""
    if piece.file_url:
        return Document(url=piece.file_url, name=name, media_type=file_type(name), cache=cache)
    if not opens(piece.file_data, b'"'):
        if not piece.file_id:
            raise invalid(at, "file_data, file_url or file_id is due")
        return Document(file=piece.file_id, name=name, cache=cache)
    at = f"{at}.file_data"
    _, media_type, content = address(piece.file_data, at)
    return Document(
        content=content if content is not None else base64(piece.file_data, at),
        media_type=media_type or file_type(name),
        name=name,
        cache=cache,
    )


def _cache(piece: wire.Piece) -> CacheMark | None:
    if (mark := piece.cache_control) is not None:
        return cache_mark(mark.ttl == "1h")
    own = piece.prompt_cache_breakpoint
    return cache_mark(own.ttl == "12h") if own is not None else None
