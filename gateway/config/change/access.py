"""Who may call, and what each may reach."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from gateway.config.change.comparison import At, Comparison, attribute, shown
from gateway.config.change.money import compare_budgets
from gateway.config.change.policies import compare_buckets
from gateway.config.spec import AuthSettings, GatewayKey, JwtIssuer
from gateway.core.moments import end_of

_LISTS: Final = ("routers", "models", "providers", "networks")
_ISSUER: Final = ("jwks-url", "jwks-file", "claims", "leeway", "name")
_KNOWN: Final = ("mode", "pepper", "keys", "keys_file", "jwt")
_KNOWN_OF_KEYS: Final = (
    *_LISTS, "name", "hash", "previous", "team", "project", "rate_limit", "budget", "expires", "created", "signing",
    "signing_secret",
)  # fmt: skip
_KNOWN_OF_ISSUERS: Final = (
    *_LISTS, *map(attribute, _ISSUER), "issuer", "audience", "algorithms", "required_claims", "teams", "team",
    "project",
)  # fmt: skip
Names = tuple[str, ...] | None


def compare_access(found: Comparison) -> None:
    """All of `auth`."""
    old, new = found.left.spec.auth, found.right.spec.auth
    at = At("gateway", ("auth",), ("auth",))
    _mode(found, at.at("mode"), old.mode, new.mode)
    found.plain("auth-pepper", at.at("pepper"), old.pepper, new.pepper, secret=True)
    _keys(found, old, new)
    _issuers(found, old, new)
    found.rest(at, old, new, _KNOWN)


def _mode(found: Comparison, at: At, old: str | None, new: str | None) -> None:
    code = "auth-closed" if new == "keys" else "auth-opened" if old == "keys" else "auth-said"
    found.plain(code, at, old or "open on loopback", new or "open on loopback")


def _keys(found: Comparison, old: AuthSettings, new: AuthSettings) -> None:
    olds = {key.name: (index, key) for index, key in enumerate(old.keys)}
    news = {key.name: (index, key) for index, key in enumerate(new.keys)}
    for name in dict.fromkeys((*olds, *news)):
        about = f"key {name}"
        if name not in news:
            found.note("key-removed", At(about, ("auth", "keys", olds[name][0]), None), f"`{name}` is removed")
        elif name not in olds:
            reach = shown(news[name][1].routers) if news[name][1].routers is not None else "every route"
            found.note("key-added", At(about, None, ("auth", "keys", news[name][0])), f"`{name}` may use {reach}")
        else:
            (old_index, first), (new_index, second) = olds[name], news[name]
            _key(found, At(about, ("auth", "keys", old_index), ("auth", "keys", new_index)), first, second)


def _key(found: Comparison, at: At, old: GatewayKey, new: GatewayKey) -> None:
    rotated = new.previous is not None and new.previous.hash == old.hash
    found.plain("key-rotated" if rotated else "key-replaced", at.at("hash"), old.hash, new.hash, secret=True)
    if not rotated:
        _previous(found, at.at("previous"), old, new)
    compare_expiry(found, at.at("expires"), old.expires, new.expires)
    found.plain("key-team", at.at("team"), old.team, new.team)
    found.plain("key-project", at.at("project"), old.project, new.project)
    required = new.signing == "required"
    found.plain("key-signing-required" if required else "key-signing", at.at("signing"), old.signing, new.signing)
    found.plain("key-signing-secret", at.at("signing-secret"), old.signing_secret, new.signing_secret, secret=True)
    compare_buckets(found, at.at("rate-limit"), old.rate_limit, new.rate_limit)
    compare_budgets(found, at.at("budget"), old.budget, new.budget)
    _reach(found, at, old, new)
    found.rest(at, old, new, _KNOWN_OF_KEYS)


def _previous(found: Comparison, at: At, old: GatewayKey, new: GatewayKey) -> None:
    before, after = old.previous, new.previous
    if after is None or (before is not None and before.hash == after.hash and _end(after.until) < _end(before.until)):
        if before is not None:
            found.note("key-retired", at, f"the secret before counts until {after.until if after else 'no longer'}")
    elif before is None or before.hash != after.hash or _end(after.until) > _end(before.until):
        found.note("key-retained", at, f"a secret before counts until {after.until}")


def compare_expiry(found: Comparison, at: At, old: str | None, new: str | None) -> None:
    """When a key is no longer good."""
    before, after = _end(old), _end(new)
    code = "key-expires-sooner" if after < before else "key-expires-later"
    if before != after or found.is_referenced(at):
        found.plain(code, at, old or "never", new or "never")


def _end(moment: str | None) -> float:
    """Unix seconds; never for none, and for what is no moment."""
    try:
        return float("inf") if moment is None else end_of(moment)
    except ValueError:
        return float("inf")


def _issuers(found: Comparison, old: AuthSettings, new: AuthSettings) -> None:
    olds = _by_issuer(old.jwt)
    news = _by_issuer(new.jwt)
    for name in dict.fromkeys((*olds, *news)):
        about = f"issuer {name[0]}"
        if name not in news:
            found.note("issuer-removed", At(about, ("auth", "jwt", olds[name][0]), None), f"`{name[0]}` is removed")
        elif name not in olds:
            found.note("issuer-added", At(about, None, ("auth", "jwt", news[name][0])), f"`{name[0]}` is added")
        else:
            (old_index, first), (new_index, second) = olds[name], news[name]
            _issuer(found, At(about, ("auth", "jwt", old_index), ("auth", "jwt", new_index)), first, second)


def _by_issuer(issuers: Sequence[JwtIssuer]) -> dict[tuple[str, int], tuple[int, JwtIssuer]]:
    """By the issuer, and which of the entries of the same issuer it is."""
    found: dict[tuple[str, int], tuple[int, JwtIssuer]] = {}
    for index, issuer in enumerate(issuers):
        nth = sum(other == issuer.issuer for other, _ in found)
        found[issuer.issuer, nth] = (index, issuer)
    return found


def _issuer(found: Comparison, at: At, old: JwtIssuer, new: JwtIssuer) -> None:
    fewer_is_less = ("issuer-narrowed", "issuer-widened")
    _sets(found, at.at("audience"), _several(old.audience), _several(new.audience), fewer_is_less)
    _sets(found, at.at("algorithms"), old.algorithms, new.algorithms, fewer_is_less)
    fewer_is_more = ("issuer-widened", "issuer-narrowed")
    _sets(found, at.at("required-claims"), old.required_claims, new.required_claims, fewer_is_more)
    for key in _ISSUER:
        before, after = getattr(old, attribute(key)), getattr(new, attribute(key))
        if found.differ(at.at(key), before, after, key == "leeway"):
            found.note("issuer-changed", at.at(key), f"`{key}` is another")
    # Their order has a meaning: the first group that fits decides.
    if tuple(old.teams.items()) != tuple(new.teams.items()):
        found.note("issuer-changed", at.at("teams"), "`teams` is another")
    found.plain("key-team", at.at("team"), old.team, new.team)
    found.plain("key-project", at.at("project"), old.project, new.project)
    _reach(found, at, old, new)
    found.rest(at, old, new, _KNOWN_OF_ISSUERS)


def _reach(found: Comparison, at: At, old: GatewayKey | JwtIssuer, new: GatewayKey | JwtIssuer) -> None:
    for key in _LISTS:
        covers = _COVERS.get(key, _equal)
        _narrowing(found, at.at(key), getattr(old, key), getattr(new, key), covers)


def _narrowing(found: Comparison, at: At, old: Names, new: Names, covers: Callable[[str, str], bool]) -> None:
    """None is all there are."""
    name = at.new[-1] if at.new else "list"
    lost = new is not None and (old is None or _not_covered(old, new, covers))
    won = old is not None and (new is None or _not_covered(new, old, covers))
    if lost:
        less = f"`{name}`: only {shown(new)}" if old is None else f"`{name}`: no {shown(lost)}"
        found.note("access-narrowed", at, less)
    if won:
        more = f"`{name}`: all" if new is None else f"`{name}`: {shown(won)} too"
        found.note("access-widened", at, more)


def _sets(found: Comparison, at: At, old: Sequence[str], new: Sequence[str], codes: tuple[str, str]) -> None:
    """codes: for what has gone, and for what has come."""
    name = at.new[-1] if at.new else "list"
    gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    if gone:
        found.note(codes[0], at, f"`{name}`: no {shown(gone)}")
    if come:
        found.note(codes[1], at, f"`{name}`: {shown(come)} too")


def _several(names: Sequence[str] | str) -> Sequence[str]:
    return (names,) if isinstance(names, str) else names


def _not_covered(names: Sequence[str], by: Sequence[str], covers: Callable[[str, str], bool]) -> list[str]:
    return [name for name in names if not any(covers(other, name) for other in by)]


def _equal(wide: str, narrow: str) -> bool:
    return wide == narrow


def _pattern(wide: str, narrow: str) -> bool:
    """Whether all that one pattern matches, the other does. A pattern with brackets covers itself alone."""
    return wide == narrow or ("[" not in wide and "?" not in wide and fnmatchcase(narrow, wide))


def _network(wide: str, narrow: str) -> bool:
    try:
        outer, inner = ipaddress.ip_network(wide, strict=False), ipaddress.ip_network(narrow, strict=False)
    except ValueError:
        return wide == narrow
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, ipaddress.IPv6Network) and inner.subnet_of(outer)


_COVERS: Final = {"models": _pattern, "networks": _network}
