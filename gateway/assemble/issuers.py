"""From `auth.jwt` to the reader of tokens. Imported only for a config that has issuers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.assemble.access import access_of, key_set_name, networks_of
from gateway.config import spec as sp
from gateway.core.units import seconds
from gateway.pipeline.tokens import FixedKeys, Issuer, KeySource, Tokens
from gateway.policy.claims import ClaimRules
from gateway.policy.token import read_keys
from gateway.runtime import Runtime
from gateway.upstream.key_set import KeySet


def tokens_of(issuers: Sequence[sp.JwtIssuer], known: frozenset[str], runtime: Runtime) -> Tokens:
    """known: the providers that can be named. Key sets that the runtime has go on being used."""
    return Tokens(
        {
            issuer.issuer: Issuer(
                issuer.name,
                frozenset(issuer.algorithms),
                _rules(issuer),
                _keys(issuer, runtime),
                access_of(issuer, known),
                networks_of(issuer),
            )
            for issuer in issuers
        }
    )


def _rules(issuer: sp.JwtIssuer) -> ClaimRules:
    audience = issuer.audience
    return ClaimRules(
        issuer=issuer.issuer,
        audiences=frozenset((audience,) if isinstance(audience, str) else audience),
        leeway=seconds(issuer.leeway),
        required=issuer.required_claims,
        name=issuer.claims.name,
        team=issuer.claims.team or "",
        routers=issuer.claims.routers or "",
        teams=issuer.teams,
        default_team=issuer.team or "",
        project=issuer.claims.project or "",
        default_project=issuer.project or "",
        only_routers=None if issuer.routers is None else frozenset(issuer.routers),
    )


def _keys(issuer: sp.JwtIssuer, runtime: Runtime) -> KeySource:
    if issuer.jwks_file is not None:
        return FixedKeys(read_keys(Path(issuer.jwks_file).read_bytes(), issuer.algorithms))
    name = key_set_name(issuer)
    keys = runtime.key_sets.get(name)
    if keys is None:
        keys = runtime.key_sets[name] = KeySet(
            runtime.clock,
            runtime.transport,
            issuer.issuer,
            issuer.jwks_url or "",
            issuer.algorithms,
            lambda event, fields: runtime.log.write("warning" if "not" in event else "info", event, fields),
        )
    return keys
