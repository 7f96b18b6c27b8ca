"""Out of a request's body what rules ask: the last user text, and whether there are tools, pictures, structured output.

Lives here: where each format of chat has them. Must not: judge them, or raise; a body that is not as its format says
has none of it, and whoever reads it in earnest says why. Law: the body is decoded once; of its messages only those are
looked into that may hold what is wanted, so the time is linear in its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from gateway.core.exchange import Call
from gateway.core.prompt import Prompt, bounded

_NONE: Final = msgspec.Raw()
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_JSON_TYPES: Final = ("json_object", "json_schema", "json")
_PICTURES: Final = ("image_url", "input_image", "image")
NOTHING: Final = Prompt()


class _Turn(msgspec.Struct, gc=False):
    """type: of an item of Responses, where a message may have none."""

    type: str | None = None
    role: str | None = None
    content: msgspec.Raw = _NONE
    parts: msgspec.Raw = _NONE


class _Body(msgspec.Struct, gc=False):
    """Every format of chat: no two of them call different things by one name."""

    messages: list[_Turn] | None = None
    input: msgspec.Raw = _NONE
    prompt: msgspec.Raw = _NONE
    contents: list[_Turn] | None = None
    tools: msgspec.Raw = _NONE
    functions: msgspec.Raw = _NONE
    response_format: msgspec.Raw = _NONE
    text: msgspec.Raw = _NONE
    output_format: msgspec.Raw = _NONE
    output_config: msgspec.Raw = _NONE
    camel_config: msgspec.Raw = msgspec.field(default=_NONE, name="generationConfig")
    snake_config: msgspec.Raw = msgspec.field(default=_NONE, name="generation_config")


class _Picture(msgspec.Struct, gc=False):
    camel_mime: str | None = msgspec.field(default=None, name="mimeType")
    snake_mime: str | None = msgspec.field(default=None, name="mime_type")

    def is_image(self) -> bool:
        return (self.camel_mime or self.snake_mime or "").startswith("image/")


class _Piece(msgspec.Struct, gc=False):
    """content: of a tool's result, which may hold pictures."""

    type: str | None = None
    text: str | None = None
    thought: bool | None = None
    content: msgspec.Raw = _NONE
    inline_camel: _Picture | None = msgspec.field(default=None, name="inlineData")
    inline_snake: _Picture | None = msgspec.field(default=None, name="inline_data")
    file_camel: _Picture | None = msgspec.field(default=None, name="fileData")
    file_snake: _Picture | None = msgspec.field(default=None, name="file_data")


class _Typed(msgspec.Struct, gc=False):
    """format: of Responses' `text` and Anthropic's `output_config`."""

    type: str | None = None
    format: msgspec.Raw = _NONE


class _Config(msgspec.Struct, gc=False):
    """Gemini's `generationConfig`, in both spellings."""

    camel_type: str | None = msgspec.field(default=None, name="responseMimeType")
    snake_type: str | None = msgspec.field(default=None, name="response_mime_type")
    camel_schema: msgspec.Raw = msgspec.field(default=_NONE, name="responseSchema")
    snake_schema: msgspec.Raw = msgspec.field(default=_NONE, name="response_schema")
    camel_json: msgspec.Raw = msgspec.field(default=_NONE, name="responseJsonSchema")
    snake_json: msgspec.Raw = msgspec.field(default=_NONE, name="response_json_schema")


class _Tool(msgspec.Struct, gc=False):
    camel: list[msgspec.Raw] | None = msgspec.field(default=None, name="functionDeclarations")
    snake: list[msgspec.Raw] | None = msgspec.field(default=None, name="function_declarations")


T = TypeVar("T")
_BODY: Final = msgspec.json.Decoder(_Body)
_TURNS: Final = msgspec.json.Decoder(list[_Turn])
_STRING: Final = msgspec.json.Decoder(str)
_STRINGS: Final = msgspec.json.Decoder(list[str])
_PIECES: Final = msgspec.json.Decoder(list[_Piece])
_ONE_PIECE: Final = msgspec.json.Decoder(_Piece)
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TYPED: Final = msgspec.json.Decoder(_Typed)
_CONFIG: Final = msgspec.json.Decoder(_Config)
_TOOLS: Final = msgspec.json.Decoder(list[_Tool])


def prompt_of(call: Call, body: bytes, *, images: bool = True) -> Prompt:
    """What a chat request in any dialect says. images: they are to be looked for, in the whole conversation."""
    if call.multipart or body.lstrip()[:1] != b"{":
        return NOTHING
    try:
        asked = _BODY.decode(body)
    except _UNREADABLE:
        return NOTHING
    match call.operation:
        case "completions":
            several = _opened(_STRINGS, asked.prompt)
            text = (several[-1] if several else _opened(_STRING, asked.prompt)) or ""
            return Prompt(bounded(text), 1 if text else 0, json=_is_json(asked.response_format))
        case "responses":
            turns = _items(asked)
        case "count-tokens" if asked.messages is None and asked.contents is None:
            turns = _items(asked)
        case _:
            turns = asked.messages or asked.contents or []
    ours = [turn for turn in turns if _is_users(turn) and not _is_result(turn)]
    tools = _count(asked.tools) + _count(asked.functions)
    if asked.contents is not None:
        tools = _declared(asked.tools)
    text = next((text for turn in reversed(ours) if (text := _text(turn))), "")
    return Prompt(
        bounded(text),
        len(ours),
        tools,
        sum(map(_pictures, turns)) if images else 0,
        _wants_json(asked),
    )


def _items(asked: _Body) -> list[_Turn]:
    text = _opened(_STRING, asked.input)
    if text is not None:
        return [_Turn(role="user", content=asked.input)]
    return _opened(_TURNS, asked.input) or []


def _is_users(turn: _Turn) -> bool:
    """Gemini's turns may leave their role out."""
    if turn.type not in (None, "message"):
        return False
    return turn.role == "user" or (turn.role is None and turn.parts != _NONE)


def _is_result(turn: _Turn) -> bool:
    """Anthropic and Gemini have results of tools in turns of the user."""
    content = bytes(turn.parts if turn.parts != _NONE else turn.content)
    if content[:1] != b"[":
        return False
    return b'"tool_result"' in content or b'"functionResponse"' in content or b'"function_response"' in content


def _pieces(content: msgspec.Raw) -> Sequence[_Piece]:
    """Of a list of pieces, or of one alone, as Gemini takes it."""
    opening = bytes(memoryview(content)[:1])
    if opening == b"{":
        one = _opened(_ONE_PIECE, content)
        return () if one is None else (one,)
    found = _opened(_PIECES, content) if opening == b"[" else None
    return found or ()


def _text(turn: _Turn) -> str:
    content = turn.parts if turn.parts != _NONE else turn.content
    whole = _opened(_STRING, content) if bytes(memoryview(content)[:1]) == b'"' else None
    if whole is not None:
        return whole
    return "\n".join(piece.text for piece in _pieces(content) if piece.text and not piece.thought)


def _pictures(turn: _Turn) -> int:
    content = turn.parts if turn.parts != _NONE else turn.content
    written = bytes(content)
    if written[:1] not in (b"[", b"{") or b"image" not in written:
        return 0
    return sum(_shown(_pieces(content)))


def _shown(pieces: Sequence[_Piece]) -> Iterator[int]:
    for piece in pieces:
        if piece.type in _PICTURES:
            yield 1
        elif piece.type == "tool_result" and piece.content != _NONE:
            yield sum(inner.type in _PICTURES for inner in _pieces(piece.content))
        else:
            media = (piece.inline_camel, piece.inline_snake, piece.file_camel, piece.file_snake)
            yield sum(one is not None and one.is_image() for one in media)


def _count(tools: msgspec.Raw) -> int:
    found = _opened(_RAWS, tools)
    return len(found) if found else 0


def _declared(tools: msgspec.Raw) -> int:
    """Gemini's tools hold several functions each; what is no function is one tool."""
    return sum(max(len(tool.camel or ()) + len(tool.snake or ()), 1) for tool in _opened(_TOOLS, tools) or ())


def _wants_json(asked: _Body) -> bool:
    if _is_json(asked.response_format) or _is_json(asked.output_format):
        return True
    for around in (asked.text, asked.output_config):
        found = _opened(_TYPED, around)
        if found is not None and _is_json(found.format):
            return True
    for written in (asked.camel_config, asked.snake_config):
        config = _opened(_CONFIG, written)
        if config is not None:
            schemas = (config.camel_schema, config.snake_schema, config.camel_json, config.snake_json)
            if (config.camel_type or config.snake_type) == "application/json" or any(
                bytes(schema) not in (b"", b"null") for schema in schemas
            ):
                return True
    return False


def _is_json(format_: msgspec.Raw) -> bool:
    found = _opened(_TYPED, format_)
    return found is not None and found.type in _JSON_TYPES


def _opened(decoder: msgspec.json.Decoder[T], value: msgspec.Raw) -> T | None:
    """What is in a member; None where it is not there, or something else."""
    if value == _NONE:
        return None
    try:
        return decoder.decode(value)
    except _UNREADABLE:
        return None
