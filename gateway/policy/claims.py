"""What the claims of a verified token say: whether it is good now, and who its bearer is.

Pure, and after the signature: nothing here makes a token good that was not signed. Law: a claim that is missing or
of another kind than expected never widens what its bearer may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

Claims = Mapping[str, object]
"""As decoded from JSON: an issuer's own claims have any name and shape."""

_NAME_LENGTH: Final = 128


class ClaimError(Exception):
    """Why a token is not accepted. message: for the client, nothing of the token quoted. known: it is good, but
    admits its bearer to nothing."""

    def __init__(self, message: str, *, known: bool = False) -> None:
        super().__init__(message)
        self.message: Final = message
        self.known: Final = known


class ClaimRules(msgspec.Struct, frozen=True):
    """What one issuer's tokens must say, and which claims name the bearer.

    audiences: one of them must be in `aud`. leeway: seconds of difference between clocks. required: claims that must
    be there. name, team, routers: the claims with the bearer's name, team and routers, `` where none has them. teams:
    from a group in the team's claim to a team of the gateway, in order of preference; empty to take the claim as it is.
    default_team: without a team's claim. only_routers: those that any of its tokens may use, None for every route.
    project, default_project: the claim with the bearer's project, and the one without it.
    """

    issuer: str
    audiences: frozenset[str]
    leeway: float = 30.0
    required: tuple[str, ...] = ()
    name: str = "sub"
    team: str = ""
    routers: str = ""
    teams: Mapping[str, str] = {}
    default_team: str = ""
    only_routers: frozenset[str] | None = None
    project: str = ""
    default_project: str = ""


class Bearer(msgspec.Struct, frozen=True):
    """Who bears a good token. until: the Unix second from which it is not good any more, leeway included."""

    name: str
    team: str
    routers: frozenset[str] | None
    until: float
    project: str = ""


def bearer_of(claims: Claims, rules: ClaimRules, now: float) -> Bearer:
    """now: Unix seconds. ClaimError when the token is not for us, not for now, or for nobody."""
    if claims.get("iss") != rules.issuer:
        raise ClaimError("The token is of another issuer.")
    if rules.audiences.isdisjoint(_texts(claims.get("aud"))):
        raise ClaimError("The token is for another audience (aud).")
    until = _seconds(claims, "exp")
    if until is None:
        raise ClaimError("The token does not say when it expires (exp).")
    if now >= until + rules.leeway:
        raise ClaimError("The token has expired.")
    for claim in ("nbf", "iat"):
        begins = _seconds(claims, claim)
        if begins is not None and begins > now + rules.leeway:
            raise ClaimError(f"The token is not valid yet ({claim}).")
    for claim in rules.required:
        if _find(claims, claim) in (None, "", [], {}):
            raise ClaimError(f"The token has no claim {claim!r}.")
    return Bearer(
        _name(claims, rules),
        _team(claims, rules),
        _routers(claims, rules),
        until + rules.leeway,
        _project(claims, rules),
    )


def _name(claims: Claims, rules: ClaimRules) -> str:
    name = _find(claims, rules.name)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LENGTH or not name.isprintable():
        raise ClaimError(f"The token does not name its bearer (claim {rules.name!r}).")
    return name


def _team(claims: Claims, rules: ClaimRules) -> str:
    if not rules.team:
        return rules.default_team
    groups = _texts(_find(claims, rules.team))
    if not rules.teams:
        return groups[0] if groups else rules.default_team
    for group, team in rules.teams.items():
        if group in groups:
            return team
    if rules.default_team:
        return rules.default_team
    raise ClaimError(f"No group in the token's claim {rules.team!r} is one of a team here.", known=True)


def _project(claims: Claims, rules: ClaimRules) -> str:
    """The first that its claim names. One that cannot be a name is refused: it would be somebody else's bill."""
    named = _texts(_find(claims, rules.project))[:1] if rules.project else []
    if not named:
        return rules.default_project
    if not 0 < len(named[0]) <= _NAME_LENGTH or not named[0].isprintable():
        raise ClaimError(f"The token does not name a project (claim {rules.project!r}).")
    return named[0]


def _routers(claims: Claims, rules: ClaimRules) -> frozenset[str] | None:
    if not rules.routers:
        return rules.only_routers
    value = _find(claims, rules.routers)
    named = frozenset(value.split() if isinstance(value, str) else _texts(value))
    return named if rules.only_routers is None else named & rules.only_routers


def _find(claims: Claims, name: str) -> object:
    """A claim by its name; where there is none, by its path: Keycloak's `realm_access.roles`. Names with dots of
    their own, such as `https://example.com/team`, come first."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _texts(value: object) -> list[str]:
    """Text, or a list of texts; nothing of anything else."""
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _seconds(claims: Claims, name: str) -> float | None:
    """A time. ClaimError for what is there and is none: it must not pass for a claim that is missing."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimError(f"The token's claim {name!r} is not a time.")
    return float(value) if abs(value) < 1e15 else 1e15 if value > 0 else -1e15
