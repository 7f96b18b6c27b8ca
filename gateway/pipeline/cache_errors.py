"""Which errors a kept answer may stand in for, and which are everybody's who asked the same. Pure."""

from __future__ import annotations

from gateway.core.errors import GatewayError

_OURS = frozenset(("internal_error", "draining", "store_unavailable"))


def is_upstreams(error: GatewayError) -> bool:
    """Whether the upstream failed, and not the request, a limit or the gateway."""
    return error.code == "upstream_rate_limited" or (error.status >= 500 and error.code not in _OURS)


def is_everybodys(error: GatewayError) -> bool:
    """Whether whoever asks the same would be told the same. A denial is of one caller."""
    return error.code.startswith("upstream_") or error.code in ("no_eligible_target", "deadline_exceeded")


def copy_of(error: GatewayError) -> GatewayError:
    """The same for another client, without the headers that were of the first: an exception belongs to the one that it
    was raised for."""
    copy = GatewayError(
        error.code, error.message, status=error.status, retry_after=error.retry_after, param=error.param
    )
    copy.provider_body = error.provider_body
    return copy
