"""The turns of a generateContent request, and its system instruction, as canonical messages.

Lives here: contents and their parts, whoever wrote them. Law: neighbouring turns of the model are one, calls and
results have ids, and nothing of a part is stepped over in silence.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.core.errors import GatewayError
from gateway.dialects.canonical import Document, Message, Part, Text, Thinking, ToolResult, ToolUse
from gateway.dialects.gemini.calls import Calls, text_of
from gateway.dialects.gemini.fields import FLAG, TEXT, Fields
from gateway.dialects.gemini.media import read_file, read_inline
from gateway.dialects.gemini.thoughts import thinking_of

_ROLES: Final[dict[str, Literal["user", "assistant"]]] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
}


def read_system(top: Fields, unread: list[str]) -> tuple[Part, ...]:
    """Google takes a Content, a Part or a string."""
    raw = top.raw("systemInstruction")
    if raw is None:
        return ()
    holder = Fields({"systemInstruction": raw}, "", unread)
    if memoryview(raw)[0] == 0x22:
        text = holder.take("systemInstruction", TEXT)
        return (Text(text=text),) if text else ()
    content = holder.nested("systemInstruction")
    if content is None:
        return ()
    if "text" in content.left():
        pieces = [content]
    else:
        pieces = content.each("parts")
        content.raw("role")
        content.leave()
    found: list[Part] = []
    for piece in pieces:
        text = piece.take("text", TEXT)
        if text:
            found.append(Text(text=text))
        piece.leave()
    return tuple(found)


def read_messages(top: Fields) -> tuple[Message, ...]:
    calls = Calls()
    turns: list[tuple[Literal["user", "assistant"], list[Part]]] = []
    for content in top.each("contents"):
        name = content.take("role", TEXT) or ""
        role = _ROLES.get(name)
        if role is None:
            raise GatewayError(
                "invalid_request",
                f"`{content.path}role` is {name[:40]!r}; it must be `user` or `model`.",
                param=f"{content.path}role",
            )
        parts: list[Part] = []
        for piece in content.each("parts"):
            parts += _part(piece, calls)
            piece.leave()
        content.leave()
        if not parts:
            continue
        if turns and turns[-1][0] == role and (role == "assistant" or _answers(turns[-1][1], parts)):
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    if not turns:
        raise GatewayError("invalid_request", "`contents` must have a part at least.", param="contents")
    return tuple(Message(role, tuple(_joined(parts) if role == "assistant" else parts)) for role, parts in turns)


def _answers(before: list[Part], parts: list[Part]) -> bool:
    """Results of parallel calls, each sent as a turn of its own."""
    return isinstance(parts[0], ToolResult) and all(isinstance(part, ToolResult) for part in before)


def _joined(parts: list[Part]) -> list[Part]:
    """A model's turn in one piece: chats made from streams send back every chunk as a part."""
    out: list[Part] = []
    for part in parts:
        before = out[-1] if out else None
        if isinstance(part, Text) and isinstance(before, Text):
            out[-1] = Text(text=before.text + part.text)
        elif isinstance(part, Thinking) and isinstance(before, Thinking) and not (before.signature or before.redacted):
            out[-1] = msgspec.structs.replace(part, text=before.text + part.text)
        else:
            out.append(part)
    return out


def _part(piece: Fields, calls: Calls) -> list[Part]:
    signature = piece.take("thoughtSignature", TEXT) or ""
    thought = piece.take("thought", FLAG)
    text = piece.take("text", TEXT)
    if text is not None:
        if thought:
            return [thinking_of(text, signature)] if text or signature else []
        found: list[Part] = [Text(text=text)] if text else []
        return [*found, thinking_of("", signature)] if signature else found
    call = piece.nested("functionCall")
    if call is not None:
        return [_tool_use(call, signature, calls)]
    result = piece.nested("functionResponse")
    if result is not None:
        return [_tool_result(result, calls)]
    media = _media(piece)
    if media is not None:
        return [media]
    code = piece.nested("executableCode")
    if code is not None:
        language = (code.take("language", TEXT) or "").lower()
        written = code.take("code", TEXT) or ""
        return [Text(text=fenced(written, language))]
    outcome = piece.nested("codeExecutionResult")
    if outcome is not None:
        outcome.raw("outcome")
        return [Text(text=fenced(outcome.take("output", TEXT) or "", ""))]
    if signature:
        return [thinking_of("", signature)]
    if not piece.left():
        raise GatewayError("invalid_request", f"`{piece.path[:-1]}` is empty.", param=piece.path[:-1])
    return []


def fenced(code: str, language: str) -> str:
    """Code that a model ran, or what it printed, as text: on lines of its own, whatever stands before it."""
    name = "" if language == "language_unspecified" else language
    return f"\n```{name}\n{code}{'' if code.endswith(chr(10)) else chr(10)}```\n"


def _media(piece: Fields) -> Part | None:
    inlined = piece.nested("inlineData")
    if inlined is not None:
        value = inlined.raw("data")
        part = read_inline(inlined.take("mimeType", TEXT) or "", value) if value is not None else None
        if part is None:
            param = f"{inlined.path}data"
            raise GatewayError("invalid_request", f"`{param}` must be a string of base64.", param=param)
    else:
        file = piece.nested("fileData")
        if file is None:
            return None
        uri = file.take("fileUri", TEXT)
        if not uri:
            param = f"{file.path}fileUri"
            raise GatewayError("invalid_request", f"`{param}` must be a URI.", param=param)
        part = read_file(uri, file.take("mimeType", TEXT) or "")
        inlined = file
    if isinstance(part, Document) and (name := inlined.take("displayName", TEXT)):
        part = msgspec.structs.replace(part, name=name)
    inlined.leave()
    return part


def _tool_use(call: Fields, signature: str, calls: Calls) -> ToolUse:
    name = call.take("name", TEXT)
    if not name:
        raise GatewayError("invalid_request", f"`{call.path}name` is missing.", param=f"{call.path}name")
    arguments = call.raw("args")
    identity = calls.called(call.take("id", TEXT) or "", name)
    call.leave()
    return ToolUse(
        id=identity,
        name=name,
        arguments="{}" if arguments is None else str(memoryview(arguments), "utf-8", "replace"),
        signature=signature,
    )


def _tool_result(result: Fields, calls: Calls) -> ToolResult:
    identity, name = calls.answered(result.take("id", TEXT) or "", result.take("name", TEXT) or "")
    response = result.raw("response")
    content: list[Part] = []
    failed = False
    if response is not None:
        try:
            text, failed = text_of(response)
        except (msgspec.MsgspecError, RecursionError):
            param = f"{result.path}response"
            raise GatewayError("invalid_request", f"`{param}` must be an object.", param=param) from None
        if text:
            content.append(Text(text=text))
    for piece in result.each("parts"):
        media = _media(piece)
        if media is not None:
            content.append(media)
        piece.leave()
    result.leave()
    return ToolResult(id=identity, name=name, content=tuple(content), error=failed)
