from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError
from gateway.pipeline import headers
from gateway.pipeline.headers import for_client, for_upstream

KEPT_UPSTREAM = [
    "accept", "accept-language", "anthropic-beta", "anthropic-version", "content-encoding", "content-type",
    "http-referer", "idempotency-key", "if-none-match", "openai-beta", "range", "user-agent", "x-goog-api-client",
    "x-stainless-lang", "x-title", "x-wait-for-model",
]  # fmt: skip
CREDENTIALS = [
    "authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key", "cookie",
    "ocp-apim-subscription-key", "x-auth-token", "x-access-token", "x-amz-security-token", "x-portkey-api-key",
    "x-litellm-api-key", "helicone-auth", "cf-aig-authorization", "x-goog-iam-authorization-token", "x-client-secret",
    "openai-organization", "openai-project", "x-goog-user-project",
]  # fmt: skip
OF_THE_CONNECTION = [
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
    "host", "content-length", "expect", "accept-encoding",
]  # fmt: skip
OF_THE_WAY = [
    "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "true-client-ip",
    "cf-connecting-ip", "cf-ray", "x-envoy-internal", "traceparent", "tracestate", "baggage", "x-request-id", "origin",
    "referer", "sec-fetch-site",
]  # fmt: skip
OURS = ["x-gateway-router", "x-end-user", "cache-control"]
OTHER_REQUEST = ["x-http-method-override", "x-original-url", "x-rewrite-url", "x-host"]
KEPT_BACK = [
    "content-type", "content-encoding", "openai-processing-ms", "openai-version",
    "anthropic-ratelimit-tokens-remaining", "retry-after", "etag", "location",
    "x-should-retry", "cache-control",
]  # fmt: skip
NOT_BACK = [
    "set-cookie", "connection", "keep-alive", "transfer-encoding", "content-length", "trailer", "upgrade", "server",
    "date", "alt-svc", "strict-transport-security", "via", "cf-ray", "access-control-allow-origin",
    "proxy-authenticate", "x-gateway-router", "x-gateway-error", "nel", "report-to",
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_judged_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "_upstream_names", {})
    monkeypatch.setattr(headers, "_back_names", {})


@pytest.mark.parametrize("name", KEPT_UPSTREAM)
def test_what_a_client_says_goes_upstream(name: str) -> None:
    assert for_upstream([(name.encode(), b"v")]) == [(name, "v")]


@pytest.mark.parametrize("name", [*CREDENTIALS, *OF_THE_CONNECTION, *OF_THE_WAY, *OURS, *OTHER_REQUEST])
def test_what_is_not_the_providers_business_stays_here(name: str) -> None:
    for _ in range(2):
        assert for_upstream([(name.encode(), b"v"), (b"accept", b"*/*")]) == [("accept", "*/*")]


@pytest.mark.parametrize("name", KEPT_BACK)
def test_what_a_provider_says_comes_back(name: str) -> None:
    assert for_client([(name.encode(), b"v")]) == [(name.encode(), b"v")]


@pytest.mark.parametrize("name", NOT_BACK)
def test_what_is_about_the_providers_connection_does_not_come_back(name: str) -> None:
    for _ in range(2):
        assert for_client([(name.encode(), b"v"), (b"etag", b"1")]) == [(b"etag", b"1")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"x-ratelimit-remaining-tokens", b"x-upstream-ratelimit-remaining-tokens"),
        (b"x-ratelimit-limit-requests", b"x-upstream-ratelimit-limit-requests"),
        (b"x-request-id", b"x-upstream-request-id"),
        (b"request-id", b"x-upstream-request-id"),
    ],
)
def test_a_providers_numbers_are_not_taken_for_ours(name: bytes, shown: bytes) -> None:
    for _ in range(2):
        assert for_client([(name, b"7")]) == [(shown, b"7")]


@pytest.mark.parametrize("value", [b"x-hop", b"close, X-Hop", b"keep-alive,x-hop , te"])
def test_what_a_connection_header_names_is_about_the_connection(value: bytes) -> None:
    given = [(b"x-hop", b"1"), (b"connection", value), (b"accept", b"*/*")]
    assert for_upstream(given) == [("accept", "*/*")]
    assert for_client(given) == [(b"accept", b"*/*")]


@pytest.mark.parametrize("value", [b"keep-alive", b"Keep-Alive", b"close", b"Close"])
def test_a_usual_connection_header_names_nothing(value: bytes) -> None:
    assert for_upstream([(b"connection", value), (b"accept", b"*/*")]) == [("accept", "*/*")]


def test_order_and_repetition_are_kept() -> None:
    given = [(b"anthropic-beta", b"a"), (b"accept", b"*/*"), (b"anthropic-beta", b"b")]
    assert for_upstream(given) == [("anthropic-beta", "a"), ("accept", "*/*"), ("anthropic-beta", "b")]
    assert for_client(given) == given


def test_a_value_that_is_not_ascii_is_refused_by_name_and_not_quoted() -> None:
    with pytest.raises(GatewayError) as refused:
        for_upstream([(b"x-title", b"caf\xe9")])
    assert (refused.value.code, refused.value.param) == ("invalid_request", "x-title")
    assert "caf" not in refused.value.message


def test_a_dropped_value_may_be_anything() -> None:
    assert for_upstream([(b"cookie", b"\xe9")]) == []


def test_a_name_that_is_not_ascii_is_dropped() -> None:
    assert for_upstream([(b"x-caf\xe9", b"1")]) == []


def test_the_memory_of_names_is_bounded_and_the_verdict_holds_beyond_it() -> None:
    for number in range(headers._REMEMBERED + 10):
        for_upstream([(b"x-%d" % number, b"1")])
        for_client([(b"x-%d" % number, b"1")])
    assert len(headers._upstream_names) == len(headers._back_names) == headers._REMEMBERED
    assert for_upstream([(b"x-late-api-key", b"1"), (b"x-late", b"1")]) == [("x-late", "1")]
    assert for_client([(b"x-gateway-late", b"1"), (b"x-ratelimit-late", b"1")]) == [
        (b"x-upstream-ratelimit-late", b"1")
    ]


@pytest.mark.parametrize("name", [b"", b"x y", b"host: a", b"x\r\ny", b"x\0", b"x-\xe9"])
def test_a_name_that_http_cannot_carry_is_dropped(name: bytes) -> None:
    assert for_upstream([(name, b"a"), (b"accept", b"b")]) == [("accept", "b")]
