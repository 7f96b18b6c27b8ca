"""From `auth` to the gate: every caller, what each may use, and the issuers whose tokens count.

A part of assembly: it knows the spec and the objects, and how the one is written as the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from typing import Final

import msgspec

from gateway.config import spec as sp
from gateway.config.check_access import is_loopback
from gateway.core.access import Access
from gateway.core.moments import end_of, moment_text
from gateway.core.secret import Secret
from gateway.pipeline.authenticate import Caller, Gate, Signing
from gateway.policy.networks import Networks
from gateway.runtime import IssuerName, Runtime
from gateway.store.protocol import NonceStore

_KEYED: Final = "hmac-sha256:"
_PLAIN: Final = "sha256:"


def gate_of(auth: sp.AuthSettings, providers: Iterable[str], runtime: Runtime, nonces: NonceStore) -> Gate:
    """The gate of a checked config. providers: those that can be named. nonces: where used ones are remembered."""
    known = frozenset(providers)
    plain: list[Caller] = []
    keyed: dict[bytes, Caller] = {}
    signers: dict[bytes, Caller] = {}
    for key in auth.keys:
        caller = _caller(key, known)
        if key.signing is not None:
            signers[key.name.encode()] = caller
        for text, holder in _hashed(key, caller):
            if text.startswith(_KEYED):
                keyed[bytes.fromhex(text.removeprefix(_KEYED))] = holder
            else:
                digest = bytes.fromhex(text.removeprefix(_PLAIN))
                plain.append(msgspec.structs.replace(holder, digest=digest))
    tokens = None
    if auth.jwt:
        # Only for who has issuers: the cryptography costs more to import than all else that a small config needs.
        from gateway.assemble.issuers import tokens_of  # noqa: PLC0415

        tokens = tokens_of(auth.jwt, known, runtime)
    return Gate(
        plain,
        keyed=keyed,
        pepper=(auth.pepper or "").encode(),
        signers=signers,
        nonces=nonces,
        tokens=tokens,
    )


def access_of(holder: sp.GatewayKey | sp.JwtIssuer, known: frozenset[str]) -> Access | None:
    """Its lists of models and providers, None when it has neither."""
    if holder.models is None and holder.providers is None:
        return None
    return Access(holder.models, None if holder.providers is None else frozenset(holder.providers), known)


def explains(spec: sp.Spec) -> bool:
    """Whether anybody may have a request explained: a key that says so, or whoever reaches an open loopback."""
    auth = spec.auth
    return any(key.explain for key in auth.keys) if auth.mode == "keys" else is_loopback(spec.server.host)


def key_set_name(issuer: sp.JwtIssuer) -> IssuerName:
    """Under which name the runtime keeps its public keys."""
    return issuer.issuer, issuer.jwks_url or "", issuer.algorithms


def networks_of(holder: sp.GatewayKey | sp.JwtIssuer) -> Networks | None:
    return None if holder.networks is None else Networks(holder.networks)


def secrets_of(auth: sp.AuthSettings) -> list[str]:
    """What no log may show."""
    secrets = [auth.pepper, *(key.signing_secret for key in auth.keys)]
    return [secret for secret in secrets if secret]


def _caller(key: sp.GatewayKey, known: frozenset[str]) -> Caller:
    access = access_of(key, known)
    networks = networks_of(key)
    signing = None
    if key.signing is not None and key.signing_secret is not None:
        signing = Signing(Secret(f"signing secret of {key.name}", key.signing_secret), key.signing == "required")
    return Caller(
        key.name,
        key.team or "",
        None if key.routers is None else frozenset(key.routers),
        until=inf if key.expires is None else end_of(key.expires),
        over="" if key.expires is None else f"The gateway key {key.name!r} has expired ({key.expires}).",
        guarded=bool(access or networks or signing),
        access=access,
        networks=networks,
        signing=signing,
        explain=key.explain,
        project=key.project or "",
    )


def _hashed(key: sp.GatewayKey, caller: Caller) -> Iterator[tuple[str, Caller]]:
    """The hashes under which a key is known; the one before it only for a while."""
    if key.hash is not None:
        yield key.hash, caller
    if key.previous is not None:
        until = end_of(key.previous.until)
        if until < caller.until:
            over = f"This secret of the gateway key {key.name!r} was replaced and counted until {moment_text(until)}."
            caller = msgspec.structs.replace(caller, until=until, over=over)
        yield key.previous.hash, caller
