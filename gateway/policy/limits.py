"""A rate limit as a request meets it: what is counted, for whom, and how much of it one request is.

Lives here: rules, the names of their buckets, amounts, and the words for a limit. Must not: take anything, or know
where buckets are kept. Law: whoever is counted cannot choose a name that another is counted under, and no credential
is in a name.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, Literal, Protocol

import msgspec

from gateway.core.money import micro_of
from gateway.core.trace import ConfigPath
from gateway.core.usage import Estimate, Usage
from gateway.policy.token_bucket import Rate

Scope = Literal["per-api-key", "per-team", "per-end-user", "total", "gateway-key"]
"""For whom is counted. gateway-key: the limit that a key of `auth.keys` has of its own."""
Unit = Literal["requests", "tokens", "usd"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_DIGITS: Final = 32


class Pricer(Protocol):
    """What usage costs, in nano-USD, rounded up; None where the price is not known. provider: `` where none has been
    chosen yet."""

    def __call__(self, provider: str, model: str, usage: Usage) -> int | None: ...


class Rule(msgspec.Struct, frozen=True):
    """One bucket for each of those that it is counted for. prefix: of the bucket's name; the hash tag in it is the
    route's. said: the limit in words. path: where the config says it."""

    scope: Scope
    unit: Unit
    rate: Rate
    shadow: bool
    prefix: str
    said: str
    path: ConfigPath = ()


def rule(
    scope: Scope, unit: Unit, rate: Rate, *, shadow: bool, tag: str, place: str, period: str, path: ConfigPath = ()
) -> Rule:
    """tag: the route as buckets are named by it. place: the route in words. period: the rate's, as it was written."""
    amount = f"{rate.capacity / 1_000_000:g} USD" if unit == "usd" else f"{rate.capacity} {unit}"
    prefix = f"{{{tag}}}{scope}:{unit}:{rate.name}:"
    return Rule(scope, unit, rate, shadow, prefix, f"{amount} per {period}, {_FOR[scope]} {place}", path)


_FOR: Final[dict[Scope, str]] = {
    "per-api-key": "for each API key, on",
    "per-team": "for each team, on",
    "per-end-user": "for each end user, on",
    "total": "for all together, on",
    "gateway-key": "for this gateway key, on",
}


def name_of_caller(name: str) -> str:
    """The part of a bucket's name that stands for a caller or a team."""
    return name if _NAME.fullmatch(name) else f"#{_digest(name.encode('utf-8', 'surrogatepass'))}"


def name_of_credential(credential: bytes) -> str:
    """The same for somebody of whom only a credential is known."""
    return f"sha256:{_digest(credential)}"


def name_of_user(user: str) -> str:
    """The same for an end user: never the name itself, which may be an address."""
    return _digest(user.encode("utf-8", "surrogatepass"))


def tokens_wanted(rate: Rate, estimate: Estimate) -> int:
    """The tokens to reserve. A length that nobody asked for is our guess: it never makes a request too large."""
    wanted = estimate.input + estimate.output
    return wanted if estimate.said else min(wanted, max(estimate.input, rate.capacity))


def price_wanted(rate: Rate, estimate: Estimate, model: str, price: Pricer) -> int:
    """The same in millionths of a dollar; 0 where the price is not known."""
    wanted = micro_of(price("", model, Usage(estimate.input, estimate.output)) or 0)
    if wanted > rate.capacity and not estimate.said:
        return max(micro_of(price("", model, Usage(estimate.input)) or 0), rate.capacity)
    return wanted


def _digest(secret: bytes) -> str:
    return sha256(secret).hexdigest()[:_DIGITS]
