"""Rules about where the gateway is reached, and under which names."""

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
    default_router,
)
