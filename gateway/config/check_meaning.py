"""Rules about what is said twice, or in a circle: it means less than it seems to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.problem import Path, Problem
from gateway.config.spec import Policies
from gateway.config.subject import Rule, Subject

_INHERITED: Final = ("cache", "retries", "timeouts", "on_disconnect", "on_loss", "prompt_cache")
"""What a route has from `global` unless it says otherwise. Limits are not among them: both apply."""


def repeated_policies(subject: Subject) -> Iterator[Problem]:
    outer: Policies = subject.spec.global_
    for path, route in subject.routes:
        for field in _INHERITED:
            said = getattr(route, field)
            if said is not None and said == getattr(outer, field):
                yield _repeated(subject, path, field.replace("_", "-"))
        for model, meanings in (route.model_mappings or {}).items():
            if (outer.model_mappings or {}).get(model) == meanings:
                yield _repeated(subject, path, "model-mappings", model)
        for name, rules in (route.virtual_models or {}).items():
            if (outer.virtual_models or {}).get(name) == rules:
                yield _repeated(subject, path, "virtual-models", name)


def _repeated(subject: Subject, path: Path, *rest: str) -> Problem:
    return subject.origins.warning(
        "repeats-global",
        (*path, *rest),
        "`global` says the same already",
        f"it stands at {subject.origins.key_place(('global', *rest))}; remove one of them",
        at_key=True,
    )


def distinct_meanings(subject: Subject) -> Iterator[Problem]:
    for path, policies in subject.policies:
        for model, meanings in (policies.model_mappings or {}).items():
            if isinstance(meanings, str):
                continue
            for index, meaning in enumerate(meanings):
                if meaning in meanings[:index]:
                    yield subject.origins.warning(
                        "meaning-twice",
                        (*path, "model-mappings", model, index),
                        "the same meaning stands in this list already",
                        "remove it",
                    )


def mapping_circles(subject: Subject) -> Iterator[Problem]:
    """A mapping is followed once. Names that lead back to themselves are exchanged, which hardly anybody means.

    Meanings with a provider are no part of a circle: each of two models may well stand in for the other elsewhere.
    """
    for path, policies in subject.policies:
        written = policies.model_mappings or {}
        bare = {model: meaning for model, meaning in _first_meanings(written) if meaning in written}
        told: set[str] = set()
        for start in bare:
            circle = _circle(start, bare)
            if circle and told.isdisjoint(circle):
                told.update(circle)
                yield subject.origins.warning(
                    "mapping-loop",
                    (*path, "model-mappings", start),
                    f"these names lead back to each other: {' -> '.join(name[:60] for name in (*circle, start))}",
                    "a mapping is followed once, so the names are exchanged; name the model that is meant",
                    at_key=True,
                )


def _first_meanings(written: dict[str, tuple[str, ...] | str]) -> Iterator[tuple[str, str]]:
    for model, meanings in written.items():
        first = meanings if isinstance(meanings, str) else next(iter(meanings), "")
        # A name that is mapped to itself is told of as that.
        if first != model:
            yield model, first


def _circle(start: str, meanings: dict[str, str]) -> tuple[str, ...]:
    seen = [start]
    while (following := meanings.get(seen[-1])) is not None:
        if following == start:
            return tuple(seen)
        if following in seen:
            return ()
        seen.append(following)
    return ()


MEANING_RULES: Final[tuple[Rule, ...]] = (repeated_policies, distinct_meanings, mapping_circles)
