"""Rules about what a platform lets teams do: ceilings that no router may go beyond, and files that define what is
theirs."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from gateway.config.buckets import buckets_of, capacity_of, period_of
from gateway.config.check_budget_ceilings import budgets_within
from gateway.config.ownership import definitions, may_define, owners_of
from gateway.config.problem import Path, Problem
from gateway.config.spec import Bucket, Ceilings, Privacy, RateLimit
from gateway.config.subject import Rule, Subject, split_target
from gateway.policy.limits import Scope

_SCOPES: Final = ("caller", "team", "router")
_PRIVACY: Final = ("none", "metadata", "full")
_CEILINGS: Final = Ceilings()


def limits_within(subject: Subject) -> Iterator[Problem]:
    """A limit that is absent, or only counts in the shadow, is above any."""
    ceilings = _ceilings(subject).rate_limit
    if ceilings is None:
        return
    for place, scope, most in buckets_of(ceilings):
        everywhere = subject.spec.global_.rate_limit
        if any(_is_within(bucket, most) for _, bucket in _enforced(everywhere, scope, most)):
            continue
        for path, route in subject.routes:
            found = list(_enforced(route.rate_limit, scope, most))
            if any(_is_within(bucket, most) for _, bucket in found):
                continue
            if not found and path == ("unified-api",) and subject.origins.node(path) is None:
                continue
            yield subject.origins.error(
                "ceiling-limit",
                (*path, "rate-limit", *found[0][0]) if found else path,
                f"this allows more than the ceiling of {_shown(most)}"
                if found
                else f"no limit `{scope}` in {most.unit} is enforced, and the ceiling is {_shown(most)}",
                f"the ceiling stands at {subject.origins.place(('ceilings', 'rate-limit', *place))}; "
                f"hold at most so many, and refill no faster",
                at_key=not found,
            )


def _enforced(limit: RateLimit | None, scope: Scope, most: Bucket) -> Iterator[tuple[Path, Bucket]]:
    if limit is not None and limit.enforce == "enforce":
        for place, found, bucket in buckets_of(limit):
            if found == scope and bucket.unit == most.unit:
                yield place, bucket


def _is_within(bucket: Bucket, most: Bucket) -> bool:
    """Whether it never lets more through than the other in any time."""
    capacity, bound = capacity_of(bucket), capacity_of(most)
    if capacity is None or bound is None:
        # That is a problem by itself.
        return True
    return capacity <= bound and capacity * period_of(most) <= bound * period_of(bucket)


def _shown(bucket: Bucket) -> str:
    return f"{bucket.capacity:g} {bucket.unit} per {bucket.refill_frequency}"


def providers_allowed(subject: Subject) -> Iterator[Problem]:
    allowed = _ceilings(subject).providers
    if allowed is None:
        return
    for listed in subject.lists:
        for entry in listed.entries:
            if entry.provider in subject.providers and not _matches(allowed, entry.provider):
                yield subject.origins.error(
                    "ceiling-provider",
                    entry.path,
                    f"`ceilings` do not allow the provider `{entry.provider[:60]}`",
                    f"allowed: {', '.join(allowed)}",
                )
            elif entry.target.base_url is not None:
                # Its name is allowed; who answers at another address, and is sent the key, may be anybody.
                yield subject.origins.error(
                    "ceiling-provider",
                    (*entry.path, "base-url"),
                    "with `ceilings.providers`, a target may have no address of its own",
                    "define a provider with this `base-url`, and allow it by name",
                )


def models_allowed(subject: Subject) -> Iterator[Problem]:
    allowed = _ceilings(subject).models
    if allowed is None:
        return
    named = [
        (entry.path, f"{entry.provider}/{entry.model}")
        for listed in subject.lists
        for entry in listed.entries
        if entry.model
    ]
    for path, policies in subject.policies:
        for model, meanings in (policies.model_mappings or {}).items():
            here = (*path, "model-mappings", model)
            if isinstance(meanings, str):
                named.append((here, meanings))
            else:
                named += [((*here, index), meaning) for index, meaning in enumerate(meanings)]
    for place, name in named:
        bare = split_target(name)[1] or name
        if not _matches(allowed, name) and not _matches(allowed, bare):
            yield subject.origins.error(
                "ceiling-model",
                place,
                f"`ceilings` do not allow the model `{name[:60]}`",
                f"allowed: {', '.join(allowed)}",
            )


def cache_scopes(subject: Subject) -> Iterator[Problem]:
    widest = _ceilings(subject).cache_scope
    if widest is None:
        return
    for path, policies in subject.policies:
        cache = policies.cache
        if cache is not None and _SCOPES.index(cache.scope) > _SCOPES.index(widest):
            yield subject.origins.error(
                "ceiling-cache",
                (*path, "cache", "scope"),
                f"`ceilings` do not allow a cache of scope `{cache.scope}`",
                f"`scope: {widest}` is the widest",
            )


def privacy(subject: Subject) -> Iterator[Problem]:
    most = _ceilings(subject).privacy
    if most is None:
        return
    spec = subject.spec
    said = [((*path, "privacy", "log"), policies.privacy) for path, policies in subject.policies if policies.privacy]
    if spec.audit is not None and spec.global_.privacy is None:
        # What holds for whoever says nothing, the direct routes at `/<provider>/` among them.
        said.append((("global", "privacy", "log"), Privacy()))
    for place, found in said:
        if _PRIVACY.index(found.log) > _PRIVACY.index(most):
            yield subject.origins.error(
                "ceiling-privacy",
                place,
                f"`ceilings` do not allow the audit log to have `{found.log}`",
                f"`log: {most}` is the most",
            )


def auth_mode(subject: Subject) -> Iterator[Problem]:
    wanted = _ceilings(subject).auth_mode
    if wanted is not None and subject.spec.auth.mode != wanted:
        yield subject.origins.error(
            "ceiling-auth",
            ("auth", "mode"),
            f"`ceilings` demand `auth.mode: {wanted}`",
            "say so, and give callers keys",
        )


def owned_definitions(subject: Subject) -> Iterator[Problem]:
    owners = subject.spec.owners
    if not owners:
        return
    for one in definitions(subject.loaded):
        if not one.file:
            continue
        theirs = owners_of(one.file, owners)
        if not theirs:
            yield subject.origins.error(
                "owner-missing",
                one.path,
                f"no entry of `owners` has the file `{one.file[:100]}`, so it may define nothing",
                "add the file to `owners`, or move this to a file of yours",
                at_key=True,
            )
        elif not any(may_define(one, owner) for owner in theirs):
            patterns = [pattern for owner in theirs for pattern in getattr(owner, one.section)]
            yield subject.origins.error(
                "owner-other",
                one.path,
                f"`{one.file[:100]}` may not define `{one.section}.{one.name[:60]}`",
                f"`owners` let it define {one.section}: {', '.join(patterns) if patterns else 'none'}",
                at_key=True,
            )


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _ceilings(subject: Subject) -> Ceilings:
    return subject.spec.ceilings or _CEILINGS


CEILING_RULES: Final[tuple[Rule, ...]] = (
    limits_within,
    providers_allowed,
    models_allowed,
    budgets_within,
    cache_scopes,
    privacy,
    auth_mode,
    owned_definitions,
)
