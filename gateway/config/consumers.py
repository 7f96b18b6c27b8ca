"""The consumers that a config knows by name: its keys, teams, projects and routers."""

from __future__ import annotations

from gateway.config.budgets import UNIFIED, Holder
from gateway.config.spec import Spec


def names_of(spec: Spec, kind: Holder) -> set[str]:
    """Those that stand in the config."""
    auth = spec.auth
    names: set[str | None]
    match kind:
        case "key":
            names = {key.name for key in auth.keys}
        case "team":
            names = {key.team for key in auth.keys} | {issuer.team for issuer in auth.jwt}
            names |= {team for issuer in auth.jwt for team in issuer.teams.values()}
        case "project":
            names = {key.project for key in auth.keys} | {issuer.project for issuer in auth.jwt}
        case "router":
            names = {UNIFIED, *spec.routers}
    return {name for name in names if name}


def may_be_named(spec: Spec, kind: Holder, name: str) -> bool:
    """Whether a request may be counted for it: it stands in the config, or tokens may say so."""
    if name in names_of(spec, kind):
        return True
    issuers = spec.auth.jwt
    match kind:
        case "key":
            return any(name.startswith(f"{issuer.name}:") for issuer in issuers)
        case "team":
            return any(issuer.claims.team and not issuer.teams for issuer in issuers)
        case "project":
            return any(issuer.claims.project for issuer in issuers)
        case "router":
            return False
