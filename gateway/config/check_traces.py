"""Rules about `traces`: where spans go, and which providers are told of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from gateway.config.check_access import is_loopback
from gateway.config.problem import Path, Problem
from gateway.config.subject import Rule, Subject

_HEADER_CHARACTERS: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def where_traces_go(subject: Subject) -> Iterator[Problem]:
    traces = subject.spec.traces
    if traces is not None and traces.endpoint is not None:
        yield from outgoing_address(subject, ("traces", "endpoint"), traces.endpoint)


def headers_of_traces(subject: Subject) -> Iterator[Problem]:
    headers = subject.spec.traces.headers if subject.spec.traces is not None else {}
    for name, value in headers.items():
        if not name or not _HEADER_CHARACTERS.issuperset(name) or not (value.isascii() and value.isprintable()):
            # The value itself is not shown: it is likely to be a credential.
            yield subject.origins.error(
                "header-invalid",
                ("traces", "headers", name),
                "this cannot be sent as a header",
                "a name has letters, digits and dashes, a value ASCII without line breaks",
                at_key=True,
            )


def traced_providers(subject: Subject) -> Iterator[Problem]:
    named = subject.spec.traces.propagate_to if subject.spec.traces is not None else ()
    for index, name in enumerate(named):
        if name not in subject.providers:
            close = difflib.get_close_matches(name, subject.providers, n=1)
            yield subject.origins.error(
                "provider-unknown",
                ("traces", "propagate-to", index),
                f"there is no provider `{name}`",
                f"did you mean `{close[0]}`?" if close else "define it under `providers`",
            )


def outgoing_address(subject: Subject, path: Path, url: str) -> Iterator[Problem]:
    """What is wrong with an address that the gateway itself posts to. It is not shown: it may hold a credential."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = None, ""
    if parts is None or not host or not url.isascii() or not url.isprintable() or " " in url:
        yield subject.origins.error("address-invalid", path, "this is no URL", "write `https://host/path`")
    elif parts.username is not None:
        yield subject.origins.error(
            "address-invalid", path, "a name or a password stands in this URL", "send it as a header, or as the secret"
        )
    elif parts.scheme == "http" and not is_loopback(host):
        yield subject.origins.warning(
            "address-plain",
            path,
            "this is sent without TLS, so whoever is on the way reads it and may change it",
            "write `https://`, where it is not a host of your own network",
        )


TRACE_RULES: Final[tuple[Rule, ...]] = (where_traces_go, headers_of_traces, traced_providers)
