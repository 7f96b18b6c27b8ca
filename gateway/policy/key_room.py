"""What a provider lets one of its keys do, and how much of it is left as far as this process knows.

Lives here: the buckets of a key and the last that was heard of them. Must not: decide whether a request fits; that is
the store's, which all replicas share. Law: no minute, wherever it begins, has more requests than the limit says.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal

from gateway.core.secret import Secret
from gateway.policy.token_bucket import Rate

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_AT_ONCE: Final = 5
"""A fifth of a minute's requests may come at once."""


class KeyBucket:
    """One bucket. name: its name in the store, the same wherever the key is used. left: when it was last heard of."""

    __slots__ = ("_left", "_stamp", "name", "rate", "unit")

    def __init__(self, name: str, unit: Literal["requests", "tokens"], rate: Rate) -> None:
        self.name = name
        self.unit: Literal["requests", "tokens"] = unit
        self.rate = rate
        self._left = float(rate.capacity)
        self._stamp = 0.0

    def see(self, remaining: int, reset: float, now: float) -> None:
        """What the store said: the whole units left, and the seconds until it is full, which tell the rest."""
        rate = self.rate
        left = rate.capacity - reset * _SECOND * rate.capacity / rate.period
        self._left = max(left, float(remaining)) if remaining else left
        self._stamp = now

    def give_back(self, amount: int) -> None:
        """What was reserved and not used; negative: was used beside it."""
        self._left += amount

    def left(self, now: float) -> float:
        """What there should be by now, if nobody else has taken any."""
        rate = self.rate
        return min(self._left + (now - self._stamp) * _SECOND * rate.capacity / rate.period, float(rate.capacity))


class KeyRoom:
    """The buckets of one key. requests, tokens: a minute, None for no limit."""

    __slots__ = ("buckets", "limit")

    def __init__(self, secret: Secret, requests: int | None, tokens: int | None) -> None:
        self.limit = (requests, tokens)
        # The credential is the account: two pools that hold it share what it may do.
        tag = f"{{/key/{sha256(secret.reveal().encode()).hexdigest()[:32]}}}"
        self.buckets: list[KeyBucket] = []
        if requests is not None:
            self.buckets.append(KeyBucket(f"{tag}requests", "requests", request_rate(requests)))
        if tokens is not None:
            self.buckets.append(KeyBucket(f"{tag}tokens", "tokens", token_rate(tokens)))

    def share(self, now: float) -> float:
        """How much of it is left: 1.0 for all of it."""
        return min((bucket.left(now) / bucket.rate.capacity for bucket in self.buckets), default=1.0)

    def opens_in(self, now: float) -> float:
        """Seconds until there is one of everything; 0.0 when there is."""
        return max((_wait(bucket, now) for bucket in self.buckets), default=0.0)


def request_rate(limit: int) -> Rate:
    """A burst, and then one after another, so that the burst and what follows it in a minute are the limit together: of
    15 a minute 3 at once, and then one every 4.6 s."""
    burst = 1 + (limit - 1) // _AT_ONCE
    steady = limit - burst + 1
    return Rate(burst, -(-burst * _MINUTE // steady))


def token_rate(limit: int) -> Rate:
    """A minute's tokens: one request may need them all."""
    return Rate(limit, _MINUTE)


def _wait(bucket: KeyBucket, now: float) -> float:
    missing = 1.0 - bucket.left(now)
    if missing <= 0.0:
        return 0.0
    return missing * bucket.rate.period / (bucket.rate.capacity * _SECOND)
