"""Every error a client can be told of, and every fault an upstream can commit.

    GatewayError            what the client is told; rendered once, at the edge, in its dialect
    UpstreamFault           what one attempt ran into; failover turns the last one into a GatewayError
    Disconnected            the client has left; nobody is told anything

Codes are stable: clients match on them, metrics are labelled with them, and each has a section in
docs/errors.md (a test says so). Texts may change.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeVar

FaultKind = Literal[
    "connect",  # refused, DNS, connect timeout, reset or stale connection before the head
    "silent",  # no head, or a head but no first event, within the time allowed
    "rate-limited",  # 429
    "unauthorized",  # 401, 403: the provider does not like our key
    "unavailable",  # 408, 409 (lock), 425, 5xx, 529; HTML or nothing where JSON was due
    "context-length",  # the prompt does not fit this model
    "content-policy",  # the provider refuses the content
    "rejected",  # any other 4xx: the request's own fault
    "cut",  # after commit: the stream ended before its terminal event
    "stalled",  # after commit: nothing for longer than `idle`
    "malformed",  # after commit: bytes that are not the dialect's
    "deadline",  # the exchange's `total` ran out while this attempt was under way
]


class Code(NamedTuple):
    """status: HTTP status sent with it. family: the coarse kind that dialects name in their own
    words (`invalid_request_error`, `INVALID_ARGUMENT`, ...)."""

    status: int
    family: Literal[
        "invalid",
        "auth",
        "forbidden",
        "not-found",
        "too-large",
        "quota",
        "rate-limit",
        "unavailable",
        "timeout",
        "server",
    ]


CODES: Final[dict[str, Code]] = {
    "malformed_body": Code(400, "invalid"),
    "invalid_request": Code(400, "invalid"),
    "model_required": Code(400, "invalid"),
    "unsupported_feature": Code(400, "invalid"),
    "no_rule_matched": Code(400, "invalid"),
    "path_invalid": Code(400, "invalid"),
    "router_name_invalid": Code(404, "not-found"),
    "router_not_found": Code(404, "not-found"),
    "provider_not_found": Code(404, "not-found"),
    "model_not_found": Code(404, "not-found"),
    "operation_not_served": Code(404, "not-found"),
    "not_found": Code(404, "not-found"),
    "method_not_allowed": Code(405, "invalid"),
    "request_timeout": Code(408, "invalid"),
    "body_too_large": Code(413, "too-large"),
    "headers_too_large": Code(431, "invalid"),
    "invalid_api_key": Code(401, "auth"),
    "token_invalid": Code(401, "auth"),
    "signature_invalid": Code(401, "auth"),
    "access_denied": Code(403, "forbidden"),
    "auth_unavailable": Code(503, "unavailable"),
    "no_eligible_target": Code(503, "unavailable"),
    "draining": Code(503, "unavailable"),
    "insufficient_quota": Code(402, "quota"),
    "budget_exceeded": Code(429, "quota"),
    "rate_limited": Code(429, "rate-limit"),
    "request_exceeds_limit": Code(413, "too-large"),
    "store_unavailable": Code(503, "unavailable"),
    "upstream_rate_limited": Code(429, "rate-limit"),
    "upstream_rejected": Code(400, "invalid"),
    "upstream_context_length": Code(400, "invalid"),
    "upstream_content_policy": Code(400, "invalid"),
    "upstream_unauthorized": Code(502, "server"),
    "upstream_failed": Code(502, "server"),
    "upstream_unreachable": Code(502, "server"),
    "upstream_timeout": Code(504, "timeout"),
    "upstream_cut": Code(502, "server"),
    "upstream_stalled": Code(504, "timeout"),
    "deadline_exceeded": Code(504, "timeout"),
    "ledger_full": Code(503, "unavailable"),
    "ledger_off": Code(404, "not-found"),
    "ledger_unavailable": Code(503, "unavailable"),
    "config_rejected": Code(409, "invalid"),
    "idempotency_conflict": Code(409, "invalid"),
    "internal_error": Code(500, "server"),
}


REFUSED: Final = frozenset(
    ("rate_limited", "request_exceeds_limit", "budget_exceeded", "insufficient_quota", "store_unavailable")
)
"""The codes with which limits, budgets and balances refuse: what others have counted of the request is given back."""


class GatewayError(Exception):
    """What the client is told.

    code: a key of CODES. message: one or two sentences: what is wrong and what to do.
    status: overrides the code's own (an upstream's status that is kept). retry_after: seconds.
    param: the field of the request that is at fault, where there is one. headers: extra reply
    headers, such as `allow`. provider_body: a provider's own JSON error in the client's dialect, sent
    in place of ours. attempts: how many were made upstream.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
        param: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or CODES[code].status
        self.retry_after = retry_after
        self.param = param
        self.headers = headers
        self.provider_body = b""
        self.attempts = 0


class UpstreamFault(Exception):
    """What one attempt ran into. Adapters raise only this.

    status: the upstream's HTTP status, 0 where there was none. retry_after: seconds from now, as
    the upstream asked. content_type, body: the upstream's own error reply, kept so that it can be
    handed to a client of the same dialect. message: the provider's own words, or what broke; never
    a credential. told: the provider's own error event has gone to the client.
    """

    def __init__(
        self,
        kind: FaultKind,
        message: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
        content_type: bytes = b"",
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.content_type = content_type
        self.body = body
        self.told = False


class Disconnected(Exception):
    """The client has left. Never rendered, never blamed on a target."""


_Error = TypeVar("_Error", GatewayError, UpstreamFault)


def untraced(error: _Error) -> _Error:
    """An error that is caught for good, without its traceback and what it came from, which nobody reads. The frames in
    there hold what holds the error: together they would be garbage that waits for the collector, in an outage that of
    every request."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
