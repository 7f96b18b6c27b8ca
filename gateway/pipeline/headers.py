"""Which headers cross the gateway, in both directions.

Upstream goes what the client said, less what is about this connection, less every credential, less
what a proxy adds and less what would make another request of it. Back comes what the provider said,
less what is about that connection. The verdict on a name is made once and remembered; the memory is
bounded because both sides choose names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.core.errors import GatewayError
from gateway.core.exchange import Headers

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer "
    b"transfer-encoding upgrade http2-settings".split()
)
_NOT_UPSTREAM = _HOP_BY_HOP | frozenset(
    b"host content-length expect accept-encoding authorization x-api-key x-goog-api-key api-key "
    b"xi-api-key cookie forwarded via x-real-ip true-client-ip x-request-id cache-control "
    b"x-end-user traceparent tracestate baggage x-client-ip x-cluster-client-ip fastly-client-ip cdn-loop "
    b"origin referer access-control-request-method access-control-request-headers "
    b"x-http-method x-http-method-override x-method-override x-original-url x-original-host x-rewrite-url x-host "
    # Which account of the vendor's is meant belongs to the key, and a wrong one looks like a bad key.
    b"openai-organization openai-project x-goog-user-project".split()
)
_NOT_UPSTREAM_PREFIXES = (b"x-forwarded-", b"x-gateway-", b"proxy-", b"sec-", b"cf-", b"x-amz-", b"x-envoy-", b"x-b3-")
_CREDENTIAL_SUFFIXES = (
    b"api-key", b"apikey", b"auth-token", b"access-token", b"api-token", b"authorization", b"authorization-token",
    b"security-token", b"subscription-key", b"subscription-token", b"-secret", b"-auth",
)  # fmt: skip
_OF_A_DIALECT = (
    "content-", "accept", "anthropic-", "openai-", "x-stainless-", "x-goog-", "x-app", "cohere-", "x-client-name",
    "idempotency-key",
)  # fmt: skip
"""How headers begin that mean something to one vendor, or describe a body that is written anew."""
_OF_EVERY_CONNECTION = (b"keep-alive", b"close")
_NOT_BACK = _HOP_BY_HOP | frozenset(
    b"content-length set-cookie set-cookie2 server date alt-svc strict-transport-security nel report-to via "
    b"expect-ct x-powered-by cf-ray cf-cache-status x-envoy-upstream-service-time".split()
)
_RENAMED_BACK = (
    (b"x-ratelimit-", b"x-upstream-ratelimit-"),
    (b"x-request-id", b"x-upstream-request-id"),
    # Anthropic's name for it, which its SDK reads: the client's is the gateway's own.
    (b"request-id", b"x-upstream-request-id"),
)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REMEMBERED = 1024
_upstream_names: dict[bytes, str] = {}
_back_names: dict[bytes, bytes] = {}


def for_upstream(headers: Headers) -> list[tuple[str, str]]:
    """What a client's headers become on the way to a provider. GatewayError when a value cannot be
    sent on. Credentials are added by the caller."""
    out: list[tuple[str, str]] = []
    named: set[str] = set()
    names = _upstream_names
    for name, value in headers:
        try:
            text = names[name]
        except KeyError:
            text = _judge_upstream(name)
        if text:
            if not value.isascii():
                raise GatewayError(
                    "invalid_request", f"The header {text!r} holds bytes that are not ASCII.", param=text
                )
            out.append((text, value.decode("ascii")))
        elif name == b"connection" and value.lower() not in _OF_EVERY_CONNECTION:
            named.update(_names_in(value))
    return [header for header in out if header[0] not in named] if named else out


def for_foreign_upstream(headers: Headers) -> list[tuple[str, str]]:
    """The same for a provider of another dialect: what is about the body or belongs to the client's vendor stays."""
    return [header for header in for_upstream(headers) if not header[0].startswith(_OF_A_DIALECT)]


def for_foreign_client(headers: Iterable[tuple[bytes, bytes]], content_type: bytes) -> Headers:
    """What the headers of a provider of another dialect become: of what it says of itself, its request id and its
    rate limits."""
    kept = [header for header in for_client(headers) if header[0].startswith(b"x-upstream-")]
    return [(b"content-type", content_type), *kept]


def for_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What a provider's headers become on the way back."""
    out: Headers = []
    named: set[str] = set()
    names = _back_names
    for name, value in headers:
        try:
            kept = names[name]
        except KeyError:
            kept = _judge_back(name)
        if kept:
            out.append((kept, value))
        elif name == b"connection" and value.lower() not in _OF_EVERY_CONNECTION:
            named.update(_names_in(value))
    return [header for header in out if header[0].decode("latin-1") not in named] if named else out


def _names_in(connection: bytes) -> list[str]:
    """The headers that a connection header declares to be about the connection."""
    return [name.strip() for name in connection.decode("latin-1").lower().split(",")]


def _judge_upstream(name: bytes) -> str:
    dropped = name in _NOT_UPSTREAM or name.startswith(_NOT_UPSTREAM_PREFIXES) or name.endswith(_CREDENTIAL_SUFFIXES)
    # A name that HTTP/1.1 cannot carry is no header there, and must not look like a fault of the provider.
    text = "" if dropped or not _TOKEN.fullmatch(name) else name.decode("ascii")
    if len(_upstream_names) < _REMEMBERED:
        _upstream_names[name] = text
    return text


def _judge_back(name: bytes) -> bytes:
    kept = name
    if name in _NOT_BACK or name.startswith((b"x-gateway-", b"access-control-", b"proxy-")):
        kept = b""
    else:
        for prefix, replacement in _RENAMED_BACK:
            if name.startswith(prefix):
                kept = replacement + name[len(prefix) :]
    if len(_back_names) < _REMEMBERED:
        _back_names[name] = kept
    return kept
