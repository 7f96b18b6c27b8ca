"""Path and body give dialect, operation, model and whether a stream is wanted.

A path that is known stands in a table, built once, in every spelling that clients copy from their
vendors; the rest is looked at by shape. The body is decoded once, for the few members that routing
needs (body.py). Nothing but GatewayError is raised, whatever the bytes are.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Dialect, Operation
from gateway.dialects.body import ANTHROPIC, GEMINI, OPENAI, OpenAIBody, checked_model, read, tokens
from gateway.dialects.multipart import fields, is_multipart


class Route(msgspec.Struct, frozen=True, gc=False):
    """A known path. named: the operation cannot do without a model."""

    dialect: Dialect
    operation: Operation
    suffix: str
    version: str = ""
    named: bool = True


_VERSIONS: Final = ("v1", "v1beta", "v1alpha", "v2")

# What vendors put in front of the version: Groq and Azure /openai/v1, OpenRouter /api/v1, Fireworks
# /inference/v1, Cohere /compatibility/v1, DeepSeek and others /anthropic/v1.
_ROOTS: Final = ("", "/openai", "/api", "/inference", "/compatibility", "/anthropic")

_KNOWN: Final = (
    Route("openai", "chat", "/chat/completions"),
    Route("openai", "completions", "/completions"),
    Route("openai", "responses", "/responses"),
    Route("openai", "count-tokens", "/responses/input_tokens", named=False),
    Route("anthropic", "messages", "/messages"),
    Route("anthropic", "count-tokens", "/messages/count_tokens"),
    Route("openai", "embeddings", "/embeddings"),
    # The model of these has a default at the provider, and the official SDKs leave it out.
    Route("openai", "images", "/images/generations", named=False),
    Route("openai", "images", "/images/edits", named=False),
    Route("openai", "images", "/images/variations", named=False),
    Route("openai", "moderations", "/moderations", named=False),
    Route("openai", "audio", "/audio/speech"),
    Route("openai", "audio", "/audio/transcriptions"),
    Route("openai", "audio", "/audio/translations"),
    Route("openai", "rerank", "/rerank"),
)
_COHERE: Final = (
    Route("cohere", "chat", "/chat", "v2"),
    Route("cohere", "embeddings", "/embed", "v2"),
    Route("cohere", "rerank", "/rerank", "v2"),
)
_GEMINI_ACTIONS: Final[dict[str, Operation]] = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "count-tokens",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
}


def _table() -> dict[str, Route]:
    table: dict[str, Route] = {}
    for route in _KNOWN:
        for root in _ROOTS:
            table[root + route.suffix] = route
            for version in _VERSIONS:
                table[f"{root}/{version}{route.suffix}"] = msgspec.structs.replace(route, version=version)
        for version in ("v1beta", "v1alpha", "v1"):
            # Gemini's root for OpenAI clients. The version belongs to the root: the api path has none.
            table[f"/{version}/openai{route.suffix}"] = route
    for route in _COHERE:
        table[f"/v2{route.suffix}"] = route
    return table


_TABLE: Final = _table()
_POST: Final = ((b"allow", b"POST"),)
_GET: Final = ((b"allow", b"GET"),)


def read_call(
    method: str,
    path: str,
    query: bytes,
    content_type: bytes,
    body: bytes,
    anthropic: bool = False,
    gemini: bool = False,
) -> Call:
    """What the client asks for.

    path: raw, with its leading slash, without the mount. query: raw, without `?`. anthropic: the
    client sent `anthropic-version`. gemini: it sent `x-goog-api-key` or `?key=`. Both only decide
    where the path does not.

    Raises GatewayError: method_not_allowed, malformed_body, invalid_request, model_required.
    """
    route = _TABLE.get(path)
    if route is None:
        return _by_shape(method, path, query, content_type, body, anthropic, gemini)
    if method != "POST":
        raise _not_allowed(method, path, _POST)
    if route.dialect == "anthropic":
        return _anthropic(route, body)
    if is_multipart(content_type):
        return _multipart(route, content_type, body)
    asked = read(OPENAI, body)
    model = asked.model
    if model is not None:
        checked_model(model)
    elif route.named and not (route.operation == "responses" and asked.prompt != msgspec.Raw()):
        raise _model_required()
    options = asked.stream_options
    return Call(
        route.dialect,
        route.operation,
        route.suffix,
        route.version,
        model or "",
        asked.stream is True or (route.operation == "audio" and asked.stream_format == "sse"),
        options is not None and options.include_usage is True,
        max_tokens=tokens(asked.max_completion_tokens, asked.max_tokens, asked.max_output_tokens),
        user=asked.user or "",
    )


def _anthropic(route: Route, body: bytes) -> Call:
    asked = read(ANTHROPIC, body)
    if asked.model is None:
        raise _model_required()
    metadata = asked.metadata
    return Call(
        "anthropic",
        route.operation,
        route.suffix,
        route.version,
        checked_model(asked.model),
        asked.stream is True,
        max_tokens=tokens(asked.max_tokens),
        user=(metadata.user_id or "") if metadata is not None else "",
    )


def _multipart(route: Route, content_type: bytes, body: bytes) -> Call:
    values: dict[str, str] = {}
    for name, start, end in fields(body, content_type):
        if name in ("model", "stream", "user"):
            values[name] = body[start:end].decode("utf-8", "replace").strip()
    model = values.get("model")
    if model is None and route.named:
        raise _model_required()
    return Call(
        route.dialect,
        route.operation,
        route.suffix,
        route.version,
        checked_model(model) if model is not None else "",
        values.get("stream", "").lower() in ("true", "1"),
        multipart=True,
        user=values.get("user", ""),
    )


def _by_shape(
    method: str, path: str, query: bytes, content_type: bytes, body: bytes, anthropic: bool, gemini: bool
) -> Call:
    version, below = _split_version(path)
    in_front, models, named = below.partition("/models/")
    if models and in_front in ("", "/publishers/google", "/openai") and ":" in named:
        action = named[named.rfind(":") + 1 :]
        if action in _GEMINI_ACTIONS:
            if method != "POST":
                raise _not_allowed(method, path, _POST)
            return _gemini(version, named, action, query, body)
    dialect: Dialect = "openai"
    if anthropic:
        dialect = "anthropic"
    elif gemini or version in ("v1beta", "v1alpha"):
        dialect = "gemini"
    if below.startswith("/openai/"):
        dialect = "openai"
        inner, below = _split_version(below[7:])
        version = inner
    if below == "/models" or (below.startswith("/models/") and ":" not in below):
        if method in ("GET", "HEAD"):
            return Call(dialect, "models", below, version)
        if method != "DELETE" or below == "/models":
            raise _not_allowed(method, path, _GET)
    if below.startswith("/responses/"):
        asked = _glimpse(content_type, body)
        streamed = asked.stream is True or b"stream=true" in query.split(b"&")
        return Call("openai", "responses", below, version, _glimpsed_model(asked), streamed)
    if below.startswith("/messages/"):
        dialect = "anthropic"
    asked = _glimpse(content_type, body)
    return Call(dialect, "other", below, version, _glimpsed_model(asked), asked.stream is True)


def _gemini(version: str, named: str, action: str, query: bytes, body: bytes) -> Call:
    model = unquote(named[: named.rfind(":")], errors="replace")
    if model.startswith(("publishers/", "models/")):
        model = model[model.rfind("models/") + 7 :] if "models/" in model else model
    checked_model(model)
    streamed = action == "streamGenerateContent"
    asked = read(GEMINI, body)
    limit = 0
    for config in (asked.camel, asked.snake):
        if config is not None:
            limit = limit or tokens(config.camel, config.snake)
    return Call(
        "gemini",
        _GEMINI_ACTIONS[action],
        f"/models/{{model}}:{action}",
        version,
        model,
        streamed,
        in_path=True,
        max_tokens=limit,
        framing="json-array" if streamed and b"alt=sse" not in query.split(b"&") else "sse",
    )


def _split_version(path: str) -> tuple[str, str]:
    """`/v1/files` -> (`v1`, `/files`); no version segment -> (``, path)."""
    segment, slash, rest = path[1:].partition("/")
    if segment in _VERSIONS and slash:
        return segment, "/" + rest
    return "", path


def _glimpse(content_type: bytes, body: bytes) -> OpenAIBody:
    """Of a body whose format nobody here knows: what happens to be readable."""
    if body[:1] in (b"{", b" ", b"\n", b"\r", b"\t") and not is_multipart(content_type):
        try:
            return OPENAI.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return OpenAIBody()


def _glimpsed_model(asked: OpenAIBody) -> str:
    try:
        return checked_model(asked.model or "")
    except GatewayError:
        return ""


def _not_allowed(method: str, path: str, allow: tuple[tuple[bytes, bytes], ...]) -> GatewayError:
    return GatewayError("method_not_allowed", f"{path} takes {allow[0][1].decode()}, not {method}.", headers=allow)


def _model_required() -> GatewayError:
    return GatewayError("model_required", "The request names no `model`; say which one it is for.", param="model")
