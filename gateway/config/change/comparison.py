"""Two sides, and the changes found between them. What is compared with what stands in the modules beside this one.

A value is what it means: durations are seconds, sizes bytes, weights shares. A value that holds a reference is the
reference. Credentials and what may hold one are compared, and never told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from gateway.config.change.rules import RULES, SEVERITIES, Kind, Rule, Severity
from gateway.config.change.side import Side
from gateway.config.problem import Path, dotted
from gateway.core.units import DURATION, seconds

T = TypeVar("T")
_DURATION: Final = re.compile(DURATION)
_PASSWORD: Final = re.compile(r"://[^/@\s]*@")
Amount = float | Decimal


class Change(msgspec.Struct, frozen=True):
    """about: `router production`, `key ci`, `provider openai`, `gateway`. path: in the document, of the side that has
    it. words: before and after. why: what it does to whom. old, new: `file:line`, empty where a side has nothing."""

    severity: Severity
    kind: Kind
    rule: str
    about: str
    path: str
    words: str
    why: str
    old: str
    new: str


class At(msgspec.Struct, frozen=True):
    """Where both sides speak of the same thing; None where a side does not."""

    about: str
    old: Path | None
    new: Path | None

    def at(self, *below: str | int) -> At:
        """What is below, at the same path on both sides."""
        return At(self.about, *(None if path is None else (*path, *below) for path in (self.old, self.new)))

    def alone(self, *, old: Path | None = None, new: Path | None = None) -> At:
        """The same thing, elsewhere."""
        return At(self.about, old, new)


class Graded(msgspec.Struct, frozen=True):
    """A key whose values have a size. read: from what is written to it. Rules for less and more."""

    key: str
    read: Callable[[str], Amount] | None
    less: str
    more: str


class Comparison:
    """Gathers what has changed from `left` to `right`."""

    def __init__(self, left: Side, right: Side) -> None:
        self.left: Final = left
        self.right: Final = right
        self._found: Final[list[Change]] = []

    def changes(self) -> tuple[Change, ...]:
        """The gravest first; otherwise as they were found."""
        return tuple(sorted(self._found, key=lambda change: SEVERITIES.index(change.severity)))

    def note(self, code: str, at: At, words: str) -> None:
        rule: Rule = RULES[code]
        self._found.append(
            Change(
                severity=rule.severity,
                kind=rule.kind,
                rule=code,
                about=at.about,
                path=dotted((at.new if at.new is not None else at.old) or ()),
                words=words,
                why=rule.why,
                old="" if at.old is None else self.left.place(at.old),
                new="" if at.new is None else self.right.place(at.new),
            )
        )

    def plain(self, code: str, at: At, old: object, new: object, *, secret: bool = False) -> bool:
        """Tell when two values differ; whether they do. secret: without saying them."""
        before, after = self._written(at, old, new)
        if before == after:
            return False
        # What a reference stands for is not known here, so it is not said to be safe.
        if RULES[code].severity == "safe" and self.is_referenced(at):
            code = "other"
        name = _name(at)
        self.note(code, at, f"`{name}` is another" if secret else f"`{name}`: {shown(before)} -> {shown(after)}")
        return True

    def is_referenced(self, at: At) -> bool:
        """Whether either side holds a reference there."""
        sides = ((self.left, at.old), (self.right, at.new))
        return any(path is not None and side.reference(path) is not None for side, path in sides)

    def rest(self, at: At, old: object, new: object, known: Collection[str]) -> None:
        """Tell of what no rule knows, so that a key which is new to the spec is never passed over. known: the fields
        that rules are for, or that have no meaning to whoever calls."""
        for field in type(old).__struct_fields__:  # type: ignore[attr-defined]  # both are structs of the same type
            if field not in known:
                key = field.replace("_", "-")
                self.plain("other", at.at(key), getattr(old, field), getattr(new, field), secret=True)

    def measured(self, code: str, at: At, old: object, new: object) -> bool:
        """As `plain`, for what may be a duration."""
        return self.differ(at, old, new, True) and self.plain(code, at, old, new)

    def differ(self, at: At, old: object, new: object, is_measured: bool) -> bool:
        """Whether two values mean different things. is_measured: either may be a duration."""
        before, after = self._written(at, old, new)
        return _size(before) != _size(after) if is_measured else before != after

    def graded(self, fields: Sequence[Graded], at: At, old: object, new: object) -> None:
        """Tell of keys whose values have a size. old, new: structs of the same type."""
        for field in fields:
            self._graded(
                field, at.at(field.key), getattr(old, attribute(field.key)), getattr(new, attribute(field.key))
            )

    def _graded(self, field: Graded, at: At, old: object, new: object) -> None:
        before, after = self._written(at, old, new)
        if before == after:
            return
        words = f"`{_name(at)}`: {shown(before)} -> {shown(after)}"
        if before is not old or after is not new:
            self.note("other", at, words)
            return
        read = field.read or (lambda text: Decimal(str(text)))
        first, second = read(old), read(new)  # type: ignore[arg-type]  # as the field's type has it
        if first != second:
            self.note(field.less if second < first else field.more, at, words)

    def _written(self, at: At, old: object, new: object) -> tuple[object, object]:
        before = None if at.old is None else self.left.reference(at.old)
        after = None if at.new is None else self.right.reference(at.new)
        return (old if before is None else before), (new if after is None else after)


def matched(
    olds: Sequence[T], news: Sequence[T], identities: Sequence[Callable[[T], object]]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """The same things on both sides, what is only in the old list, and only in the new one. identities: what makes two
    the same, the surest first; one that is None matches nothing. Each list keeps its order."""
    pairs: list[tuple[int, T, T]] = []
    gone, come = list(enumerate(olds)), list(news)
    for identity in identities:
        for place, item in list(gone):
            same = identity(item)
            match = next(
                (index for index, other in enumerate(come) if same is not None and identity(other) == same), None
            )
            if match is not None:
                pairs.append((place, item, come.pop(match)))
                gone.remove((place, item))
    pairs.sort(key=lambda pair: pair[0])
    return [(old, new) for _, old, new in pairs], [item for _, item in gone], come


def _size(value: object) -> object:
    return seconds(value) if isinstance(value, str) and _DURATION.fullmatch(value) else value


def attribute(key: str) -> str:
    """The name in a struct of a key in the file."""
    return key.replace("-", "_")


def shown(value: object) -> str:
    """A value for people."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    return _PASSWORD.sub("://***@", str(value))


def _name(at: At) -> str:
    path = at.new if at.new is not None else at.old
    return str(path[-1]) if path else "file"
