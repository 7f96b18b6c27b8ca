"""Who is calling: the gateway key, token or signature in a request, and what its caller may use.

A caller whose key has no conditions costs one look-up; whatever is conditional is asked only of the callers that
have the condition. Law: what is not known, or cannot be made sure of, does not come in; and that it cannot be made
sure of now is never told as if the credential were bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from math import inf
from typing import Final, Protocol

import msgspec

from gateway.core.access import Access
from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Layer, Reply
from gateway.core.key_text import PREFIX, is_key_text
from gateway.core.secret import Secret
from gateway.policy.networks import Networks
from gateway.policy.signature import KEPT, Signature, problem_of
from gateway.store.protocol import NonceStore, StoreDown

INDEX: Final = 16
"""So many bytes of a digest find a caller; the whole of it decides."""

TOKENS: Final = 10_000
"""Verified tokens that are remembered."""


class Signing(msgspec.Struct, frozen=True):
    """That a caller signs requests: all of them when required, else those that do not bring its key."""

    secret: Secret
    required: bool


class Caller(msgspec.Struct, frozen=True):
    """A known caller. routers: the ones it may use, None for every route.

    digest: SHA-256 of its credential; empty where there is none. until: the Unix second from which the credential does
    not count, and over: what is said then. guarded: there is more to ask than the route. access, networks, signing:
    that, None where nothing is asked. token: the credential is one that its issuer can say more of. explain: it may
    have its requests explained. project: that its requests are for.
    """

    name: str
    team: str = ""
    routers: frozenset[str] | None = None
    digest: bytes = b""
    until: float = inf
    over: str = ""
    guarded: bool = False
    access: Access | None = None
    networks: Networks | None = None
    signing: Signing | None = None
    token: bool = False
    explain: bool = False
    project: str = ""


class TokenReader(Protocol):
    """Whoever knows the issuers of tokens."""

    async def caller_of(self, credential: bytes, now: float) -> Caller | None:
        """The bearer of a good token; None for what is no token at all. now: Unix seconds. GatewayError."""
        ...


class Gate:
    """Every caller that one config knows.

    callers: with their digests. keyed: callers by the keyed digest of their key, and pepper its secret. signers:
    callers that sign, by name. nonces: what was signed before. tokens: None where no issuer is trusted.
    """

    __slots__ = ("_keyed", "_nonces", "_pepper", "_signers", "_tokens", "_tokens_known", "known")

    def __init__(
        self,
        callers: Sequence[Caller],
        *,
        keyed: Mapping[bytes, Caller] | None = None,
        pepper: bytes = b"",
        signers: Mapping[bytes, Caller] | None = None,
        nonces: NonceStore | None = None,
        tokens: TokenReader | None = None,
    ) -> None:
        self.known: dict[bytes, Caller] = {caller.digest[:INDEX]: caller for caller in callers}
        self._keyed = keyed or {}
        self._pepper = pepper
        self._signers = signers or {}
        self._nonces = nonces
        self._tokens = tokens
        self._tokens_known: dict[bytes, None] = {}

    async def admit(self, exchange: Exchange, digest: bytes) -> Caller:
        """The caller of a request that the look-up alone does not settle. digest: of its credential. GatewayError."""
        caller = self._by_key(exchange.credential, digest)
        signature = _signature(exchange) if self._signers else None
        signed = False
        if caller is None and signature is not None:
            caller = self._signers.get(signature.key)
            if caller is None or caller.signing is None:
                raise GatewayError("signature_invalid", "No key that signs its requests has the name in x-gateway-key.")
            signed = True
        if caller is None or (caller.token and exchange.wall >= caller.until):
            caller = await self._by_token(exchange, digest)
        if exchange.wall >= caller.until:
            raise GatewayError("invalid_api_key", caller.over)
        if caller.networks is not None and exchange.client not in caller.networks:
            where = exchange.client or "an address that cannot be told"
            raise GatewayError("access_denied", f"{caller.name!r} may not call from {where}.")
        if caller.signing is not None and (signed or caller.signing.required or signature is not None):
            await self._check_signature(exchange, caller, caller.signing, signature)
        if caller.access is not None:
            _check_model(exchange, caller, caller.access)
        return caller

    def stranger(self, exchange: Exchange) -> GatewayError | None:
        """What to tell one whom nobody here can know, whatever the body says; None where that is yet to be seen. It
        keeps those who have no key from having a large body read, and from learning what is wrong with theirs."""
        credential = exchange.credential
        if self._by_key(credential, sha256(credential).digest()) is not None:
            return None
        if self._tokens is not None and credential.count(b".") == 2:
            return None
        if self._signers and _signature(exchange) is not None:
            return None
        return GatewayError("invalid_api_key", _unknown(credential))

    def _by_key(self, credential: bytes, digest: bytes) -> Caller | None:
        found = self.known.get(digest[:INDEX])
        if found is not None and compare_digest(found.digest, digest):
            return found
        if self._keyed and credential:
            found = self._keyed.get(hmac_digest(self._pepper, credential, "sha256"))
            if found is not None:
                found = msgspec.structs.replace(found, digest=digest)
                self.known[digest[:INDEX]] = found
                return found
        return None

    async def _by_token(self, exchange: Exchange, digest: bytes) -> Caller:
        credential = exchange.credential
        found = await self._tokens.caller_of(credential, exchange.wall) if self._tokens is not None else None
        if found is None:
            raise GatewayError("invalid_api_key", _unknown(credential))
        found = msgspec.structs.replace(found, digest=digest)
        index = digest[:INDEX]
        # First in, first out: a token is used for minutes or hours, and judging one anew costs little.
        self._tokens_known.pop(index, None)
        if len(self._tokens_known) >= TOKENS:
            oldest = next(iter(self._tokens_known))
            del self._tokens_known[oldest]
            self.known.pop(oldest, None)
        self._tokens_known[index] = None
        self.known[index] = found
        return found

    async def _check_signature(
        self, exchange: Exchange, caller: Caller, signing: Signing, signature: Signature | None
    ) -> None:
        if signature is None or signature.key != caller.name.encode():
            raise GatewayError(
                "signature_invalid",
                f"{caller.name!r} signs its requests: x-gateway-key, -timestamp, -nonce and -signature are due.",
            )
        secret = signing.secret.reveal().encode()
        problem = problem_of(signature, secret, exchange.method, exchange.target, exchange.body, exchange.wall)
        if problem:
            raise GatewayError("signature_invalid", problem)
        assert self._nonces is not None
        try:
            new = await self._nonces.add(f"{caller.name}:{signature.nonce.decode('ascii')}", KEPT)
        except StoreDown:
            raise GatewayError(
                "store_unavailable", "Whether this signature was used before cannot be said now.", retry_after=1.0
            ) from None
        if not new:
            raise GatewayError("signature_invalid", "The nonce was used before: each request needs one of its own.")


def authenticate(gate: Gate) -> Layer:
    """Demand a caller that the gate knows.

    Nothing here compares a key. What is looked up is the SHA-256 digest of what was sent, by its first bytes, and what
    is compared is the whole digest, in constant time. However long the look-up takes, it tells of a digest that
    nobody can choose without knowing the 256 random bits behind it, and so nothing of any key.
    """
    known = gate.known

    def layer(inner: Handler) -> Handler:
        async def handle(exchange: Exchange) -> Reply:
            digest = sha256(exchange.credential).digest()
            caller = known.get(digest[:INDEX])
            if (
                caller is None
                or caller.guarded
                or exchange.wall >= caller.until
                or not compare_digest(caller.digest, digest)
            ):
                caller = await gate.admit(exchange, digest)
            if caller.routers is not None and exchange.router not in caller.routers:
                raise GatewayError("access_denied", _other_routes(caller, caller.routers))
            exchange.caller = caller.name
            exchange.team = caller.team
            exchange.project = caller.project
            exchange.access = caller.access
            if exchange.trace is not None:
                if caller.explain:
                    exchange.trace.granted = True
                else:
                    exchange.trace = None
            return await inner(exchange)

        return handle

    return layer


def _signature(exchange: Exchange) -> Signature | None:
    """The signature that a request says it has."""
    once = dict(exchange.headers)
    value = once.get(b"x-gateway-signature")
    if value is None and b"x-gateway-key" not in once:
        return None
    return Signature(
        once.get(b"x-gateway-key", b""),
        once.get(b"x-gateway-timestamp", b""),
        once.get(b"x-gateway-nonce", b""),
        value or b"",
    )


def _check_model(exchange: Exchange, caller: Caller, access: Access) -> None:
    call = exchange.call
    # A list of models is shortened to what the caller may use instead.
    if access.models is None or call.operation == "models" or (call.model and access.admits_model(call.model)):
        return
    asked = f"the model {call.model!r}" if call.model else "what names no model"
    allowed = ", ".join(access.models[:10]) + (", ..." if len(access.models) > 10 else "")
    raise GatewayError(
        "access_denied",
        f"{caller.name!r} may not use {asked}; it may use: {allowed or 'none'}.",
        param="model" if call.model else None,
    )


def _other_routes(caller: Caller, routers: frozenset[str]) -> str:
    names = sorted(routers)
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{caller.name!r} may not use this route; it may use: {listed or 'none'}."


def _unknown(credential: bytes) -> str:
    if not credential:
        return "No gateway key was sent (authorization: Bearer ..., x-api-key or x-goog-api-key)."
    text = credential.decode("latin-1")
    if text.startswith(PREFIX) and not is_key_text(text):
        return "The gateway key is not known: it is not whole, or was mistyped (its checksum does not fit)."
    return "The gateway key is not known."
