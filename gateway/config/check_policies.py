"""Rules about what is said of a route: limits, cache, retries, timeouts, mappings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.check_balance import suggest
from gateway.config.check_limits import bucket_durations
from gateway.config.problem import Path, Problem
from gateway.config.spec import Breaker, KeyPool, Policies, Timeouts
from gateway.config.subject import Rule, Subject, split_target
from gateway.core.units import seconds

_LONGEST: Final = 10 * 365 * 86400.0


def delays(subject: Subject) -> Iterator[Problem]:
    for path, policies in subject.policies:
        retries = policies.retries
        if retries is not None and seconds(retries.min_delay) > seconds(retries.max_delay):
            place = "min-delay" if subject.origins.node((*path, "retries", "min-delay")) else "max-delay"
            yield subject.origins.error(
                "delay-order",
                (*path, "retries", place),
                f"`min-delay` ({retries.min_delay}) is longer than `max-delay` ({retries.max_delay})",
            )
    for path, breaker in _breakers(subject):
        if seconds(breaker.open_for) > seconds(breaker.max_open):
            place = "open-for" if subject.origins.node((*path, "open-for")) else "max-open"
            yield subject.origins.error(
                "delay-order",
                (*path, place),
                f"`open-for` ({breaker.open_for}) is longer than `max-open` ({breaker.max_open})",
            )


def _breakers(subject: Subject) -> Iterator[tuple[Path, Breaker]]:
    for name, tuned in subject.spec.providers.items():
        if tuned is not None:
            yield ("providers", name, "breaker"), tuned.breaker


def timeout_order(subject: Subject) -> Iterator[Problem]:
    for path, policies in subject.policies:
        if policies.timeouts is None:
            continue
        total = seconds(policies.timeouts.total)
        for key, text in (
            ("connect", policies.timeouts.connect),
            ("first-token", policies.timeouts.first_token),
            ("idle", policies.timeouts.idle),
        ):
            here = (*path, "timeouts", key)
            # A short total on its own is a fair wish; only what was written is held against it.
            if seconds(text) > total and subject.origins.node(here) is not None:
                yield subject.origins.warning(
                    "timeout-order",
                    here,
                    f"{text} is longer than `total` ({policies.timeouts.total}), which ends it first",
                )


def sane_durations(subject: Subject) -> Iterator[Problem]:
    """Zero where time is divided by or waited for, and times that no clock reaches."""
    for path, text, may_be_zero in _durations(subject):
        length = seconds(text)
        if length > _LONGEST:
            yield subject.origins.error("duration-too-long", path, "longer than ten years")
        elif length == 0 and not may_be_zero:
            yield subject.origins.error("duration-zero", path, "must be longer than 0")


def _durations(subject: Subject) -> Iterator[tuple[Path, str, bool]]:
    server = subject.spec.server
    yield ("server", "body-timeout"), server.body_timeout, False
    yield ("server", "drain-timeout"), server.drain_timeout, True
    yield ("store", "timeout"), subject.spec.store.timeout, False
    for path, breaker in _breakers(subject):
        yield (*path, "window"), breaker.window, False
        yield (*path, "open-for"), breaker.open_for, False
        yield (*path, "max-open"), breaker.max_open, False
    for name, tuned in subject.spec.providers.items():
        if tuned is not None:
            pool: KeyPool = tuned.key_pool
            yield ("providers", name, "key-pool", "cooldown"), pool.cooldown, True
            yield ("providers", name, "key-pool", "quarantine"), pool.quarantine, True
    for path, policies in subject.policies:
        yield from _policy_durations(path, policies)
    for path, text in bucket_durations(subject):
        yield path, text, False


def _policy_durations(path: Path, policies: Policies) -> Iterator[tuple[Path, str, bool]]:
    timeouts: Timeouts | None = policies.timeouts
    if timeouts is not None:
        yield (*path, "timeouts", "connect"), timeouts.connect, False
        yield (*path, "timeouts", "first-token"), timeouts.first_token, False
        yield (*path, "timeouts", "idle"), timeouts.idle, False
        yield (*path, "timeouts", "total"), timeouts.total, False
    if policies.retries is not None:
        yield (*path, "retries", "min-delay"), policies.retries.min_delay, True
        yield (*path, "retries", "max-delay"), policies.retries.max_delay, True


def mappings(subject: Subject) -> Iterator[Problem]:
    for path, policies in subject.policies:
        for model, meanings in (policies.model_mappings or {}).items():
            here = (*path, "model-mappings", model)
            for index, meaning in enumerate((meanings,) if isinstance(meanings, str) else meanings):
                place = here if isinstance(meanings, str) else (*here, index)
                provider, rest = split_target(meaning)
                if meaning == model:
                    yield subject.origins.error("mapping-to-itself", place, "the name is mapped to itself", "remove it")
                elif not meaning or (not rest and "/" in meaning):
                    yield subject.origins.error(
                        "mapping-empty", place, "no model is named", "`provider/model`, or a model alone"
                    )
                elif rest and provider not in subject.providers:
                    yield subject.origins.error(
                        "provider-unknown", place, f"there is no provider `{provider[:60]}`", suggest(provider, subject)
                    )


def inert_mappings(subject: Subject) -> Iterator[Problem]:
    listed: dict[Path, set[str]] = {}
    for balance in subject.lists:
        listed.setdefault(balance.route, set()).update(entry.provider for entry in balance.entries)
    for path, router in subject.routes:
        providers = listed.get(path)
        for model, meanings in (router.model_mappings or {}).items() if providers else ():
            wanted = [split_target(meaning) for meaning in ((meanings,) if isinstance(meanings, str) else meanings)]
            named = {provider for provider, rest in wanted if rest}
            if (
                providers
                and all(rest for _, rest in wanted)
                and not named & providers
                and named <= set(subject.providers)
            ):
                yield subject.origins.warning(
                    "mapping-inert",
                    (*path, "model-mappings", model),
                    "no provider of this router can use this mapping",
                    f"the router lists: {', '.join(sorted(providers))}",
                    at_key=True,
                )


POLICY_RULES: Final[tuple[Rule, ...]] = (
    delays,
    timeout_order,
    sane_durations,
    mappings,
    inert_mappings,
)
