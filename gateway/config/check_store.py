"""Rules about the shared store: an address that can be read, and limits that each process would keep by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

from gateway.config.problem import Problem
from gateway.config.store_url import read_store_url
from gateway.config.subject import Rule, Subject


def store_address(subject: Subject) -> Iterator[Problem]:
    path = ("store", "url")
    try:
        url = read_store_url(subject.spec.store.url)
    except ValueError as reason:
        # The address itself is not shown: it may hold a password.
        yield subject.origins.error(
            "store-url", path, f"this address cannot be used: {reason}", "`redis://:PASSWORD@host:6379/0`, for example"
        )
        return
    if url.ca_certs and not FilePath(url.ca_certs).is_file():
        yield subject.origins.error(
            "store-file", path, f"there is no file `{url.ca_certs[:200]}`", "give `ssl_ca_certs` the path of a PEM file"
        )


def limits_of_each_worker(subject: Subject) -> Iterator[Problem]:
    spec = subject.spec
    if spec.server.workers == 1 or not spec.store.url.startswith("memory:"):
        return
    for path, policies in subject.policies:
        if policies.rate_limit is not None:
            yield subject.origins.warning(
                "limits-per-process",
                (*path, "rate-limit"),
                f"each of {spec.server.workers} workers counts by itself, so so many times as much gets through",
                "give `store` a Redis, or let `server.workers` be 1",
                at_key=True,
            )


STORE_RULES: Final[tuple[Rule, ...]] = (store_address, limits_of_each_worker)
