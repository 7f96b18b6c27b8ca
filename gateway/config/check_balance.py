"""Rules about routers' lists: what they name must exist, be able to serve, and have a share."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

from gateway.config.problem import Problem
from gateway.config.subject import MODEL_STRATEGIES, Entry, Listed, Rule, Subject
from gateway.core.exchange import Group
from gateway.providers.catalog import find_model, suggest_provider

_WEIGHTED: Final = ("weighted", "provider-weighted", "model-weighted")


def balanced_routers(subject: Subject) -> Iterator[Problem]:
    served = {listed.route for listed in subject.lists}
    for name in subject.spec.routers:
        if ("routers", name) not in served:
            yield subject.origins.error(
                "no-load-balance",
                ("routers", name),
                "the router has no `load-balance`, so it can serve nothing",
                "`load-balance: {chat: {strategy: latency, providers: [openai]}}`, for example",
                at_key=True,
            )


def filled_lists(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        if not listed.entries:
            key = "models" if listed.balance.strategy in MODEL_STRATEGIES else "providers"
            yield subject.origins.error(
                "no-targets",
                listed.path,
                "the list of targets is empty",
                f"name at least one under `{key}`",
                at_key=True,
            )


def lists_of_their_strategy(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        balance = listed.balance
        strategy = balance.strategy
        if balance.models is not None and balance.providers is not None:
            yield subject.origins.error(
                "models-and-providers",
                (*listed.path, "providers"),
                "both `models` and `providers` are given",
                "keep one",
                at_key=True,
            )
        elif balance.models is not None and strategy not in MODEL_STRATEGIES:
            yield subject.origins.error(
                "models-unused",
                (*listed.path, "models"),
                f"`{strategy}` chooses between providers, not models",
                "write `providers`, or one of the strategies `model-weighted`, `model-latency` and `model-cost`",
                at_key=True,
            )
        elif strategy in MODEL_STRATEGIES:
            for entry in listed.entries:
                if not entry.model:
                    yield subject.origins.error(
                        "model-missing",
                        entry.path,
                        f"`{strategy}` chooses between models, and this names none",
                        f"write `{entry.provider[:60]}/MODEL`",
                    )


def known_providers(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        for entry in listed.entries:
            if entry.provider not in subject.providers:
                yield subject.origins.error(
                    "provider-unknown",
                    entry.path,
                    f"there is no provider `{entry.provider[:60]}`",
                    suggest(entry.provider, subject),
                )


def suggest(name: str, subject: Subject) -> str:
    """A hint for a provider that does not exist."""
    near = next((own for own in subject.spec.providers if own.lower() == name.lower()), None) or suggest_provider(name)
    return f"did you mean `{near}`?" if near else "define it under `providers`, with `dialect` and `base-url`"


def distinct_targets(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        seen: dict[tuple[object, ...], Entry] = {}
        for entry in listed.entries:
            target = entry.target
            identity = (entry.provider, entry.model, target.base_url, target.keys, target.region)
            first = seen.setdefault(identity, entry)
            if first is not entry:
                yield subject.origins.error(
                    "target-twice",
                    entry.path,
                    "the same target stands in this list already",
                    f"the first is at {subject.origins.place(first.path)}; give one of them more weight instead",
                )


def one_model_each(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        for entry in listed.entries:
            named = entry.target.provider.partition("/")[2]
            if named and entry.target.model and named != entry.target.model:
                yield subject.origins.error(
                    "model-twice", (*entry.path, "model"), "`provider` names another model already", "name it once"
                )


def weights(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        given = [entry for entry in listed.entries if entry.target.weight is not None]
        if listed.balance.strategy in _WEIGHTED:
            yield from _shares(listed, given, subject)
        else:
            for entry in given:
                yield subject.origins.warning(
                    "weight-ignored",
                    (*entry.path, "weight"),
                    f"`{listed.balance.strategy}` does not look at weights",
                    "write `strategy: weighted`, or remove it",
                )


def _shares(listed: Listed, given: list[Entry], subject: Subject) -> Iterator[Problem]:
    if not given:
        return
    for entry in listed.entries:
        if entry.target.weight is None:
            yield subject.origins.warning(
                "weight-missing",
                entry.path,
                "others have a weight and this has none: it counts as 1",
                "give it a weight",
            )
    # Through text: a float is the decimal that was written.
    total = sum((Decimal(str(entry.target.weight)) for entry in given), Decimal(0))
    if len(given) < len(listed.entries):
        return
    if total == 0:
        yield subject.origins.error(
            "weights-zero", listed.path, "every weight is 0, so nothing would be chosen", at_key=True
        )
    elif total != 1:
        yield subject.origins.warning(
            "weights-sum",
            listed.path,
            f"the weights add up to {total.normalize():f}, not 1",
            "shares are relative to the sum; is one missing?",
            at_key=True,
        )


def priorities(subject: Subject) -> Iterator[Problem]:
    for listed in subject.lists:
        for entry in listed.entries:
            if entry.target.priority and listed.balance.strategy != "priority":
                yield subject.origins.warning(
                    "priority-ignored",
                    (*entry.path, "priority"),
                    f"`{listed.balance.strategy}` does not look at priorities",
                    "write `strategy: priority`, or remove it",
                )


def able_targets(subject: Subject) -> Iterator[Problem]:
    """A target that no request can ever reach is an error: the file says something that is not so."""
    reasons: dict[tuple[Group, str, str], tuple[str, str] | None] = {}
    for listed in subject.lists:
        for entry in listed.entries:
            asked = listed.group, entry.provider, entry.model
            if asked not in reasons:
                reasons[asked] = _never_eligible(listed, entry, subject)
            reason = reasons[asked]
            if reason:
                yield subject.origins.error("target-unable", entry.path, *reason)


def _never_eligible(listed: Listed, entry: Entry, subject: Subject) -> tuple[str, str] | None:
    known = subject.providers.get(entry.provider)
    if known is None:
        return None
    if not known.tuned.enabled:
        return f"`{entry.provider}` is disabled", "remove it here, or `enabled: false` at the provider"
    if not known.serves(listed.group):
        can = sorted(known.operations())
        return f"`{entry.provider}` does not do {listed.group}", f"it has: {', '.join(can)}"
    if known.tuned.models_closed and not known.tuned.models and not (known.row is not None and known.row.models):
        return (
            f"`{entry.provider}` is `models-closed`, and no model of it is known",
            f"list some in `providers.{entry.provider}.models`",
        )
    if entry.model and known.tuned.models_closed:
        listed_there = any(fnmatchcase(entry.model, pattern) for pattern in known.tuned.models)
        if not listed_there and (known.row is None or find_model(known.row, entry.model) is None):
            return (
                f"`{entry.provider}` is `models-closed`, and `{entry.model[:60]}` is not among its models",
                f"add it to `providers.{entry.provider}.models`",
            )
    return None


BALANCE_RULES: Final[tuple[Rule, ...]] = (
    balanced_routers,
    filled_lists,
    lists_of_their_strategy,
    known_providers,
    distinct_targets,
    one_model_each,
    weights,
    priorities,
    able_targets,
)
