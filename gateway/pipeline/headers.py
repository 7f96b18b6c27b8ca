"""Which headers cross the gateway, in both directions.

Upstream goes what the client said, less what is about this connection, less every credential and
less what a proxy adds. Back comes what the provider said, less what is about that connection. The
verdict on a name is made once and remembered; the memory is bounded because both sides choose names.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.errors import GatewayError
from gateway.core.exchange import Headers

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer "
    b"transfer-encoding upgrade http2-settings".split()
)
_NOT_UPSTREAM = _HOP_BY_HOP | frozenset(
    b"host content-length expect accept-encoding authorization x-api-key x-goog-api-key api-key "
    b"xi-api-key cookie forwarded via x-real-ip true-client-ip cf-connecting-ip x-request-id cache-control "
    b"x-goog-iam-authorization-token x-amz-security-token x-end-user traceparent tracestate".split()
)
_NOT_BACK = _HOP_BY_HOP | frozenset(
    b"content-length set-cookie set-cookie2 server date alt-svc strict-transport-security nel report-to via "
    b"expect-ct x-powered-by cf-ray cf-cache-status x-envoy-upstream-service-time".split()
)
_RENAMED_BACK = ((b"x-ratelimit-", b"x-upstream-ratelimit-"), (b"x-request-id", b"x-upstream-request-id"))
_REMEMBERED = 1024
_upstream_names: dict[bytes, str] = {}
_back_names: dict[bytes, bytes] = {}


def for_upstream(headers: Headers) -> list[tuple[str, str]]:
    """What a client's headers become on the way to a provider. GatewayError when a value cannot be
    sent on. Credentials are added by the caller."""
    out: list[tuple[str, str]] = []
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
    return out


def for_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What a provider's headers become on the way back."""
    out: Headers = []
    names = _back_names
    for name, value in headers:
        try:
            kept = names[name]
        except KeyError:
            kept = _judge_back(name)
        if kept:
            out.append((kept, value))
    return out


def _judge_upstream(name: bytes) -> str:
    dropped = name in _NOT_UPSTREAM or name.startswith((b"x-forwarded-", b"x-gateway-", b"proxy-", b"sec-"))
    text = "" if dropped or not name.isascii() else name.decode("ascii")
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
