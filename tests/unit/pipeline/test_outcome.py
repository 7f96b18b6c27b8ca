from __future__ import annotations

from typing import get_args

import pytest

from gateway.core.errors import CODES, FaultKind, UpstreamFault
from gateway.core.exchange import Attempt, Call, Exchange
from gateway.pipeline.outcome import error_after, error_of, error_unknown_model, error_without_target
from gateway.policy.selection import Refusal

JSON = b"application/json; charset=utf-8"
BODY = b'{"error":{"message":"no"}}'
CALL = Call("openai", "chat", "/chat/completions", model="gpt-4o")


def fault(kind: FaultKind, status: int = 0, *, body: bytes = b"", content_type: bytes = JSON) -> UpstreamFault:
    return UpstreamFault(kind, "words", status=status, body=body, content_type=content_type if body else b"")


@pytest.mark.parametrize(
    ("kind", "status", "code", "told"),
    [
        ("connect", 0, "upstream_unreachable", 502),
        ("silent", 0, "upstream_timeout", 504),
        ("rate-limited", 429, "upstream_rate_limited", 429),
        ("unauthorized", 401, "upstream_unauthorized", 502),
        ("unauthorized", 403, "upstream_unauthorized", 502),
        ("unauthorized", 0, "upstream_unauthorized", 503),
        ("unavailable", 503, "upstream_failed", 502),
        ("unavailable", 200, "upstream_failed", 502),
        ("context-length", 413, "upstream_context_length", 413),
        ("context-length", 400, "upstream_context_length", 400),
        ("content-policy", 403, "upstream_content_policy", 403),
        ("rejected", 422, "upstream_rejected", 422),
        ("rejected", 404, "upstream_rejected", 404),
        ("cut", 200, "upstream_cut", 502),
        ("malformed", 200, "upstream_cut", 502),
        ("stalled", 200, "upstream_stalled", 504),
        ("deadline", 0, "deadline_exceeded", 504),
    ],
)
def test_a_fault_in_the_gateways_words(kind: FaultKind, status: int, code: str, told: int) -> None:
    error = error_of(fault(kind, status), "openai")
    assert (error.code, error.status, error.provider_body) == (code, told, b"")
    assert error.message.startswith("openai: ")


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_kind_of_fault_can_be_told(kind: FaultKind) -> None:
    assert error_of(fault(kind), "openai").code in CODES


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("rejected", 422),
        ("rate-limited", 429),
        ("context-length", 400),
        ("content-policy", 403),
        ("unavailable", 503),
        ("unavailable", 529),
    ],
)
def test_a_providers_own_error_goes_through_as_it_came(kind: FaultKind, status: int) -> None:
    error = error_of(fault(kind, status, body=BODY), "openai")
    assert (error.provider_body, error.status) == (BODY, status)


@pytest.mark.parametrize(
    "found",
    [
        fault("unavailable", 502, body=b"<html>", content_type=b"text/html"),
        fault("unavailable", 502, body=b"<html>"),
        fault("unavailable", 502, body=b'["no"]'),
        fault("unavailable", 502, body=BODY, content_type=b"text/plain"),
        fault("unavailable", 200, body=BODY),
        fault("rejected", 400, body=b"  "),
    ],
)
def test_what_is_no_error_in_json_does_not(found: UpstreamFault) -> None:
    assert error_of(found, "openai").provider_body == b""


def test_what_a_provider_says_of_our_key_is_not_repeated() -> None:
    said = UpstreamFault(
        "unauthorized", "Incorrect key: q7W2e9R4t1", status=401, content_type=JSON, body=b'{"error":"q7W2e9R4t1"}'
    )
    error = error_of(said, "openai")
    assert "q7W2e9R4t1" not in error.message
    assert error.provider_body == b""
    assert error.message == "openai: The provider refused the gateway's key."


def exchange(*providers: str) -> Exchange:
    request = Exchange("1", "POST", "/", b"", [], b"", CALL, "prod", 0.0, 0.0)
    request.attempts.extend(Attempt(name, "m", "m", "main", 0.0) for name in providers)
    request.provider = providers[-1]
    return request


def test_one_attempt_is_not_counted_aloud() -> None:
    error = error_after(exchange("openai"), fault("connect"), [])
    assert (error.message, error.attempts) == ("openai: words", 1)


def test_several_attempts_are_told_with_their_providers() -> None:
    error = error_after(exchange("openai", "openai", "anthropic"), fault("connect"), [])
    assert error.message == "anthropic: words (3 attempts at openai, anthropic.)"
    assert error.attempts == 3


@pytest.mark.parametrize(
    ("kind", "retry_after", "told"),
    [("rate-limited", None, 12.0), ("rate-limited", 3.0, 3.0), ("connect", None, None), ("unavailable", 5.0, 5.0)],
)
def test_when_to_come_back(kind: FaultKind, retry_after: float | None, told: float | None) -> None:
    found = UpstreamFault(kind, "words", status=429, retry_after=retry_after)
    refusals = [Refusal("openai", "m", "keys-cooling", 12.0), Refusal("xai", "m", "breaker-open", 30.0)]
    assert error_after(exchange("openai"), found, refusals).retry_after == told


def test_no_target_is_told_with_every_reason_and_the_soonest_moment() -> None:
    refusals = [Refusal("openai", "gpt-4o", "keys-cooling", 12.0), Refusal("xai", "m", "breaker-open", 8.0)]
    error = error_without_target(CALL, refusals, ["Set GROQ_API_KEY for groq."])
    assert (error.code, error.status, error.retry_after) == ("no_eligible_target", 503, 8.0)
    assert error.message == (
        "No provider of this route can serve this request for model 'gpt-4o' now: openai: all keys cooling, "
        "next in 12 s; xai: breaker open, probe in 8 s. Set GROQ_API_KEY for groq."
    )


def test_no_target_for_a_request_without_a_model() -> None:
    error = error_without_target(Call("openai", "other", "/files"), [Refusal("openai", "", "no-key")], [])
    assert error.message == "No provider of this route can serve this request now: openai: no key."
    assert error.retry_after is None


def test_an_unknown_model_is_named_with_what_was_tried() -> None:
    error = error_unknown_model("gpt-made-up")
    assert (error.code, error.status, error.param) == ("model_not_found", 404, "model")
    assert "'gpt-made-up'" in error.message
    assert "provider/model" in error.message
