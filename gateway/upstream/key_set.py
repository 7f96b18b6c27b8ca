"""The public keys of an issuer of tokens, fetched from where it publishes them and kept.

What lives here: when to ask, and what is known meanwhile. Requests find keys in memory; one of them waits for the
issuer only when there is no key yet, or when a token names a key that nobody has heard of. However many wait, one
call is under way, and there is a pause between two, so that made-up key names cannot drive the gateway to hammer an
issuer. An issuer that is down takes nothing away: its keys stay, and what they cannot answer is unavailable, never
a refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.core.clock import Clock
from gateway.policy.token import Algorithm, Header, Key, pick_key, read_keys
from gateway.upstream.fetch import FetchError, fetch
from gateway.upstream.transport import Transport

PAUSE: Final = 30.0
"""Seconds after a good answer in which an unknown key name asks no more."""

PAUSE_AFTER_FAILURE: Final = 5.0
REFRESH: Final = 600.0
"""Seconds after which keys are asked for again, behind the back of the request that finds them so old."""

DISCOVERY: Final = "/.well-known/openid-configuration"

Notice = Callable[[str, Mapping[str, str | int | float]], None]


class KeysUnavailable(Exception):
    """The issuer cannot be asked, and without it nothing can be said. retry_in: seconds until it is asked again."""

    def __init__(self, message: str, retry_in: float) -> None:
        super().__init__(message)
        self.message: Final = message
        self.retry_in: Final = retry_in


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class KeySet:
    """The keys of one issuer. url: of its JWKS, or `` to discover it. notice: told of what changes, for the log."""

    def __init__(
        self,
        clock: Clock,
        transport: Transport,
        issuer: str,
        url: str,
        algorithms: tuple[Algorithm, ...],
        notice: Notice = lambda event, fields: None,
    ) -> None:
        self._now = clock.monotonic
        self._transport = transport
        self._issuer = issuer
        self._url = url
        self._algorithms = algorithms
        self._notice = notice
        self._keys: tuple[Key, ...] = ()
        self._failure = ""
        self._ask_from = 0.0
        self._stale_from = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def find(self, header: Header) -> Key | None:
        """The key that could have signed a token with this header; None when the issuer has no such key.
        KeysUnavailable when only the issuer could tell."""
        key = pick_key(self._keys, header)
        if key is None:
            await self.refresh()
            key = pick_key(self._keys, header)
            if key is None and self._failure:
                raise KeysUnavailable(self._failure, max(self._ask_from - self._now(), 1.0))
        elif self._now() >= self._stale_from and self._now() >= self._ask_from:
            self._begin()
        return key

    async def refresh(self) -> None:
        """Ask the issuer, or wait for the answer that is under way, or do nothing when it was asked just now."""
        if self._asking is None and self._now() >= self._ask_from:
            self._begin()
        if self._asking is not None:
            # A client that leaves must not end what the others wait for.
            await asyncio.shield(self._asking)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _begin(self) -> None:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        try:
            keys = read_keys(await fetch(self._transport, self._url or await self._discovered()), self._algorithms)
        except (FetchError, ValueError) as failure:
            self._failure = f"The keys of the issuer {self._issuer} cannot be read: {failure}."
            self._ask_from = self._now() + PAUSE_AFTER_FAILURE
            self._notice("keys of an issuer not read", {"issuer": self._issuer, "reason": str(failure)})
        else:
            if self._failure or {key.kid for key in keys} != {key.kid for key in self._keys}:
                self._notice("keys of an issuer read", {"issuer": self._issuer, "keys": len(keys)})
            self._keys = keys
            self._failure = ""
            self._ask_from = self._now() + PAUSE
            self._stale_from = self._now() + REFRESH
        finally:
            self._asking = None

    async def _discovered(self) -> str:
        """Asked each time: an issuer may move its keys."""
        text = await fetch(self._transport, self._issuer.rstrip("/") + DISCOVERY)
        try:
            found = msgspec.json.decode(text, type=_Discovery)
        except (ValueError, RecursionError):
            raise ValueError(f"{DISCOVERY} is not what OpenID Connect says") from None
        if found.issuer != self._issuer:
            raise ValueError(f"{DISCOVERY} is that of another issuer")
        if urlsplit(found.jwks_uri).scheme not in ("https", urlsplit(self._issuer).scheme):
            raise ValueError(f"{DISCOVERY} names keys that would come unencrypted")
        return found.jwks_uri
