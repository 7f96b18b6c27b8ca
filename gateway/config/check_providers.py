"""Rules about providers: names, addresses, credentials."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.config.names import provider_name_problem
from gateway.config.problem import Path, Problem, dotted
from gateway.config.subject import Known, Rule, Subject
from gateway.providers.catalog import CATALOG, GENERIC_SURFACES, RESERVED

_PRIVATE_NAMES: Final = (".internal", ".local", ".localhost", ".lan", ".svc", ".home.arpa", ".test")
_OF_THE_CONNECTION: Final = frozenset(
    (
        "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    )
)  # fmt: skip
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def provider_names(subject: Subject) -> Iterator[Problem]:
    for name in subject.spec.providers:
        path = ("providers", name)
        found = provider_name_problem(name)
        if found is not None:
            yield subject.origins.error("provider-name", path, *found, at_key=True)
        elif name in RESERVED:
            yield subject.origins.error(
                "provider-reserved",
                path,
                f"`/{name}` is a path of the gateway itself",
                "choose another name",
                at_key=True,
            )


def complete_definitions(subject: Subject) -> Iterator[Problem]:
    for name in subject.spec.providers:
        if name in CATALOG:
            continue
        tuned = subject.providers[name].tuned
        absent = [key for key, value in (("dialect", tuned.dialect), ("base-url", tuned.base_url)) if value is None]
        if absent:
            yield subject.origins.error(
                "provider-incomplete",
                ("providers", name),
                f"the catalog does not know `{name[:60]}`, so it needs {' and '.join(f'`{key}`' for key in absent)}",
                "`dialect: openai` and `base-url: http://127.0.0.1:8000/v1`, for example",
                at_key=True,
            )


def own_operations(subject: Subject) -> Iterator[Problem]:
    """What a dialect has no words for can neither be asked in it nor be translated to it."""
    for name, tuned in subject.spec.providers.items():
        surface = GENERIC_SURFACES.get(tuned.dialect) if tuned is not None and tuned.dialect is not None else None
        if tuned is None or surface is None:
            continue
        for index, operation in enumerate(tuned.operations or ()):
            if operation not in surface.operations:
                yield subject.origins.warning(
                    "operation-foreign",
                    ("providers", name, "operations", index),
                    f"the dialect `{tuned.dialect}` has no `{operation}`, so it is never asked for it",
                    f"it has: {', '.join(surface.operations)}",
                )


def base_urls(subject: Subject) -> Iterator[Problem]:
    for name, tuned in subject.spec.providers.items():
        if tuned is not None and tuned.base_url is not None:
            yield from _base_url(subject, ("providers", name, "base-url"), tuned.base_url)
    for listed in subject.lists:
        for entry in listed.entries:
            if entry.target.base_url is not None:
                yield from _base_url(subject, (*entry.path, "base-url"), entry.target.base_url)


def _base_url(subject: Subject, path: Path, text: str) -> Iterator[Problem]:
    """The URL itself is not shown: it may hold a password, or come from the environment."""
    url = _split(text)
    if url is None or not url.hostname or re.search(r"[\s\x00-\x1f\x7f\\]", text):
        yield subject.origins.error("base-url", path, "this is not an absolute URL", "`https://host/v1`, for example")
        return
    if url.username is not None or url.password is not None:
        yield subject.origins.error("base-url", path, "credentials do not belong in a URL", "put them under `keys`")
    if url.query or url.fragment or text.endswith(("?", "#")):
        yield subject.origins.error("base-url", path, "a base URL has no query and no fragment")
    if url.scheme == "http" and not _is_near(url.hostname):
        yield subject.origins.warning(
            "base-url-plain", path, "keys and prompts go over the network unencrypted", "write `https://`"
        )


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    return url


def _is_near(host: str) -> bool:
    """Whether a host is on this machine or in a private network, as far as its name says."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_NAMES)
    return address.is_private or address.is_loopback or address.is_link_local


def header_names(subject: Subject) -> Iterator[Problem]:
    for name, tuned in subject.spec.providers.items():
        for header, value in (tuned.headers if tuned else {}).items():
            path = ("providers", name, "headers", header)
            if not _HEADER_NAME.fullmatch(header):
                yield subject.origins.error("header", path, "this cannot be the name of a header", at_key=True)
            elif header.lower() in _OF_THE_CONNECTION:
                yield subject.origins.error(
                    "header", path, f"`{header}` is about the connection, and the gateway's own to say", at_key=True
                )
            elif not value.isprintable() or not value.isascii():
                yield subject.origins.error("header", path, "a header's value has printable ASCII characters alone")


def absent_keys(subject: Subject) -> Iterator[Problem]:
    for absent in subject.loaded.absent:
        yield subject.origins.warning(
            "key-unset",
            absent.path,
            f"{absent.variable} is not set, so this key is absent",
            f"set {absent.variable}, or remove the entry",
        )


def missing_keys(subject: Subject) -> Iterator[Problem]:
    """Of providers that the file names: in `providers`, or first in a router's list."""
    named: dict[str, Path] = {name: ("providers", name) for name in subject.spec.providers}
    for listed in subject.lists:
        for entry in listed.entries:
            if not entry.target.keys:
                named.setdefault(entry.provider, entry.path)
    told = {absent.path[1] for absent in subject.loaded.absent if absent.path[0] == "providers"}
    for name, path in named.items():
        known = subject.providers.get(name)
        if known is None or not known.tuned.enabled or name in told:
            continue
        if known.needs_key() and not known.tuned.keys and not _is_set(known.variables(), subject):
            yield subject.origins.warning(
                "key-missing", path, f"`{name}` has no key, so it serves nothing for now", _key_hint(known)
            )


def _is_set(variables: tuple[str, ...], subject: Subject) -> bool:
    return any(name in subject.loaded.variables for name in variables)


def _key_hint(known: Known) -> str:
    where = f"`{dotted(('providers', known.name, 'keys'))}`"
    return f"set {known.variables()[0]}, or give {where}" if known.variables() else f"give {where}"


def account_addresses(subject: Subject) -> Iterator[Problem]:
    """A provider whose address depends on an account needs to be told which."""
    named: dict[str, Path] = {name: ("providers", name) for name in subject.spec.providers}
    for listed in subject.lists:
        for entry in listed.entries:
            if entry.target.base_url is None:
                named.setdefault(entry.provider, entry.path)
    for name, path in named.items():
        known = subject.providers.get(name)
        absent = [
            variables[0] for variables in (known.origin_variables() if known else ()) if not _is_set(variables, subject)
        ]
        if absent:
            yield subject.origins.warning(
                "address-unset",
                path,
                f"the address of `{name}` depends on {absent[0]}, which is not set",
                f"set it, or give `{dotted(('providers', name, 'base-url'))}`",
            )


PROVIDER_RULES: Final[tuple[Rule, ...]] = (
    provider_names,
    complete_definitions,
    own_operations,
    base_urls,
    header_names,
    absent_keys,
    missing_keys,
    account_addresses,
)
