"""Virtual models: which requests go to which model by rules, before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gateway.config.change.comparison import At, Comparison, attribute, matched, shown
from gateway.config.problem import Path
from gateway.config.spec import Balance, Target, VirtualRule, When
from gateway.config.virtual import in_order, name_of, target_name
from gateway.providers.catalog import detect

Models = Mapping[str, tuple[VirtualRule, ...]]


class _Placed(msgspec.Struct, frozen=True):
    """A rule and its place in the list."""

    index: int
    rule: VirtualRule

    @property
    def name(self) -> str:
        return name_of(self.rule, self.index)

    @property
    def is_default(self) -> bool:
        return self.rule.when is None


_IDENTITIES: Final[tuple[Callable[[_Placed], object], ...]] = (
    lambda placed: placed.rule.name,
    lambda placed: msgspec.structs.replace(placed.rule, name=None),
    lambda placed: (placed.rule.when,),
    lambda placed: (
        None if placed.rule.to is None and placed.rule.split is None else (placed.rule.to, placed.rule.split)
    ),
)
"""What has a name is the same rule under it; then what says the same; then what asks the same, or leads to the same."""


def compare_virtual_models(found: Comparison, at: At, old: Models, new: Models) -> None:
    """Those of one section, rule by rule."""
    for name in dict.fromkeys((*old, *new)):
        here = at.at(name)
        if name not in new:
            found.note("virtual-removed", here.alone(old=here.old), f"`{name}` is gone")
        elif name not in old:
            code = "virtual-shadowing" if detect(name) else "virtual-added"
            found.note(code, here.alone(new=here.new), f"`{name}` is new")
        else:
            _rules(found, here, _placed(old[name]), _placed(new[name]))


def _placed(rules: Sequence[VirtualRule]) -> list[_Placed]:
    return [_Placed(index, rule) for index, rule in enumerate(rules)]


def _rules(found: Comparison, at: At, old: list[_Placed], new: list[_Placed]) -> None:
    pairs, gone, come = matched(old, new, _IDENTITIES)
    ended = any(one.is_default for one in gone) and not any(one.is_default for one in new)
    for one in gone:
        code = "rule-default-removed" if ended and one.is_default else "rule-removed"
        found.note(code, at.alone(old=_below(at.old, one.index)), f"the rule `{one.name}` is gone")
    for one in come:
        found.note("rule-added", at.alone(new=_below(at.new, one.index)), f"the rule `{one.name}` is new")
    for first, second in pairs:
        _rule(found, at.alone(old=_below(at.old, first.index), new=_below(at.new, second.index)), first, second)
    places = [second.index for _, second in pairs]
    if places != sorted(places):
        words = [", ".join(one.name for one in rules) for rules in (old, new)]
        found.note("rule-order", at, f"{words[0]} -> {words[1]}")


def _rule(found: Comparison, at: At, old: _Placed, new: _Placed) -> None:
    if old.rule.name != new.rule.name:
        code = "rule-split-renamed" if new.rule.split else "rule-renamed"
        found.note(code, at.at("name"), f"`{old.name}` -> `{new.name}`")
    before, after = old.rule.when or When(), new.rule.when or When()
    for field in When.__struct_fields__:
        key = field.replace("_", "-")
        found.plain("rule-condition", at.at("when", key), _said(before, key), _said(after, key))
    _destination(found, at, old.rule, new.rule)


def _said(when: When, key: str) -> object:
    value = getattr(when, attribute(key))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {shown(one)}" for name, one in value.items())
    return (value,) if key in ("language", "key", "team", "user", "hour") and isinstance(value, str) else value


def _destination(found: Comparison, at: At, old: VirtualRule, new: VirtualRule) -> None:
    if old.split is not None and new.split is not None and old.split.keys() == new.split.keys():
        shares = [_shares(rule.split) for rule in (old, new)]
        if shares[0] != shares[1]:
            moved = "; ".join(
                f"{name} {_percent(shares[0][name])} -> {_percent(shares[1][name])}" for name in new.split
            )
            found.note("rule-shares", at.at("split"), moved)
        return
    keys = ["split" if rule.split is not None else "to" for rule in (old, new)]
    here = at.alone(old=_below(at.old, keys[0]), new=_below(at.new, keys[1]))
    before, after = _leads(old), _leads(new)
    if before != after or found.is_referenced(here):
        if isinstance(old.to, str) and isinstance(new.to, str):
            found.plain("rule-target", here, old.to, new.to)
        elif before != after:
            found.note("rule-target", here, f"{before[0]} -> {after[0]}")


def _leads(rule: VirtualRule) -> tuple[str, object]:
    """In words, and all that counts of it. A model alone and a list of one are the same."""
    if rule.split is not None:
        names = tuple(rule.split)
        return f"a split of {shown(names)}", names
    to = rule.to
    if isinstance(to, str):
        to = (to,)
    balance = in_order(to) if isinstance(to, tuple) else to
    if not isinstance(balance, Balance):
        return "none", None
    targets = (*(balance.providers or ()), *(balance.models or ()))
    counted = tuple(Target(provider=target) if isinstance(target, str) else target for target in targets)
    return f"{balance.strategy}: {shown(tuple(map(target_name, targets)))}", (balance.strategy, counted)


def _shares(split: Mapping[str, object] | None) -> dict[str, Decimal]:
    weights = {name: Decimal(str(weight)) for name, weight in (split or {}).items()}
    total = sum(weights.values(), Decimal(0))
    return {name: weight / total if total else weight for name, weight in weights.items()}


def _percent(share: Decimal) -> str:
    return f"{(share * 100).quantize(Decimal('0.1')):f}".removesuffix(".0") + "%"


def _below(path: Path | None, part: str | int) -> Path:
    return (*(path or ()), part)
