"""Rules about the admin API: where it is reached, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.check_access import is_loopback
from gateway.config.check_keys import SOON
from gateway.config.problem import Path, Problem
from gateway.config.subject import Rule, Subject
from gateway.core.moments import end_of

_ADMIN: Final = ("admin",)


def admin_reach(subject: Subject) -> Iterator[Problem]:
    admin, server = subject.spec.admin, subject.spec.server
    if admin is None:
        return
    if admin.host is not None and admin.port is None:
        yield subject.origins.error(
            "admin-host-alone",
            ("admin", "host"),
            "the admin API has an address of its own and no port of its own",
            "give `port` too, or leave `host` out: it is then served where everything else is",
        )
        return
    if admin.port is not None and admin.port == server.port:
        yield subject.origins.error(
            "admin-port-taken",
            ("admin", "port"),
            "this is the port of `server`",
            "give another, or leave `port` out: the admin API is then on that of `server`",
        )
    host = server.host if admin.host is None else admin.host
    if not admin.keys and not is_loopback(host):
        own = admin.host is not None
        yield subject.origins.error(
            "admin-open",
            ("admin", "host") if own else _ADMIN,
            f"`{host[:60]}` can be reached from other machines, and nobody is asked for an admin key",
            "`gateway keys new NAME --admin read` makes one and prints the entry for `admin.keys`",
            at_key=not own,
        )


def admin_keys(subject: Subject) -> Iterator[Problem]:
    spec = subject.spec
    if spec.admin is None:
        return
    names: dict[str, Path] = {}
    hashes: dict[str, Path] = {}
    for index, caller in enumerate(spec.auth.keys):
        for text in (caller.hash, None if caller.previous is None else caller.previous.hash):
            if text is not None:
                hashes[text] = ("auth", "keys", index)
    for index, key in enumerate(spec.admin.keys):
        path: Path = ("admin", "keys", index)
        for seen, what, value in ((names, "name", key.name), (hashes, "hash", key.hash)):
            first = seen.setdefault(value, path)
            if first != path:
                yield subject.origins.error(
                    "admin-key-twice",
                    (*path, what),
                    f"another key has the same {what}",
                    f"it stands at {subject.origins.place(first)}",
                )
        if key.hash.startswith("hmac-") and spec.auth.pepper is None:
            yield subject.origins.error(
                "pepper-missing",
                (*path, "hash"),
                "the hash is keyed, and there is no `auth.pepper`",
                "give the pepper that it was made with, as `auth: {pepper: '${env:GATEWAY_PEPPER}'}`",
            )
        if key.expires is not None:
            yield from _expiry(subject, (*path, "expires"), key.name, key.expires)


def _expiry(subject: Subject, path: Path, name: str, text: str) -> Iterator[Problem]:
    try:
        end = end_of(text)
    except (ValueError, OverflowError):
        yield subject.origins.error(
            "moment-wrong", path, f"the calendar has no `{text}`", "write `2027-01-31`, or with a time and `Z`"
        )
        return
    if subject.now is not None and end - subject.now < SOON:
        over = end <= subject.now
        yield subject.origins.warning(
            "key-expired" if over else "key-expires",
            path,
            f"`{name}` has expired" if over else f"`{name}` expires within 14 days",
            f"`gateway keys new {name} --admin ROLE` makes another, or remove the entry",
        )


ADMIN_RULES: Final[tuple[Rule, ...]] = (admin_reach, admin_keys)
