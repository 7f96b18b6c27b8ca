"""A generateContent request as the canonical one.

Lives here: reading. Law: every member is read, named in `unread`, or, where without it something else would be asked,
in `lost`. Writing is target.py.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects import body as bodies
from gateway.dialects.canonical import (
    Effort,
    Format,
    HostedTool,
    Loss,
    Reasoning,
    Request,
    Sampling,
    Tool,
    ToolChoice,
)
from gateway.dialects.gemini.conversation import read_messages, read_system
from gateway.dialects.gemini.fields import FLAG, MEMBERS, NUMBER, TEXT, TEXTS, WHOLE, Fields
from gateway.dialects.gemini.schema import json_schema

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
    messages = read_messages(top)
    config = top.nested("generationConfig") or Fields({}, "generationConfig.", unread)
    tools, choice = _tools(top)
    lost = (Loss("cachedContent", "meaning"),) if top.take("cachedContent", TEXT) else _NO_LOSS
    answer_format, unbearable = _format(config)
    tier = (top.take("serviceTier", TEXT) or "").lower()
    stops = config.take("stopSequences", TEXTS) or ()
    found = Request(
        model=call.model,
        messages=messages,
        system=read_system(top, unread),
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
