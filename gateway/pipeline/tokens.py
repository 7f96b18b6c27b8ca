"""Bearer tokens of the issuers that the config names: from a JWT to its caller.

The order is that of cost and of trust: the shape, whether the issuer is one of ours, the key, the signature, and only
then what the token claims. An issuer that cannot be asked is a 503, whatever the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from gateway.core.access import Access
from gateway.core.errors import GatewayError
from gateway.pipeline.authenticate import Caller
from gateway.policy.claims import ClaimError, ClaimRules, bearer_of
from gateway.policy.networks import Networks
from gateway.policy.token import Header, Key, TokenError, header_and_issuer, is_token, pick_key, verified_claims
from gateway.upstream.key_set import KeysUnavailable

REMEMBERED: Final = 300.0
"""Seconds for which a token counts without another look at its signature: so long a key that its issuer has
withdrawn goes on counting."""


class KeySource(Protocol):
    """Whoever has an issuer's public keys."""

    async def find(self, header: Header) -> Key | None:
        """The key that could have signed a token with this header. Raises KeysUnavailable when it cannot be said."""
        ...


class Issuer(msgspec.Struct, frozen=True):
    """An issuer that is trusted. name: in front of its bearers' names. access, networks: of all its bearers."""

    name: str
    algorithms: frozenset[str]
    rules: ClaimRules
    keys: KeySource
    access: Access | None = None
    networks: Networks | None = None


class Tokens:
    """Reads tokens. issuers: by their `iss`."""

    __slots__ = ("_issuers",)

    def __init__(self, issuers: Mapping[str, Issuer]) -> None:
        self._issuers = issuers

    async def caller_of(self, credential: bytes, now: float) -> Caller | None:
        """See TokenReader. A bearer's name begins with its issuer's and a colon, which no key's name has: no token can
        be taken for a key, or for the token of another issuer."""
        if not is_token(credential):
            return None
        try:
            header, issued_by = header_and_issuer(credential)
            issuer = self._issuers.get(issued_by)
            if issuer is None:
                raise TokenError("The token's issuer (iss) is not one that is accepted here.")
            if header.alg not in issuer.algorithms:
                raise TokenError("The token is not signed with an algorithm that is accepted here.")
            key = await issuer.keys.find(header)
            if key is None:
                raise TokenError("The token is signed with a key (kid) that its issuer does not publish.")
            bearer = bearer_of(verified_claims(credential, key), issuer.rules, now)
        except KeysUnavailable as failure:
            raise GatewayError("auth_unavailable", failure.message, retry_after=failure.retry_in) from None
        except TokenError as error:
            raise GatewayError("token_invalid", str(error)) from None
        except ClaimError as error:
            raise GatewayError("access_denied" if error.known else "token_invalid", error.message) from None
        return Caller(
            f"{issuer.name}:{bearer.name}",
            bearer.team,
            bearer.routers,
            until=min(bearer.until, now + REMEMBERED),
            guarded=issuer.access is not None or issuer.networks is not None,
            access=issuer.access,
            networks=issuer.networks,
            token=True,
            project=bearer.project,
        )


class FixedKeys:
    """Keys that stand in a file: there is nobody to ask."""

    __slots__ = ("_keys",)

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = keys

    async def find(self, header: Header) -> Key | None:
        return pick_key(self._keys, header)
