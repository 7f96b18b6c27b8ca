"""A recorded request, made anew. What it asked is not in a record, so it asks something as large, in the same words'
places.

What lives here: path, body and usage of a line. Two lines with one digest ask for the same, as the cache sees it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Headers
from gateway.core.usage import Estimate, Usage
from gateway.dialects.sniff import read_call
from gateway.telemetry.audit_line import AuditLine

JSON: Final[Headers] = [(b"content-type", b"application/json")]
_VERSIONED: Final[Headers] = [*JSON, (b"anthropic-version", b"2023-06-01")]
_TOOL: Final = {"type": "object", "properties": {}}
_PIXEL: Final = "iVBORw0KGgo="


class Asked(msgspec.Struct, frozen=True):
    """path: below the route. estimate: as it was thought of when it came. usage: as it was in the end."""

    path: str
    headers: Headers
    body: bytes
    call: Call
    estimate: Estimate
    usage: Usage


def asked_by(line: AuditLine) -> Asked | None:
    """None for what is not made of text that could be made anew: forms, lists of models."""
    request, tokens = line.request, line.usage
    path = request.path or _PATHS.get(request.operation, "")
    document = _document(line, request.digest or line.id)
    if document is None or not path:
        return None
    body = msgspec.json.encode(document)
    try:
        call = read_call("POST", path, b"", b"application/json", body, request.dialect == "anthropic")
    except GatewayError:
        return None
    usage = Usage(
        input=request.prompt_tokens or request.estimated_prompt_tokens,
        output=line.response.completion_tokens,
        cached=tokens.cached,
        cache_write_5m=tokens.cache_write_5m,
        cache_write_1h=tokens.cache_write_1h,
        reasoning=tokens.reasoning,
        audio_input=tokens.audio_input,
        audio_output=tokens.audio_output,
    )
    thought = request.estimated_prompt_tokens or usage.input
    estimate = Estimate(
        thought, thought, request.estimated_completion_tokens or usage.output, said=bool(request.max_tokens)
    )
    headers = _VERSIONED if request.dialect == "anthropic" else JSON
    return Asked(path, headers, body, call, estimate, usage)


_PATHS: Final = {
    "chat": "/chat/completions", "completions": "/completions", "responses": "/responses", "messages": "/messages",
    "embeddings": "/embeddings",
}  # fmt: skip
"""Of records that have none."""


def _document(line: AuditLine, text: str) -> dict[str, Any] | None:
    request = line.request
    made = _MADE.get((request.dialect, request.operation))
    if made is None:
        return None
    document = made(line, text)
    if request.dialect != "gemini":
        document["model"] = request.model
        if request.stream:
            document["stream"] = True
        if line.user_id and request.dialect == "openai":
            document["user"] = line.user_id
        elif line.user_id and request.dialect == "anthropic":
            document["metadata"] = {"user_id": line.user_id}
    return document


def _chat(line: AuditLine, text: str) -> dict[str, Any]:
    features = line.request.features
    content: object = text
    if "images" in features:
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}
        content = [{"type": "text", "text": text}, image]
    document: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if line.request.max_tokens:
        document["max_tokens"] = line.request.max_tokens
    if line.request.n > 1:
        document["n"] = line.request.n
    if "tools" in features:
        document["tools"] = [{"type": "function", "function": {"name": "f", "parameters": _TOOL}}]
    if "json" in features:
        document["response_format"] = {"type": "json_object"}
    return document


def _messages(line: AuditLine, text: str) -> dict[str, Any]:
    content: object = text
    if "images" in line.request.features:
        source = {"type": "base64", "media_type": "image/png", "data": _PIXEL}
        content = [{"type": "text", "text": text}, {"type": "image", "source": source}]
    document: dict[str, Any] = {
        "max_tokens": line.request.max_tokens or 1024,
        "messages": [{"role": "user", "content": content}],
    }
    if "tools" in line.request.features:
        document["tools"] = [{"name": "f", "input_schema": _TOOL}]
    return document


def _responses(line: AuditLine, text: str) -> dict[str, Any]:
    document: dict[str, Any] = {"input": text}
    if line.request.max_tokens:
        document["max_output_tokens"] = line.request.max_tokens
    if "tools" in line.request.features:
        document["tools"] = [{"type": "function", "name": "f", "parameters": _TOOL}]
    return document


def _generate(line: AuditLine, text: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": text}]
    if "images" in line.request.features:
        parts.append({"inlineData": {"mimeType": "image/png", "data": _PIXEL}})
    document: dict[str, Any] = {"contents": [{"role": "user", "parts": parts}]}
    if line.request.max_tokens:
        document["generationConfig"] = {"maxOutputTokens": line.request.max_tokens}
    if "tools" in line.request.features:
        document["tools"] = [{"functionDeclarations": [{"name": "f"}]}]
    return document


def _prompt(line: AuditLine, text: str) -> dict[str, Any]:
    return {"prompt": text, **({"max_tokens": line.request.max_tokens} if line.request.max_tokens else {})}


def _input(line: AuditLine, text: str) -> dict[str, Any]:
    return {"input": text}


_MADE: Final = {
    ("openai", "chat"): _chat,
    ("openai", "completions"): _prompt,
    ("openai", "responses"): _responses,
    ("openai", "embeddings"): _input,
    ("anthropic", "messages"): _messages,
    ("gemini", "generate"): _generate,
}
