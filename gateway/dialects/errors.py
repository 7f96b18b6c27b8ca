"""What the client is told, in the shape that its dialect's SDK parses.

Type and status names are each vendor's own words for the same coarse kind; the stable code is always
beside them. An error event after commit never looks like the end of a complete stream.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from gateway.core.errors import CODES, GatewayError
from gateway.core.exchange import Call, Dialect, Headers

_OPENAI: Final = {
    "invalid": "invalid_request_error",
    "auth": "authentication_error",
    "forbidden": "permission_error",
    "not-found": "invalid_request_error",
    "too-large": "invalid_request_error",
    "quota": "insufficient_quota",
    "rate-limit": "rate_limit_error",
    "unavailable": "server_error",
    "timeout": "server_error",
    "server": "server_error",
}
_ANTHROPIC: Final = {
    "invalid": "invalid_request_error",
    "auth": "authentication_error",
    "forbidden": "permission_error",
    "not-found": "not_found_error",
    "too-large": "request_too_large",
    "quota": "billing_error",
    "rate-limit": "rate_limit_error",
    "unavailable": "overloaded_error",
    "timeout": "timeout_error",
    "server": "api_error",
}
_GEMINI: Final = {
    "invalid": "INVALID_ARGUMENT",
    "auth": "UNAUTHENTICATED",
    "forbidden": "PERMISSION_DENIED",
    "not-found": "NOT_FOUND",
    "too-large": "INVALID_ARGUMENT",
    "quota": "RESOURCE_EXHAUSTED",
    "rate-limit": "RESOURCE_EXHAUSTED",
    "unavailable": "UNAVAILABLE",
    "timeout": "DEADLINE_EXCEEDED",
    "server": "INTERNAL",
}
_FAMILY_OF_STATUS: Final = {
    401: "auth",
    403: "forbidden",
    404: "not-found",
    413: "too-large",
    429: "rate-limit",
    503: "unavailable",
    504: "timeout",
    529: "unavailable",
}

# Responses numbers its events, and the gateway does not count them: this number is after any.
_LAST: Final = 2**31 - 1

_encode: Final = msgspec.json.encode


def render(dialect: Dialect, error: GatewayError, request_id: str) -> bytes:
    """The reply's body. Always valid JSON, whatever stands in the message."""
    return _encode(_shape(dialect, error, request_id))


def render_event(dialect: Dialect, call: Call, error: GatewayError, request_id: str) -> bytes:
    """What is written to a stream that broke after commit: the last thing in it.

    OpenAI and Gemini: a data event with a top-level `error`, without `[DONE]`. Responses: that and the
    members of its own error event. Anthropic: its error event. Cohere: a message-end that says ERROR.
    Gemini's JSON array: an element with `error` that closes the array, as Google does it; valid
    because the tap forwards whole elements only.
    """
    shape = _encode(_shape(dialect, error, request_id))
    match dialect:
        case "anthropic":
            return b"event: error\ndata: " + shape + b"\n\n"
        case "gemini":
            return b",\n" + shape + b"]" if call.framing == "json-array" else b"data: " + shape + b"\n\n"
        case "cohere":
            delta = {"finish_reason": "ERROR", "error": _plain(error.message), "code": error.code}
            ended = _encode({"type": "message-end", "id": _plain(request_id), "delta": delta})
            return b"event: message-end\ndata: " + ended + b"\n\n"
        case _ if call.operation == "responses":
            # The SDKs raise on a top-level `error`; other clients read the schema's own members.
            typed = {
                "type": "error",
                "code": error.code,
                "message": _plain(error.message),
                "param": _optional(error.param),
                "sequence_number": _LAST,
                "error": _openai_error(error),
            }
            return b"event: error\ndata: " + _encode(typed) + b"\n\n"
        case _:
            return b"data: " + shape + b"\n\n"


def error_headers(error: GatewayError) -> Headers:
    """content-type, retry-after in whole seconds, rounded up, and the error's own headers."""
    headers: Headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None and math.isfinite(error.retry_after):
        headers.append((b"retry-after", b"%d" % _whole_seconds(error.retry_after)))
    headers.extend(error.headers)
    return headers


def _whole_seconds(seconds: float) -> int:
    """Rounded up, but not by a second for what is only the noise of an addition."""
    return max(math.ceil(round(seconds, 3)), 0)


def _shape(dialect: Dialect, error: GatewayError, request_id: str) -> dict[str, object]:
    message = _plain(error.message)
    match dialect:
        case "anthropic":
            named = {"type": _ANTHROPIC[_family(error)], "message": message, "code": error.code}
            return {"type": "error", "error": named, "request_id": _plain(request_id)}
        case "gemini":
            details: list[dict[str, object]] = [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": error.code,
                    "domain": "router-gateway",
                    "metadata": {"requestId": _plain(request_id)},
                }
            ]
            if error.retry_after is not None and math.isfinite(error.retry_after):
                delay = f"{_whole_seconds(error.retry_after)}s"
                details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
            status = _GEMINI[_family(error)]
            return {"error": {"code": error.status, "message": message, "status": status, "details": details}}
        case "cohere":
            return {"id": _plain(request_id), "message": message, "code": error.code}
        case _:
            return {"error": _openai_error(error)}


def _openai_error(error: GatewayError) -> dict[str, object]:
    return {
        "message": _plain(error.message),
        "type": _OPENAI[_family(error)],
        "param": _optional(error.param),
        "code": error.code,
    }


def _family(error: GatewayError) -> str:
    """The code's own, unless an upstream's status is kept that says something else."""
    known = CODES[error.code]
    if error.status == known.status:
        return known.family
    return _FAMILY_OF_STATUS.get(error.status, "server" if error.status >= 500 else "invalid")


def _optional(text: str | None) -> str | None:
    return None if text is None else _plain(text)


def _plain(text: str) -> str:
    """Half a surrogate pair cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()
