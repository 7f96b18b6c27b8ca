"""Who asks: the keys of the admin API, and whoever is on this machine where there are none.

Keys are hashed and compared as those of callers are (pipeline/authenticate.py): looked up by the first bytes of a
digest that nobody can choose, and compared whole, in constant time. Without keys only loopback is listened on, which
keeps other machines out but not the pages in a browser on this one: a name that is not loopback's, and a request from
another origin, are refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from math import inf
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from gateway.config.check_access import is_loopback
from gateway.config.spec import AdminSettings
from gateway.core.errors import GatewayError
from gateway.core.moments import end_of
from gateway.policy.token_bucket import Rate
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import Take

Role = Literal["read", "write"]

FAILURES: Final = Rate(capacity=10, period=60_000_000)
"""Wrong keys of one address: ten at once, ten a minute. A good key is never kept waiting by them."""

_ADDRESSES: Final = 10_000
_INDEX: Final = 16
_KEYED: Final = "hmac-sha256:"
_PLAIN: Final = "sha256:"


class Bearer(msgspec.Struct, frozen=True):
    """Who asks. digest: of the key. until: the Unix second from which on it is not good."""

    name: str
    role: Role
    digest: bytes = b""
    until: float = inf


ANYBODY: Final = Bearer("", "write")
"""Whoever is on this machine, where no keys are asked for."""


class Login:
    """The keys of one config. wall: Unix seconds. failures: how often which address was wrong."""

    def __init__(self, settings: AdminSettings, pepper: str | None, wall: Callable[[], float], failures: Failures):
        self._plain: dict[bytes, Bearer] = {}
        self._keyed: dict[bytes, Bearer] = {}
        self._pepper = (pepper or "").encode()
        self._wall = wall
        self._failures = failures
        self._asks = bool(settings.keys)
        for key in settings.keys:
            kept = self._keyed if key.hash.startswith(_KEYED) else self._plain
            digest = bytes.fromhex(key.hash.rpartition(":")[2])
            until = inf if key.expires is None else end_of(key.expires)
            kept[digest[:_INDEX]] = Bearer(key.name, key.role, digest, until)

    def bearer(self, headers: Mapping[str, str], address: str) -> Bearer:
        """Who asks. headers: by lower-case name. GatewayError."""
        if not self._asks:
            _check_neighbour(headers, address)
            return ANYBODY
        credential = _credential(headers)
        found = self._known(credential.encode("latin-1", "replace")) if credential else None
        if found is not None and self._wall() < found.until:
            return found
        wait = self._failures.count(address)
        if wait > 0:
            raise GatewayError("rate_limited", "Too many wrong admin keys came from this address.", retry_after=wait)
        said = (
            "No admin key was sent (authorization: Bearer ..., or x-api-key)."
            if not credential
            else "The admin key is not known."
            if found is None
            else f"The admin key {found.name!r} has expired."
        )
        raise GatewayError("invalid_api_key", said, headers=((b"www-authenticate", b"Bearer"),))

    def _known(self, credential: bytes) -> Bearer | None:
        digest = sha256(credential).digest()
        found = self._plain.get(digest[:_INDEX])
        if found is None and self._keyed:
            digest = hmac.digest(self._pepper, credential, "sha256")
            found = self._keyed.get(digest[:_INDEX])
        return found if found is not None and hmac.compare_digest(found.digest, digest) else None


class Failures:
    """Wrong keys, by the address that they came from. Outlives a config."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets = MemoryLimits(monotonic, most=_ADDRESSES)

    def count(self, address: str) -> float:
        """Note one. Seconds until the next is answered as such; 0.0 when this one is."""
        grant = self._buckets.take_at([Take(address, FAILURES, 1)], int(self._monotonic() * 1_000_000))
        return 0.0 if grant.granted else grant.standings[0].retry_after


def _credential(headers: Mapping[str, str]) -> str:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _check_neighbour(headers: Mapping[str, str], address: str) -> None:
    """That somebody on this machine asks, and no page of a browser here, and nobody through a proxy here."""
    host = headers.get("host", "")
    origin = headers.get("origin")
    if not (is_loopback(address) and is_loopback(_name_in(f"//{host}"))):
        raise _refused("it is for http://127.0.0.1 and http://localhost on this machine alone", "host")
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        raise _refused("no page of another origin may ask", "origin")
    if "x-forwarded-for" in headers or "forwarded" in headers:
        raise _refused("nobody may ask through a proxy", "forwarded")


def _refused(why: str, param: str) -> GatewayError:
    return GatewayError("access_denied", f"Nobody is asked for an admin key here, so {why}.", param=param)


def _name_in(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
