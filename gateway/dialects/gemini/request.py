"""A generateContent request as the canonical one.

Lives here: reading. Law: every member is read, named in `unread`, or, where without it something else would be asked,
in `lost`. Writing is target.py.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects import body as bodies
from gateway.dialects.canonical import (
    Document,
    Effort,
    Format,
    HostedTool,
    Image,
    Loss,
    Message,
    Part,
    Reasoning,
    Request,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.gemini.calls import Calls, text_of
from gateway.dialects.gemini.fields import FLAG, MEMBERS, NUMBER, TEXT, TEXTS, WHOLE, Fields
from gateway.dialects.gemini.media import read_file, read_inline
from gateway.dialects.gemini.schema import json_schema
from gateway.dialects.gemini.thoughts import thinking_of

_ROLES: Final[dict[str, Literal["user", "assistant"]]] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
}
HOSTED: Final = {
    "googleSearch": "web-search",
    "googleSearchRetrieval": "web-search",
    "enterpriseWebSearch": "web-search",
    "codeExecution": "code-execution",
    "urlContext": "url-context",
    "fileSearch": "file-search",
    "computerUse": "computer",
    "googleMaps": "google-maps",
}
_LEVELS: Final[dict[str, Effort]] = {
    "MINIMAL": "minimal",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "XHIGH": "max",
}
_TIERS: Final = {"standard": "default", "unspecified": ""}
_NO_LOSS: Final[tuple[Loss, ...]] = ()


def read_request(body: bytes, call: Call) -> Request:
    """The request. Raises GatewayError `malformed_body` or `invalid_request`."""
    unread: list[str] = []
    top = Fields(bodies.read(MEMBERS, body), "", unread)
    messages = _messages(top)
    config = top.nested("generationConfig") or Fields({}, "generationConfig.", unread)
    tools, choice = _tools(top)
    lost = (Loss("cachedContent", "meaning"),) if top.take("cachedContent", TEXT) else _NO_LOSS
    answer_format, unbearable = _format(config)
    tier = (top.take("serviceTier", TEXT) or "").lower()
    stops = config.take("stopSequences", TEXTS) or ()
    found = Request(
        model=call.model,
        messages=messages,
        system=_system(top, unread),
        tools=tools,
        tool_choice=choice,
        format=answer_format,
        reasoning=_reasoning(config),
        sampling=_sampling(config),
        max_tokens=config.take("maxOutputTokens", WHOLE),
        stop=tuple(stops),
        n=max(config.take("candidateCount", WHOLE) or 1, 1),
        stream=call.stream,
        wants_usage=True,
        metadata=top.raw("labels"),
        service_tier=_TIERS.get(tier, tier),
        modalities=tuple(one.lower() for one in config.take("responseModalities", TEXTS) or ()),
        lost=lost + unbearable,
    )
    # The model stands in the path; some clients repeat it.
    top.raw("model")
    config.leave()
    top.leave()
    return msgspec.structs.replace(found, unread=tuple(unread)) if unread else found


def _system(top: Fields, unread: list[str]) -> tuple[Part, ...]:
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


def _messages(top: Fields) -> tuple[Message, ...]:
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
    name = inlined.take("displayName", TEXT)
    inlined.leave()
    return msgspec.structs.replace(part, name=name) if name and isinstance(part, Document) else part


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
        if isinstance(media, Image | Document):
            content.append(media)
        piece.leave()
    result.leave()
    return ToolResult(id=identity, name=name, content=tuple(content), error=failed)


def _tools(top: Fields) -> tuple[tuple[Tool | HostedTool, ...], ToolChoice | None]:
    found: list[Tool | HostedTool] = []
    for tool in top.each("tools"):
        found += [_function(declared) for declared in tool.each("functionDeclarations")]
        for name in tool.left():
            raw = tool.raw(name)
            if raw is not None:
                found.append(HostedTool(kind=HOSTED.get(name, name), vendor="gemini", body=_wrapped(name, raw)))
    config = top.nested("toolConfig")
    if config is None:
        return tuple(found), None
    calling = config.nested("functionCallingConfig")
    config.leave()
    if calling is None:
        return tuple(found), None
    mode = (calling.take("mode", TEXT) or "AUTO").upper()
    allowed = tuple(calling.take("allowedFunctionNames", TEXTS) or ())
    calling.leave()
    match mode:
        case "ANY" if len(allowed) == 1:
            return tuple(found), ToolChoice(mode="tool", name=allowed[0])
        case "ANY":
            return tuple(found), ToolChoice(mode="any", allowed=allowed)
        case "NONE":
            return tuple(found), ToolChoice(mode="none")
        case "VALIDATED":
            strict = [msgspec.structs.replace(tool, strict=True) if isinstance(tool, Tool) else tool for tool in found]
            return tuple(strict), ToolChoice(mode="auto", allowed=allowed)
        case "AUTO" | "MODE_UNSPECIFIED":
            return tuple(found), ToolChoice(mode="auto", allowed=allowed)
        case _:
            param = f"{calling.path}mode"
            raise GatewayError("invalid_request", f"`{param}` must be AUTO, ANY, NONE or VALIDATED.", param=param)


def _wrapped(name: str, raw: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({name: raw}))


def _function(declared: Fields) -> Tool:
    name = declared.take("name", TEXT)
    if not name:
        raise GatewayError("invalid_request", f"`{declared.path}name` is missing.", param=f"{declared.path}name")
    description = declared.take("description", TEXT) or ""
    subset = declared.raw("parameters")
    schema = declared.raw("parametersJsonSchema")
    if schema is None and subset is not None:
        schema = _converted(subset, f"{declared.path}parameters")
    declared.leave()
    return Tool(name=name, description=description, parameters=schema)


def _converted(subset: msgspec.Raw, param: str) -> msgspec.Raw:
    try:
        return json_schema(subset)
    except (msgspec.MsgspecError, RecursionError):
        raise GatewayError("invalid_request", f"`{param}` must be a schema.", param=param) from None


def _format(config: Fields) -> tuple[Format | None, tuple[Loss, ...]]:
    kind = (config.take("responseMimeType", TEXT) or "").lower()
    subset = config.raw("responseSchema")
    schema = config.raw("responseJsonSchema")
    if schema is None and subset is not None:
        schema = _converted(subset, "generationConfig.responseSchema")
    if kind in ("", "text/plain"):
        return None, _NO_LOSS
    if kind != "application/json":
        return None, (Loss("generationConfig.responseMimeType", "meaning", f"{kind[:40]} is Gemini's alone"),)
    return Format(kind="json" if schema is None else "schema", schema=schema), _NO_LOSS


def _reasoning(config: Fields) -> Reasoning | None:
    thinking = config.nested("thinkingConfig")
    if thinking is None:
        return None
    visible = thinking.take("includeThoughts", FLAG)
    budget = thinking.take("thinkingBudget", WHOLE)
    effort = _LEVELS.get((thinking.take("thinkingLevel", TEXT) or "").upper())
    thinking.leave()
    if budget == 0:
        effort, budget = "none", None
    if visible is None and budget is None and effort is None:
        return None
    return Reasoning(effort=effort, budget=budget, visible=visible)


def _sampling(config: Fields) -> Sampling:
    wanted = config.take("responseLogprobs", FLAG)
    alternatives = config.take("logprobs", WHOLE)
    return Sampling(
        temperature=config.take("temperature", NUMBER),
        top_p=config.take("topP", NUMBER),
        top_k=config.take("topK", WHOLE),
        frequency_penalty=config.take("frequencyPenalty", NUMBER),
        presence_penalty=config.take("presencePenalty", NUMBER),
        seed=config.take("seed", WHOLE),
        logprobs=(alternatives or 0) if wanted else None,
    )
