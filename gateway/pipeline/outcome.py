"""From what went wrong upstream to what the client is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.access import Access
from gateway.core.errors import FaultKind, GatewayError, UpstreamFault
from gateway.core.exchange import Call, Exchange
from gateway.policy.selection import Refusal, explain, soonest

_CODES: dict[FaultKind, str] = {
    "connect": "upstream_unreachable",
    "silent": "upstream_timeout",
    "rate-limited": "upstream_rate_limited",
    "unauthorized": "upstream_unauthorized",
    "unavailable": "upstream_failed",
    "context-length": "upstream_context_length",
    "content-policy": "upstream_content_policy",
    "rejected": "upstream_rejected",
    "cut": "upstream_cut",
    "stalled": "upstream_stalled",
    "malformed": "upstream_cut",
    "deadline": "deadline_exceeded",
}
_NEVER = frozenset(("cannot-serve-operation", "dialect"))
_KEEPS_STATUS = frozenset(("rejected", "context-length", "content-policy", "unavailable"))


def error_without_target(call: Call, refusals: Sequence[Refusal], key_hints: Sequence[str]) -> GatewayError:
    """No target could be tried: the reasons, the soonest moment at which that may change, and what
    would give a provider without a key one."""
    asked = f" for model {call.model!r}" if call.model else ""
    reasons = explain(refusals).rstrip(".")
    if refusals and all(refusal.reason in _NEVER for refusal in refusals):
        # Not a 503: SDKs ask again after one, and time changes nothing here.
        return GatewayError(
            "operation_not_served",
            f"No provider of this route serves this operation{asked}: {reasons}. "
            "Ask a route that has a provider with it.",
        )
    hint = " " + " ".join(key_hints) if key_hints else ""
    return GatewayError(
        "no_eligible_target",
        f"No provider of this route can serve this request{asked} now: {reasons}.{hint}",
        retry_after=soonest(refusals),
    )


def error_unsupported(call: Call, refusals: Sequence[Refusal], *, rejecting: bool) -> GatewayError:
    """Every target would lose something that may not be lost."""
    asked = f" for model {call.model!r}" if call.model else ""
    why = " (the route has `on-loss: reject`)" if rejecting else ""
    features = dict.fromkeys(refusal.feature for refusal in refusals)
    return GatewayError(
        "unsupported_feature",
        f"No provider of this route can carry this request{asked}: {explain(refusals)}{why}. Leave it out, or ask a "
        "route that has a provider with it.",
        param=next(iter(features)).partition(",")[0] if len(features) == 1 else None,
    )


def error_unknown_model(model: str) -> GatewayError:
    """Nobody is known to have the model."""
    return GatewayError(
        "model_not_found",
        f"No provider is known to have the model {model!r}: tried `provider/model`, exact names, the `models` of "
        "routers.yaml and name families. Write it as provider/model to say which provider is meant.",
        param="model",
    )


def error_not_allowed(caller: str, access: Access) -> GatewayError:
    """Somebody could serve the request, but none of the caller's providers."""
    names = ", ".join(sorted(access.providers or ()))
    return GatewayError(
        "access_denied",
        f"None of the providers that {caller!r} may use can serve this request here; it may use: {names or 'none'}.",
    )


def error_after(exchange: Exchange, fault: UpstreamFault, refusals: Sequence[Refusal]) -> GatewayError:
    """The last fault, told to the client. A provider's own JSON error goes through as it came, for
    it says most; a provider that dislikes our key is our trouble and never looks like the client's."""
    error = error_of(fault, exchange.provider)
    if fault.kind == "rate-limited":
        # Another target may be back before the one that was asked last.
        times = [time for time in (error.retry_after, soonest(refusals)) if time is not None]
        error.retry_after = min(times, default=None)
    tries = len(exchange.attempts)
    if tries > 1:
        providers = dict.fromkeys(attempt.provider for attempt in exchange.attempts)
        error.message += f" ({tries} attempts at {', '.join(providers)}.)"
    error.attempts = tries
    return error


def error_of(fault: UpstreamFault, provider: str) -> GatewayError:
    """A fault in the gateway's words."""
    code = _CODES[fault.kind]
    status = fault.status if fault.kind in _KEEPS_STATUS and fault.status >= 400 else 0
    said = fault.message
    if fault.kind == "unauthorized" and fault.status:
        # What a provider says of our key may quote it.
        said = "The provider refused the gateway's key."
    elif fault.kind == "unauthorized":
        status = 503
    error = GatewayError(code, f"{provider}: {said}", status=status, retry_after=fault.retry_after)
    is_json = fault.content_type.startswith(b"application/json") and fault.body.lstrip()[:1] == b"{"
    if is_json and fault.status >= 400 and fault.kind != "unauthorized":
        error.provider_body = fault.body
    elif fault.kind == "unavailable":
        error.status = 502
    return error
