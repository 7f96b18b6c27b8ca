"""Rules about caches: directives that make no sense, and caches that can never give an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.problem import Path, Problem
from gateway.config.spec import Cache
from gateway.config.subject import Rule, Subject
from gateway.core.units import size_in_bytes
from gateway.policy.cache_control import mistakes, read_directive


def _caches(subject: Subject) -> Iterator[tuple[Path, Cache]]:
    for path, policies in subject.policies:
        if policies.cache is not None:
            yield (*path, "cache"), policies.cache


def directives(subject: Subject) -> Iterator[Problem]:
    for path, cache in _caches(subject):
        found = list(mistakes(cache.directive))
        for message, hint in found:
            yield subject.origins.error("cache-directive", (*path, "directive"), message, hint)
        if found:
            continue
        directive = read_directive(cache.directive)
        if directive.kept_for <= 0 and not directive.no_store:
            yield subject.origins.warning(
                "cache-inert",
                (*path, "directive"),
                "no answer is ever given again",
                "`max-age=3600`, for example; `no-store` where there is to be no cache",
            )
        if directive.no_cache and (directive.stale_while_revalidate or directive.max_stale):
            yield subject.origins.warning(
                "cache-inert",
                (*path, "directive"),
                "with `no-cache`, only `stale-if-error` has an effect beside it",
                "remove `no-cache`, or what stands beside it",
            )


def sizes(subject: Subject) -> Iterator[Problem]:
    for path, cache in _caches(subject):
        largest, whole = size_in_bytes(cache.max_entry_size), size_in_bytes(cache.max_size)
        for key, size in (("max-entry-size", largest), ("max-size", whole)):
            if not size:
                yield subject.origins.error("cache-size", (*path, key), "must be larger than 0", "`1MiB`, for example")
        written = [key for key in ("max-entry-size", "max-size") if subject.origins.node((*path, key)) is not None]
        if largest > whole > 0 and written:
            yield subject.origins.warning(
                "cache-size",
                (*path, written[0]),
                f"an answer may be larger (`max-entry-size`: {cache.max_entry_size}) than the whole cache "
                f"(`max-size`: {cache.max_size})",
            )
        if "max-size" in written and subject.spec.store.url != "memory://":
            yield subject.origins.warning(
                "cache-size-elsewhere",
                (*path, "max-size"),
                "bounds caches in memory only, and this one is in Redis",
                "set `maxmemory` and an eviction policy such as `allkeys-lru` there",
            )


def scopes(subject: Subject) -> Iterator[Problem]:
    auth = subject.spec.auth
    for path, cache in _caches(subject):
        if cache.scope == "team" and auth.mode != "keys":
            yield subject.origins.warning(
                "cache-without-teams",
                (*path, "scope"),
                "nobody has a team, because `auth.mode` is not `keys`: each caller has a cache of its own",
                "`scope: caller` says the same; `scope: router` shares answers among all",
            )


CACHE_RULES: Final[tuple[Rule, ...]] = (directives, sizes, scopes)
