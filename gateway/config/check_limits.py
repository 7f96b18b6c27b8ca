"""Rules about limits: buckets that can be counted, and limits that can ever bite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway.config.buckets import buckets_of, capacity_of, key_rates, listed, period_of
from gateway.config.problem import Path, Problem
from gateway.config.spec import Bucket, KeyLimit, ProviderKey, RateLimit
from gateway.config.subject import Entry, Rule, Subject
from gateway.policy.limits import Scope
from gateway.policy.token_bucket import problem_of


def countable_buckets(subject: Subject) -> Iterator[Problem]:
    for path, bucket in _all_buckets(subject):
        here = (*path, "capacity")
        capacity = capacity_of(bucket)
        if capacity is None:
            if bucket.unit == "usd":
                yield subject.origins.error(
                    "capacity", here, "dollars are counted to the millionth", "write `5`, `0.25`"
                )
            else:
                yield subject.origins.error(
                    "capacity",
                    here,
                    f"{bucket.unit} are counted in whole numbers",
                    "write a whole number, or say `unit: usd`",
                )
        elif period_of(bucket) > 0:
            reason = problem_of(capacity, period_of(bucket))
            if reason is not None:
                yield subject.origins.error(
                    "capacity", here, _in_dollars(reason, bucket), "a rounder number, or a shorter `refill-frequency`"
                )


def _in_dollars(reason: str, bucket: Bucket) -> str:
    return f"in millionths of a dollar, {reason}" if bucket.unit == "usd" else reason


def countable_key_limits(subject: Subject) -> Iterator[Problem]:
    for path, limit in _key_limits(subject):
        found = list(key_rates(limit))
        if not found:
            yield subject.origins.warning(
                "limit-empty", path, "this limit says nothing", "say `requests-per-minute`, `tokens-per-minute` or both"
            )
        for name, make in found:
            try:
                make()
            except ValueError as reason:
                yield subject.origins.error("capacity", (*path, name), str(reason), "a rounder number")


def limits_of_teams(subject: Subject) -> Iterator[Problem]:
    auth = subject.spec.auth
    said = any(key.team for key in auth.keys) or any(one.claims.team or one.teams or one.team for one in auth.jwt)
    if auth.mode == "keys" and said:
        return
    for path, policies in subject.policies:
        if policies.rate_limit is not None and policies.rate_limit.per_team is not None:
            yield subject.origins.warning(
                "limit-without-team",
                (*path, "rate-limit", "per-team"),
                "no caller has a team, so nobody is counted here",
                "say `auth: {mode: keys}`, and give keys a `team`" if auth.mode != "keys" else "give keys a `team`",
                at_key=True,
            )


def limits_in_dollars(subject: Subject) -> Iterator[Problem]:
    """What costs nothing that is known is not limited."""
    entries: dict[Path, list[Entry]] = {}
    for balance in subject.lists:
        entries.setdefault(balance.route, []).extend(balance.entries)
    for path, router in subject.routes:
        limit = router.rate_limit
        counted = [place for place, _, bucket in buckets_of(limit) if bucket.unit == "usd"] if limit is not None else []
        unknown = [
            f"{entry.provider}/{entry.model}"
            for entry in (entries.get(path, ()) if counted else ())
            if entry.model and subject.prices.price(entry.provider, entry.model) is None
        ]
        for place in counted if unknown else ():
            yield subject.origins.warning(
                "limit-unpriced",
                (*path, "rate-limit", *place),
                f"no price is known for {', '.join(dict.fromkeys(unknown))}: requests to it are not counted here",
                "limit `tokens` as well",
            )


class _Bound(msgspec.Struct, frozen=True):
    """A bucket that counts all that another one counts, and more."""

    path: Path
    scope: Scope
    bucket: Bucket


def limits_above_their_parents(subject: Subject) -> Iterator[Problem]:
    """A bucket that another, which counts all the same requests, is always empty before."""
    outer = _bounds(("global", "rate-limit"), subject.spec.global_.rate_limit)
    for path, policies in subject.policies:
        here = (*path, "rate-limit")
        limit = policies.rate_limit
        inherited = () if path == ("global",) else outer
        own = _bounds(here, limit)
        for place, scope, bucket in buckets_of(limit) if limit is not None else ():
            around = [bound for bound in inherited if bound.scope in (scope, "total")]
            around += [bound for bound in own if bound.scope == "total" != scope]
            yield from _inert(subject, (*here, *place), bucket, around)
    for path, bucket in _gateway_key_buckets(subject):
        yield from _inert(subject, path, bucket, [bound for bound in outer if bound.scope in ("per-api-key", "total")])


def _bounds(path: Path, limit: RateLimit | None) -> tuple[_Bound, ...]:
    if limit is None or limit.enforce == "shadow":
        return ()
    return tuple(_Bound((*path, *place), scope, bucket) for place, scope, bucket in buckets_of(limit))


def _inert(subject: Subject, path: Path, bucket: Bucket, around: Sequence[_Bound]) -> Iterator[Problem]:
    for bound in around:
        if is_above(bucket, bound.bucket):
            yield subject.origins.warning(
                "limit-inert",
                path,
                "another limit that counts these requests is lower, and refuses first",
                f"it stands at {subject.origins.place(bound.path)}",
            )
            return


def is_above(bucket: Bucket, bound: Bucket) -> bool:
    """Whether a bucket holds and refills at least as much as another of its unit, and more in one way."""
    capacity, period = capacity_of(bucket), period_of(bucket)
    most, every = capacity_of(bound), period_of(bound)
    if capacity is None or most is None or bucket.unit != bound.unit:
        return False
    if capacity < most or capacity * every < most * period:
        return False
    return capacity > most or capacity * every > most * period


def _gateway_key_buckets(subject: Subject) -> Iterator[tuple[Path, Bucket]]:
    for index, key in enumerate(subject.spec.auth.keys):
        for place, bucket in listed(key.rate_limit):
            yield ("auth", "keys", index, "rate-limit", *place), bucket


def _all_buckets(subject: Subject) -> Iterator[tuple[Path, Bucket]]:
    for path, policies in subject.policies:
        if policies.rate_limit is not None:
            for place, _, bucket in buckets_of(policies.rate_limit):
                yield (*path, "rate-limit", *place), bucket
    ceilings = subject.spec.ceilings
    if ceilings is not None and ceilings.rate_limit is not None:
        for place, _, bucket in buckets_of(ceilings.rate_limit):
            yield ("ceilings", "rate-limit", *place), bucket
    yield from _gateway_key_buckets(subject)


def bucket_durations(subject: Subject) -> Iterator[tuple[Path, str]]:
    """The times in which buckets refill, with their places."""
    for path, bucket in _all_buckets(subject):
        yield (*path, "refill-frequency"), bucket.refill_frequency


def _key_limits(subject: Subject) -> Iterator[tuple[Path, KeyLimit]]:
    for path, keys in (
        *((("providers", name, "keys"), tuned.keys) for name, tuned in subject.spec.providers.items() if tuned),
        *(((*entry.path, "keys"), entry.target.keys) for balance in subject.lists for entry in balance.entries),
    ):
        for index, key in enumerate(keys):
            if isinstance(key, ProviderKey) and key.limit is not None:
                yield (*path, index, "limit"), key.limit


LIMIT_RULES: Final[tuple[Rule, ...]] = (
    countable_buckets,
    countable_key_limits,
    limits_of_teams,
    limits_in_dollars,
    limits_above_their_parents,
)
