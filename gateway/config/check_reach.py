"""Rules about who reaches what: routers, providers and keys that lead nowhere.

Without keys everybody reaches everything, each provider at `/<provider>/` included, and nothing here applies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.config.check_keys import holders
from gateway.config.problem import Path, Problem
from gateway.config.spec import JwtIssuer
from gateway.config.subject import Rule, Subject


class _Holder(msgspec.Struct, frozen=True):
    """What a key may use, None for all. A token whose claims name its routers counts as one that may use all."""

    path: Path
    routers: frozenset[str] | None
    providers: frozenset[str] | None


def used_routers(subject: Subject) -> Iterator[Problem]:
    known = _holders(subject)
    if not known or any(holder.routers is None for holder in known):
        return
    used = frozenset[str]().union(*(holder.routers or () for holder in known))
    for name in subject.spec.routers:
        if name not in used:
            yield subject.origins.warning(
                "router-unreachable",
                ("routers", name),
                "no key and no token may use this router",
                "name it in `routers` of an entry of `auth.keys`, or remove it",
                at_key=True,
            )


def used_providers(subject: Subject) -> Iterator[Problem]:
    known = _holders(subject)
    if not known:
        return
    listed = _listed(subject)
    for name, tuned in subject.spec.providers.items():
        if (tuned is None or tuned.enabled) and not any(_reaches(holder, name, listed) for holder in known):
            yield subject.origins.warning(
                "provider-unreachable",
                ("providers", name),
                "nobody reaches this provider: no router that anybody may use lists it, and nobody may use it directly",
                "list it in a router, or remove it",
                at_key=True,
            )


def _reaches(holder: _Holder, provider: str, listed: dict[str, set[str]]) -> bool:
    if holder.providers is not None and provider not in holder.providers:
        return False
    return holder.routers is None or any(provider in listed.get(router, ()) for router in holder.routers)


def keys_that_lead_somewhere(subject: Subject) -> Iterator[Problem]:
    listed = _listed(subject)
    for holder in _holders(subject):
        if not holder.routers or not holder.providers or not holder.routers <= set(listed):
            continue
        if not any(listed[router] & holder.providers for router in holder.routers):
            yield subject.origins.warning(
                "key-without-router",
                (*holder.path, "providers"),
                "none of its routers lists any of these providers, so it can call nothing",
                f"its routers list: {', '.join(sorted(set().union(*(listed[name] for name in holder.routers))))}",
                at_key=True,
            )


def _holders(subject: Subject) -> list[_Holder]:
    if subject.spec.auth.mode != "keys":
        return []
    return [
        _Holder(
            path,
            None if isinstance(one, JwtIssuer) and one.claims.routers else _set(one.routers),
            _set(one.providers),
        )
        for path, one in holders(subject)
    ]


def _set(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _listed(subject: Subject) -> dict[str, set[str]]:
    """The providers of each router that has any."""
    listed: dict[str, set[str]] = {}
    for balance in subject.lists:
        if balance.route[0] == "routers":
            listed.setdefault(str(balance.route[1]), set()).update(entry.provider for entry in balance.entries)
    return listed


REACH_RULES: Final[tuple[Rule, ...]] = (used_routers, used_providers, keys_that_lead_somewhere)
