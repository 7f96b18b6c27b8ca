"""Rules about who may call, from where, and under which names."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator
from typing import Final

from gateway.config.names import router_name_problem
from gateway.config.problem import Problem
from gateway.config.subject import Rule, Subject


def router_names(subject: Subject) -> Iterator[Problem]:
    # The pattern of the structure lets a line break at the end of a name pass; this does not.
    for name in subject.spec.routers:
        found = router_name_problem(name)
        if found is not None:
            yield subject.origins.error("router-name", ("routers", name), *found, at_key=True)


def open_host(subject: Subject) -> Iterator[Problem]:
    host = subject.spec.server.host
    if subject.spec.auth.mode is None and not is_loopback(host):
        yield subject.origins.error(
            "open-to-the-network",
            ("server", "host"),
            f"`{host[:60]}` can be reached from other machines, and `auth.mode` is not set",
            "say `auth: {mode: keys}` and give callers keys, or `auth: {mode: open}` to let anybody call",
        )


def keys_wanted(subject: Subject) -> Iterator[Problem]:
    auth = subject.spec.auth
    if auth.mode == "keys" and not auth.keys:
        yield subject.origins.error(
            "auth-without-keys",
            ("auth", "mode"),
            "a key is demanded, and there is none",
            "`gateway keys new NAME` makes one and prints the entry for `auth.keys`",
        )
    elif auth.mode != "keys" and auth.keys:
        yield subject.origins.warning(
            "auth-keys-ignored", ("auth", "keys"), "keys are given, and nobody is asked for one", "say `mode: keys`"
        )


def distinct_keys(subject: Subject) -> Iterator[Problem]:
    names: dict[str, int] = {}
    hashes: dict[str, int] = {}
    for index, key in enumerate(subject.spec.auth.keys):
        for what, value, seen in (("name", key.name, names), ("hash", key.hash, hashes)):
            first = seen.setdefault(value, index)
            if first != index:
                place = subject.origins.place(("auth", "keys", first, what))
                yield subject.origins.error(
                    "auth-key-twice",
                    ("auth", "keys", index, what),
                    f"another key has the same {what}",
                    f"it stands at {place}",
                )


def key_routers(subject: Subject) -> Iterator[Problem]:
    for index, key in enumerate(subject.spec.auth.keys):
        for position, name in enumerate(key.routers or ()):
            if name not in subject.spec.routers:
                yield subject.origins.error(
                    "router-unknown",
                    ("auth", "keys", index, "routers", position),
                    f"there is no router `{name[:60]}`",
                    suggest_router(name, subject),
                )


def default_router(subject: Subject) -> Iterator[Problem]:
    name = subject.spec.default_router
    if name is not None and name not in subject.spec.routers:
        yield subject.origins.error(
            "router-unknown", ("default-router",), f"there is no router `{name[:60]}`", suggest_router(name, subject)
        )


def suggest_router(name: str, subject: Subject) -> str:
    """A hint that names the nearest router, or says which there are."""
    close = difflib.get_close_matches(name, subject.spec.routers, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    few = list(subject.spec.routers)[:10]
    return f"there are: {', '.join(few)}" if few else "`routers` has none"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it. A name other than `localhost` is not looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


ACCESS_RULES: Final[tuple[Rule, ...]] = (
    router_names,
    open_host,
    keys_wanted,
    distinct_keys,
    key_routers,
    default_router,
)
