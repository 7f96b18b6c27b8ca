from __future__ import annotations

import json

import pytest

from gateway.core.errors import FaultKind
from gateway.core.exchange import Call, Dialect, Headers
from gateway.dialects.faults import bad_body, fault_of, fault_of_event, is_json_reply

NOW = 784_111_000.0  # 37 seconds before Sun, 06 Nov 1994 08:50:37 GMT


def openai(message: str, code: str | None = None, kind: str = "invalid_request_error") -> object:
    return {"error": {"message": message, "type": kind, "code": code}}


def google(message: str, status: str = "INVALID_ARGUMENT", **detail: str) -> object:
    return {"error": {"code": 400, "message": message, "status": status, "details": [detail]}}


def anthropic(message: str, kind: str = "invalid_request_error") -> object:
    return {"type": "error", "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    ("dialect", "status", "body", "kind"),
    [
        ("openai", 429, openai("slow"), "rate-limited"),
        ("openai", 401, openai("no"), "unauthorized"),
        ("openai", 402, openai("Insufficient Balance"), "unauthorized"),
        ("anthropic", 403, anthropic("no", "permission_error"), "unauthorized"),
        ("openai", 403, openai("Content violates usage guidelines."), "content-policy"),
        ("openai", 400, openai("no", "content_policy_violation"), "content-policy"),
        ("openai", 400, openai("Your request was rejected as a result of our safety system."), "content-policy"),
        ("anthropic", 400, anthropic("Output blocked by content filtering policy"), "content-policy"),
        (
            "openai",
            400,
            {"error": {"code": "x", "message": "m", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            "content-policy",
        ),
        ("openai", 400, openai("no", "context_length_exceeded"), "context-length"),
        (
            "openai",
            400,
            {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400},
            "context-length",
        ),
        (
            "openai",
            400,
            {"message": "Prompt contains 4 tokens, too large for model with 2 maximum context length"},
            "context-length",
        ),
        ("openai", 400, {"detail": [{"msg": "too many tokens"}]}, "context-length"),
        ("anthropic", 400, anthropic("prompt is too long: 210000 tokens > 200000 maximum"), "context-length"),
        (
            "anthropic",
            400,
            anthropic("input length and `max_tokens` exceed context limit: 1 + 2 > 3"),
            "context-length",
        ),
        ("anthropic", 413, anthropic("Request exceeds the maximum size", "request_too_large"), "context-length"),
        (
            "gemini",
            400,
            google("The input token count (2) exceeds the maximum number of tokens allowed (1)."),
            "context-length",
        ),
        ("gemini", 400, google("API key not valid.", reason="API_KEY_INVALID"), "unauthorized"),
        ("openai", 404, openai("no such model", "model_not_found"), "rejected"),
        ("openai", 422, {"detail": "bad"}, "rejected"),
        ("openai", 413, "too big", "rejected"),
        ("openai", 408, "", "unavailable"),
        ("openai", 409, "", "unavailable"),
        ("bedrock", 424, {"message": "The model failed."}, "unavailable"),
        ("bedrock", 400, {"message": "Input is too long for requested model."}, "context-length"),
        ("bedrock", 429, {"message": "Too many requests"}, "rate-limited"),
        ("bedrock", 403, {"message": "The security token included in the request is expired"}, "unauthorized"),
        ("openai", 425, "", "unavailable"),
        ("openai", 500, "", "unavailable"),
        ("anthropic", 529, anthropic("Overloaded", "overloaded_error"), "unavailable"),
        ("openai", 302, "", "unavailable"),
    ],
)
def test_what_a_reply_means(dialect: Dialect, status: int, body: object, kind: FaultKind) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    fault = fault_of(dialect, status, [], raw, NOW)
    assert (fault.kind, fault.status) == (kind, status)


@pytest.mark.parametrize(
    ("headers", "body", "delay"),
    [
        ([(b"retry-after", b"12")], b"", 12.0),
        ([(b"retry-after", b"1.5")], b"", 1.5),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"1")], b"", 0.25),
        ([(b"retry-after", b"Sun, 06 Nov 1994 08:50:37 GMT")], b"", 837.0),
        ([(b"retry-after", b"Sunday, 06-Nov-94 08:50:37 GMT")], b"", 837.0),
        ([(b"retry-after", b"Sun, 06 Nov 1993 08:50:37 GMT")], b"", 0.0),
        ([(b"retry-after", b"-4")], b"", 0.0),
        ([(b"retry-after", b"nan")], b"", None),
        ([(b"retry-after", b"inf")], b"", None),
        ([(b"retry-after", b"soon")], b"", None),
        ([], b"", None),
        ([], json.dumps(google("q", "RESOURCE_EXHAUSTED", retryDelay="12.5s")).encode(), 12.5),
        ([], json.dumps([google("q", "RESOURCE_EXHAUSTED", retryDelay="12s")]).encode(), 12.0),
    ],
)
def test_when_to_come_back(headers: Headers, body: bytes, delay: float | None) -> None:
    assert fault_of("openai", 429, headers, body, NOW).retry_after == delay


def test_a_spent_quota_is_said_in_the_message() -> None:
    fault = fault_of("openai", 429, [], json.dumps(openai("You exceeded.", "insufficient_quota")).encode(), NOW)
    assert (fault.kind, fault.message) == ("rate-limited", "insufficient_quota: You exceeded.")


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefghijklmnop", "sk-ant-api03-abc_def-ghi",
        "sk-abc***************xyz", "AIzaSyA1234567890abcdefghij",
        "gsk_abcdefghijkl", "xai-abcdefghijkl", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "hf_abcdefghijkl",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_is_masked(key: str) -> None:
    for text in (f"Incorrect API key provided: {key}.", f"Authorization: Bearer {key} refused"):
        message = fault_of("openai", 400, [], json.dumps(openai(text)).encode(), NOW).message
        assert key not in message
        assert "[masked]" in message


def test_a_bearer_of_any_form_is_masked() -> None:
    assert "0123456789" not in fault_of("openai", 400, [], b"got Bearer 0123456789abcdef", NOW).message


def test_a_message_is_one_line_of_bounded_length() -> None:
    message = fault_of("openai", 400, [], json.dumps(openai("a\n\x00b\u2028" + "c" * 900)).encode(), NOW).message
    assert message.startswith("a b c")
    assert len(message) == 500


def test_html_is_told_without_its_tags() -> None:
    fault = fault_of("openai", 502, [], b"<html><style>x{}</style><h1>502 Bad Gateway</h1></html>", NOW)
    assert fault.message == "502 Bad Gateway"


def test_the_reply_is_kept_unless_it_is_about_our_key() -> None:
    headers: Headers = [(b"content-type", b"application/json")]
    kept = fault_of("openai", 400, headers, b'{"error":{"message":"m"}}', NOW)
    assert (kept.content_type, kept.body) == (b"application/json", b'{"error":{"message":"m"}}')
    assert fault_of("openai", 401, headers, b'{"error":{"message":"m"}}', NOW).body == b""


@pytest.mark.parametrize(
    ("dialect", "payload", "kind", "status"),
    [
        ("anthropic", anthropic("x", "overloaded_error"), "unavailable", 529),
        ("anthropic", anthropic("x", "rate_limit_error"), "rate-limited", 429),
        ("anthropic", anthropic("x", "invalid_request_error"), "rejected", 400),
        ("anthropic", anthropic("prompt is too long"), "context-length", 400),
        ("anthropic", anthropic("x", "authentication_error"), "unauthorized", 401),
        ("openai", {"error": {"message": "x", "code": 502}}, "unavailable", 502),
        ("openai", {"error": {"message": "x", "code": "429"}}, "rate-limited", 429),
        ("openai", {"error": "out of memory"}, "unavailable", 500),
        ("openai", openai("x", None, "server_error"), "unavailable", 500),
        ("openai", {"type": "error", "code": "rate_limit_exceeded", "message": "x"}, "rate-limited", 429),
        ("gemini", {"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}, "unavailable", 503),
        ("gemini", {"error": {"status": "RESOURCE_EXHAUSTED", "message": "x"}}, "rate-limited", 429),
    ],
)
def test_what_an_error_event_means(dialect: Dialect, payload: object, kind: FaultKind, status: int) -> None:
    fault = fault_of_event(dialect, json.dumps(payload).encode())
    assert (fault.kind, fault.status) == (kind, status)


CHAT = Call("openai", "chat", "/chat/completions")


@pytest.mark.parametrize(
    ("call", "kind", "body", "bad"),
    [
        (CHAT, b"application/json", b'{"a":1}', False),
        (CHAT, b"application/json", b" " * 100 + b"[]", False),
        (CHAT, b"", b"{}", False),
        (CHAT, b"application/json", b"", True),
        (CHAT, b"text/html; charset=utf-8", b"{}", True),
        (CHAT, b"application/json", b"<html>", True),
        (CHAT, b"text/plain", b"upstream connect error", True),
        (Call("openai", "audio", "/audio/speech"), b"audio/mpeg", b"\xff\xfb", False),
        (Call("openai", "images", "/images/generations"), b"image/png", b"\x89PNG", False),
        (Call("openai", "images", "/images/generations"), b"application/json", b"", True),
        (Call("openai", "other", "/files"), b"text/html", b"", False),
    ],
)
def test_a_body_that_is_not_json_where_json_was_due(call: Call, kind: bytes, body: bytes, bad: bool) -> None:
    assert bad_body(call, kind, body) is bad


def test_a_json_reply_is_known_by_its_first_byte() -> None:
    assert is_json_reply([], b" {}")
    assert not is_json_reply([(b"content-type", b"text/html")], b"{}")
    assert not is_json_reply([], b"<p>")
