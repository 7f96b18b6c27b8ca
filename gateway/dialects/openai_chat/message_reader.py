"""The messages of a chat completions request become canonical turns.

Results of tools, which are messages of their own in this format, are gathered into one turn of the user.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.canonical import (
    Audio,
    CacheMark,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.thoughts import mistral_thinking, plain_thought, thoughts_of
from gateway.dialects.openai_words import (
    AUDIO_TYPES,
    address,
    base64,
    cache_mark,
    file_type,
    invalid,
    opens,
)

_encode: Final = msgspec.json.encode


class Conversation:
    """The messages, in order, with what later ones must know of earlier ones: which tool a call was of."""

    def __init__(self, found: list[wire.Message]) -> None:
        self._found = found
        self._names: dict[str, str] = {}
        self._legacy: dict[str, str] = {}
        self._system: list[Part] = []
        self._messages: list[Message] = []
        self._results: list[Part] = []

    def read(self) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
        for index, message in enumerate(self._found):
            self._read(message, f"messages[{index}]", index)
        self._flush()
        return tuple(self._system), tuple(self._messages)

    def _read(self, message: wire.Message, at: str, index: int) -> None:
        role = message.role
        if role in ("tool", "function"):
            self._results.append(self._result(message, at))
            return
        self._flush()
        match role:
            case "system" | "developer":
                parts = _content(message, at)
                if self._messages:
                    self._messages.append(Message("system", parts, message.name or ""))
                else:
                    self._system += parts
            case "user":
                if message.content is None:
                    raise invalid(f"{at}.content", "a string or a list of parts is due")
                self._messages.append(Message("user", _content(message, at), message.name or ""))
            case "assistant":
                self._messages.append(Message("assistant", self._assistant(message, at, index), message.name or ""))
            case None:
                raise invalid(f"{at}.role", "a role is due")
            case _:
                raise invalid(f"{at}.role", "it is system, developer, user, assistant, tool or function")

    def _flush(self) -> None:
        if self._results:
            self._messages.append(Message("user", tuple(self._results)))
            self._results = []

    def _result(self, message: wire.Message, at: str) -> ToolResult:
        if message.role == "function":
            name = message.name or ""
            identity = self._legacy.get(name, name)
        else:
            identity = message.tool_call_id or ""
            name = message.name or self._names.get(identity, "")
        if not identity:
            raise invalid(f"{at}.tool_call_id", "the id of the call that this answers is due")
        return ToolResult(
            id=identity, name=name, content=_content(message, at), cache=cache_of(message.cache_control, None)
        )

    def _assistant(self, message: wire.Message, at: str, index: int) -> tuple[Part, ...]:
        parts: list[Part] = list(
            thoughts_of(
                message.thinking_blocks,
                message.reasoning_details,
                plain_thought(message.reasoning_content, message.reasoning),
            )
        )
        parts += _content(message, at)
        if message.refusal:
            parts.append(Refusal(text=message.refusal))
        if message.audio is not None and message.audio.id:
            parts.append(Audio(id=message.audio.id))
        for number, call in enumerate(message.tool_calls or ()):
            parts.append(self._call(call, f"{at}.tool_calls[{number}]"))
        if (function := message.function_call) is not None:
            if not function.name:
                raise invalid(f"{at}.function_call.name", "a name is due")
            identity = f"call_{index}"
            self._legacy[function.name] = identity
            parts.append(ToolUse(id=identity, name=function.name, arguments=wire.arguments_of(function)))
        return tuple(parts)

    def _call(self, call: wire.ToolCall, at: str) -> ToolUse:
        function, custom = call.function, call.custom
        if function is not None:
            name, arguments = function.name, wire.arguments_of(function)
        elif custom is not None:
            name, arguments = custom.name, _encode({"input": custom.input or ""}).decode()
        else:
            raise invalid(f"{at}.function", "a function is due")
        if not name:
            raise invalid(f"{at}.function.name", "a name is due")
        identity = call.id or ""
        self._names[identity] = name
        return ToolUse(id=identity, name=name, arguments=arguments, signature=wire.signature_of(call))


def _content(message: wire.Message, at: str) -> tuple[Part, ...]:
    content = message.content
    if content is None:
        return ()
    if isinstance(content, str):
        # An empty string beside tool calls is how many clients write nothing.
        if not content and message.role == "assistant":
            return ()
        return (Text(text=content, cache=cache_of(message.cache_control, None)),)
    return tuple(_part(piece, f"{at}.content[{index}]") for index, piece in enumerate(content))


def _part(piece: wire.Piece, at: str) -> Part:
    cache = cache_of(piece.cache_control, piece.prompt_cache_breakpoint)
    match piece.type:
        case "text":
            if piece.text is None:
                raise invalid(f"{at}.text", "a string is due")
            return Text(text=piece.text, cache=cache)
        case "image_url":
            return _image(piece.image_url, f"{at}.image_url", cache)
        case "input_audio":
            return _audio(piece.input_audio, f"{at}.input_audio", cache)
        case "file":
            return _document(piece.file, f"{at}.file", cache)
        case "refusal":
            return Refusal(text=piece.refusal or piece.text or "", cache=cache)
        case "thinking":
            return Thinking(text=mistral_thinking(piece.thinking), cache=cache)
        case None:
            raise invalid(f"{at}.type", "the type of the part is due, such as `text`")
        case _:
            raise invalid(f"{at}.type", "no such part is known; it is text, image_url, input_audio, file or refusal")


def _image(found: wire.ImageUrl | str | None, at: str, cache: CacheMark | None) -> Image:
    if found is None:
        raise invalid(at, "an object with a url is due")
    if isinstance(found, str):
        found = wire.ImageUrl(msgspec.Raw(_encode(found)))
    else:
        at = f"{at}.url"
    url, media_type, content = address(found.url, at)
    return Image(url=url, content=content, media_type=media_type, detail=found.detail or "", cache=cache)


def _audio(found: wire.InputAudio | None, at: str, cache: CacheMark | None) -> Audio:
    if found is None:
        raise invalid(at, "an object with data and format is due")
    kind = found.format or "wav"
    return Audio(
        content=base64(found.data, f"{at}.data"), media_type=AUDIO_TYPES.get(kind, f"audio/{kind}"), cache=cache
    )


def _document(found: wire.File | None, at: str, cache: CacheMark | None) -> Document:
    if found is None:
        raise invalid(at, "an object with file_data or file_id is due")
    name = found.filename or ""
    if not opens(found.file_data, b'"'):
        if not found.file_id:
            raise invalid(at, "file_data or file_id is due")
        return Document(file=found.file_id, name=name, cache=cache)
    at = f"{at}.file_data"
    url, media_type, content = address(found.file_data, at)
    if content is None and not url.startswith(("http://", "https://")):
        url, content = "", base64(found.file_data, at)
    return Document(url=url, content=content, media_type=media_type or file_type(name), name=name, cache=cache)


def cache_of(mark: wire.CacheControl | None, breakpoint_: wire.Breakpoint | None) -> CacheMark | None:
    if mark is not None:
        return cache_mark(mark.ttl == "1h")
    return cache_mark(breakpoint_.ttl == "12h") if breakpoint_ is not None else None
