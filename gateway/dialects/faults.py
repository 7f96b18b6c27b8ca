"""What a provider's error means, whichever way it says it.

The status decides first; only where one status covers different cases (400, 403, 413, 422) do the
provider's own code and words. Everything here is on the error path: clarity before speed.
"""

from __future__ import annotations

import math
import re
from calendar import timegm
from typing import Final

import msgspec

from gateway.core.errors import FaultKind, UpstreamFault
from gateway.core.exchange import Call, Dialect, Headers

_MESSAGE_LENGTH: Final = 500
_READ_LIMIT: Final = 1024 * 1024
_KEPT_BODY: Final = 256 * 1024

# 424: at Bedrock the model failed, and not the request.
_UNAVAILABLE: Final = frozenset((408, 409, 424, 425))

# Codes and phrases, in lower case, by which providers say that a prompt does not fit: OpenAI, Groq
# and Azure (context_length_exceeded), Anthropic (prompt is too long, exceed context limit,
# request_too_large), Gemini (input token count exceeds the maximum number of tokens), Mistral (too
# large for model), vLLM (maximum context length), llama.cpp (exceed_context_size_error), xAI (maximum
# prompt length), Cohere (too many tokens).
_CONTEXT: Final = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context limit",
    "context size",
    "exceed_context_size",
    "prompt is too long",
    "input is too long",
    "maximum number of tokens",
    "maximum prompt length",
    "too large for model",
    "too many tokens",
    "toomanytokens",
    "reduce the length of the messages",
    "request_too_large",
    "request too large",
)
_CONTENT: Final = (
    "content_policy",
    "content policy",
    "content_filter",
    "content filter",
    "content management policy",
    "moderation",
    "flagged",
    "safety system",
    "usage policy",
    "usage policies",
    "usage guidelines",
    "responsibleaipolicy",
    "prohibited_content",
    "prohibited content",
    "data_inspection_failed",
)
_BAD_KEY: Final = ("api_key_invalid", "api key not valid", "api key expired", "invalid_api_key", "incorrect api key")

# The status that an error event's type or code would have had as a reply.
_EVENT_STATUS: Final = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "out_of_range": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "not_found": 404,
    "conflict_error": 409,
    "aborted": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
    "cancelled": 499,
    "api_error": 500,
    "server_error": 500,
    "internal": 500,
    "internal_server_error": 500,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "unavailable": 503,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "overloaded_error": 529,
}

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_KEYS: Final = re.compile(
    r"(?:\b(?:sk|pk|rk|gsk|xai|hf|r8|nvapi|pplx|fw|csk|tgp|key)[-_][A-Za-z0-9_*.\-]{6,}"
    r"|\bAIza[A-Za-z0-9_*\-]{8,}"
    r"|\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+)*"
    r"|(?<=\bbearer )\s*[^\s\"',;]{6,}"
    r"|(?<=[?&]key=)[^\s&\"']+)",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_DELAY: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
_HTTP_DATE: Final = re.compile(
    r"[A-Za-z]{3,9}, ([0-9]{1,2})[ -]([A-Za-z]{3})[ -]([0-9]{2,4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class _Said(msgspec.Struct, frozen=True):
    """What an error body says. words: type, code, status and reasons, in lower case. code: an HTTP
    status that stands in the body, or 0. delay: Google's retryDelay in seconds."""

    message: str = ""
    words: tuple[str, ...] = ()
    code: int = 0
    delay: float | None = None

    def speaks_of(self, phrases: tuple[str, ...]) -> bool:
        text = " ".join((*self.words, self.message.lower()))
        return any(phrase in text for phrase in phrases)


def fault_of(dialect: Dialect, status: int, headers: Headers, body: bytes, now_wall: float) -> UpstreamFault:
    """The fault that an error reply stands for. now_wall: Unix seconds, for a retry-after that is a date."""
    said = _read(body)
    kind = _kind(dialect, status, said)
    content_type = _header(headers, b"content-type")
    retry_after = _retry_after(headers, now_wall)
    return UpstreamFault(
        kind,
        _message(said, status),
        status=status,
        retry_after=said.delay if retry_after is None else retry_after,
        # A reply about our key is never a client's business, and some quote the key.
        content_type=b"" if kind == "unauthorized" else content_type,
        body=b"" if kind == "unauthorized" or len(body) > _KEPT_BODY else body,
    )


def fault_of_event(dialect: Dialect, payload: bytes) -> UpstreamFault:
    """The fault that the data of an error event stands for. status: what it would have been as a reply."""
    return _fault_said(dialect, _read(payload))


def fault_of_words(dialect: Dialect, status: int, message: str, hint: str) -> UpstreamFault:
    """The fault that an error event stands for of which a translation has read the words. status: as the provider
    says, 0 where it does not. hint: its code or type."""
    return _fault_said(dialect, _Said(_clean(message), (hint.lower()[:200],) if hint else (), status))


def _fault_said(dialect: Dialect, said: _Said) -> UpstreamFault:
    status = said.code
    if not status:
        for word in said.words:
            if word in _EVENT_STATUS:
                status = _EVENT_STATUS[word]
                break
    if not status:
        status = 400 if said.speaks_of(_CONTEXT) or said.speaks_of(_CONTENT) else 500
    return UpstreamFault(_kind(dialect, status, said), _message(said, status), status=status, retry_after=said.delay)


def is_json_reply(headers: Headers, body: bytes) -> bool:
    """Whether a whole reply is JSON by its first byte and not something else by its content type."""
    content_type = _header(headers, b"content-type").lower()
    return b"html" not in content_type and _looks_like_json(body)


def bad_body(call: Call, content_type: bytes, body: bytes) -> bool:
    """True when a 2xx whole reply to a JSON operation is HTML, empty or nothing like JSON.

    Audio may be text or sound, and of other operations nothing is known: those are never bad.
    """
    if call.operation in ("audio", "other"):
        return False
    kind = content_type[:64].lower()
    if call.operation == "images" and kind.startswith(b"image/"):
        return False
    if call.operation in ("models", "responses") and not body and not call.model:
        return False
    return b"html" in kind or not _looks_like_json(body)


def _looks_like_json(body: bytes) -> bool:
    # The slice keeps the common case from copying the body.
    return (body[:64].lstrip() or body.lstrip())[:1] in (b"{", b"[")


def _kind(dialect: Dialect, status: int, said: _Said) -> FaultKind:
    if status == 429:
        return "rate-limited"
    if status in (401, 402):
        # 402: the account behind our key has no money left; another key may have.
        return "unauthorized"
    if status == 403:
        return "content-policy" if said.speaks_of(_CONTENT) else "unauthorized"
    if status in _UNAVAILABLE or status >= 500 or status < 400:
        return "unavailable"
    if status in (400, 413, 422):
        if said.speaks_of(_BAD_KEY):
            return "unauthorized"
        if said.speaks_of(_CONTEXT) or (status == 413 and dialect == "anthropic"):
            return "context-length"
        if said.speaks_of(_CONTENT):
            return "content-policy"
    return "rejected"


def _message(said: _Said, status: int) -> str:
    text = said.message or f"The provider answered with status {status} and said nothing."
    if "insufficient_quota" in said.words and "insufficient_quota" not in text:
        text = f"insufficient_quota: {text}"
    return text


def _read(body: bytes) -> _Said:
    if not body.strip():
        return _Said()
    if len(body) <= _READ_LIMIT:
        try:
            found: object = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return _said(found)
    text = body[:16384].decode("utf-8", "replace")
    return _Said(_clean(_TAG.sub(" ", text) if "<" in text[:64] else text))


def _said(found: object) -> _Said:
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, str):
        return _Said(_clean(found))
    if not isinstance(found, dict):
        return _Said()
    error = found.get("error")
    if error is None:
        inner = found.get("response") if isinstance(found.get("response"), dict) else found.get("delta")
        error = inner.get("error") if isinstance(inner, dict) else None
    if isinstance(error, dict):
        # OpenAI's inner errors (Azure) and OpenRouter's metadata hold the reason proper.
        sources: list[dict[object, object]] = [error]
        for key in ("innererror", "inner_error", "metadata"):
            inner = error.get(key)
            if isinstance(inner, dict):
                sources.append(inner)
    else:
        sources = [found]
    words: list[str] = []
    code = 0
    for source in sources:
        for key in ("code", "type", "status", "reason", "error_type", "raw_status_code"):
            value = source.get(key)
            if isinstance(value, str) and value:
                words.append(value.lower()[:200])
                value = int(value) if value.isascii() and value.isdigit() and len(value) == 3 else None
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                code = code or value
    message = ""
    for source in (*sources, found):
        message = message or _text(source.get("message")) or _text(source.get("detail")) or _text(source.get("errors"))
    if isinstance(error, str):
        message = error
    delay = None
    details = sources[0].get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            reason, wait = detail.get("reason"), detail.get("retryDelay")
            if isinstance(reason, str):
                words.append(reason.lower()[:200])
            if isinstance(wait, str) and (match := _DELAY.fullmatch(wait)):
                delay = float(match[1])
    return _Said(_clean(message), tuple(words), code, delay)


def _text(value: object) -> str:
    """Text out of the shapes that `message` and `detail` come in: a string, or validation errors."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return _text(value[0])
    if isinstance(value, dict):
        for key in ("msg", "message", "detail"):
            inner = value.get(key)
            if isinstance(inner, str):
                return inner
    return ""


def _clean(text: str) -> str:
    """One line, without what looks like a credential, at most 500 characters."""
    text = " ".join(_CONTROL.sub(" ", text[:16384]).split())
    return _KEYS.sub("[masked]", text)[:_MESSAGE_LENGTH]


def _header(headers: Headers, name: bytes) -> bytes:
    for key, value in headers:
        if key == name:
            return value
    return b""


def _retry_after(headers: Headers, now_wall: float) -> float | None:
    for name, scale in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        text = _header(headers, name).decode("latin-1").strip()
        if not text:
            continue
        try:
            delay = float(text) * scale
        except ValueError:
            date = _unix_time(text)
            if date is None:
                continue
            delay = date - now_wall
        if math.isfinite(delay):
            return max(delay, 0.0)
    return None


def _unix_time(text: str) -> float | None:
    """An HTTP date (RFC 9110: IMF-fixdate, or the older RFC 850) in Unix seconds."""
    match = _HTTP_DATE.fullmatch(text)
    if match is None or match[2].lower() not in _MONTHS:
        return None
    year = int(match[3])
    if year < 100:
        year += 1900 if year >= 70 else 2000
    month, day = _MONTHS.index(match[2].lower()) + 1, int(match[1])
    if not 1 <= day <= 31 or year < 1970:
        return None
    return float(timegm((year, month, day, int(match[4]), int(match[5]), int(match[6]), 0, 0, 0)))
