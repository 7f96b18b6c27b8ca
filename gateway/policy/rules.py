"""Virtual models: ordered rules that choose, by what a request says, a list of targets.

Lives here: conditions, rules and the decision. Must not: know a wire format, a provider or where the config is. Law:
equal facts and rules give equal decisions; the first rule all of whose conditions hold decides; nothing is read of a
request that no rule before the deciding one asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final, Protocol

import msgspec

from gateway.core.prompt import Prompt
from gateway.core.trace import ConditionNote, ConfigPath, RuleNote
from gateway.policy.complexity import score
from gateway.policy.languages import language_of
from gateway.policy.pattern import Pattern
from gateway.policy.split import side_of

Targets = Sequence[tuple[str, str]]
"""Providers, each with a model."""
_UNKNOWN: Final = "not known"


class Facts:
    """What rules may ask of one request; each is found when it is first asked for, and once.

    caller: the name of the gateway key. user: the end user as the request names it. sticky: who is kept on one side of
    a split. wish: what the client optimizes for, or ``. headers: by name in lower case. wall: Unix seconds. tokens: of
    the prompt, estimated. read: reads the body. price: what the request would cost at the dearest of some targets in
    nano-USD, given its tokens; None where that is not known. budget_left: the share of the budget that is left, None
    where there is no budget.
    """

    __slots__ = (
        "_complexity", "_encoded", "_headers", "_language", "_prompt", "_read", "_tokens", "budget_left", "caller",
        "price", "sticky", "team", "user", "wall", "wish",
    )  # fmt: skip

    def __init__(
        self,
        *,
        read: Callable[[], Prompt],
        tokens: Callable[[], int],
        headers: Callable[[], Mapping[str, str]],
        caller: str = "",
        team: str = "",
        user: str = "",
        sticky: str = "",
        wish: str = "",
        wall: float = 0.0,
        price: Callable[[Targets, int], int | None] | None = None,
        budget_left: Callable[[], float | None] | None = None,
    ) -> None:
        self._read = read
        self._tokens: int | Callable[[], int] = tokens
        self._headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = headers
        self._prompt: Prompt | None = None
        self._encoded: bytes | None = None
        self._language: str | None = None
        self._complexity: float | None = None
        self.caller = caller
        self.team = team
        self.user = user
        self.sticky = sticky
        self.wish = wish
        self.wall = wall
        self.price = price
        self.budget_left = budget_left

    @property
    def prompt(self) -> Prompt:
        if self._prompt is None:
            self._prompt = self._read()
        return self._prompt

    @property
    def text(self) -> bytes:
        """The last user text in UTF-8."""
        if self._encoded is None:
            self._encoded = self.prompt.text.encode("utf-8", "replace")
        return self._encoded

    @property
    def tokens(self) -> int:
        if not isinstance(self._tokens, int):
            self._tokens = self._tokens()
        return self._tokens

    @property
    def headers(self) -> Mapping[str, str]:
        if not isinstance(self._headers, Mapping):
            self._headers = self._headers()
        return self._headers

    @property
    def language(self) -> str:
        if self._language is None:
            self._language = language_of(self.prompt.text)
        return self._language

    @property
    def complexity(self) -> float:
        if self._complexity is None:
            self._complexity = score(self.prompt, self.tokens)
        return self._complexity


class Condition(Protocol):
    """One thing that must hold. name, wanted: as the config says it."""

    @property
    def name(self) -> str: ...

    @property
    def wanted(self) -> str: ...

    def holds(self, facts: Facts) -> bool: ...

    def found(self, facts: Facts) -> str:
        """What the request has instead, for who asks why; never its text."""
        ...


class Within(msgspec.Struct, frozen=True):
    """A number in a range, both ends included, None where there is none. What is not known is in no range. scale: how
    many of the number are one of the unit that is shown."""

    name: str
    low: float | None
    high: float | None
    value: Callable[[Facts], float | None]
    scale: float = 1

    @property
    def wanted(self) -> str:
        ends = (("at least", self.low), ("at most", self.high))
        return " and ".join(f"{word} {end / self.scale:g}" for word, end in ends if end is not None)

    def holds(self, facts: Facts) -> bool:
        value = self.value(facts)
        if value is None:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def found(self, facts: Facts) -> str:
        value = self.value(facts)
        return _UNKNOWN if value is None else f"{value / self.scale:g}"


class Is(msgspec.Struct, frozen=True):
    """Something is there, or is not."""

    name: str
    there: bool
    value: Callable[[Facts], bool]

    @property
    def wanted(self) -> str:
        return "yes" if self.there else "no"

    def holds(self, facts: Facts) -> bool:
        return self.value(facts) is self.there

    def found(self, facts: Facts) -> str:
        return "yes" if self.value(facts) else "no"


class OneOf(msgspec.Struct, frozen=True):
    """A name among some. private: it is not shown."""

    name: str
    names: frozenset[str]
    value: Callable[[Facts], str]
    private: bool = False

    @property
    def wanted(self) -> str:
        return ", ".join(sorted(self.names))

    def holds(self, facts: Facts) -> bool:
        return self.value(facts) in self.names

    def found(self, facts: Facts) -> str:
        value = self.value(facts)
        return ("another" if self.private else value) if value else "none"


class Matches(msgspec.Struct, frozen=True):
    """The last user text has a pattern in it."""

    pattern: Pattern
    name: str = "text"

    @property
    def wanted(self) -> str:
        return self.pattern.text

    def holds(self, facts: Facts) -> bool:
        return self.pattern.is_in(facts.text)

    def found(self, facts: Facts) -> str:
        if not facts.text:
            return "no user text"
        return "matches" if self.holds(facts) else "does not match"


class HasHeader(msgspec.Struct, frozen=True):
    """A header with one of some values; any value where there are none."""

    header: str
    values: frozenset[str]

    @property
    def name(self) -> str:
        return f"header {self.header}"

    @property
    def wanted(self) -> str:
        return ", ".join(sorted(self.values)) or "any"

    def holds(self, facts: Facts) -> bool:
        value = facts.headers.get(self.header)
        return value is not None and (not self.values or value in self.values)

    def found(self, facts: Facts) -> str:
        return "another" if self.header in facts.headers else "none"


class AtHours(msgspec.Struct, frozen=True):
    """A time of day. ranges: minutes of the day, the end not included; past midnight it goes on from 0."""

    ranges: tuple[tuple[int, int], ...]
    zone: tzinfo
    wanted: str
    name: str = "hour"

    def holds(self, facts: Facts) -> bool:
        now = datetime.fromtimestamp(facts.wall, self.zone)
        minute = now.hour * 60 + now.minute
        return any(
            start <= minute < end if start < end else minute >= start or minute < end for start, end in self.ranges
        )

    def found(self, facts: Facts) -> str:
        return f"{datetime.fromtimestamp(facts.wall, self.zone):%H:%M}"


class Onward(msgspec.Struct, frozen=True):
    """To another virtual model, whose rules decide."""

    name: str


class Chosen(msgspec.Struct, frozen=True):
    """To a list of targets. key: the list as text: equal ones are the same. first: `provider/model` of the first of
    them. path: where it stands."""

    key: str
    first: str = ""
    path: ConfigPath = ()


class Side(msgspec.Struct, frozen=True):
    """name: as the config writes the target."""

    name: str
    weight: float
    to: Onward | Chosen


class Split(msgspec.Struct, frozen=True):
    """To one of several, by who asks."""

    salt: str
    sides: tuple[Side, ...]

    def pick(self, who: str) -> Side:
        return self.sides[side_of(self.salt, who, [(side.name, side.weight) for side in self.sides])]


class Rule(msgspec.Struct, frozen=True):
    """conditions: all must hold; none for a rule that always does. path: where it stands."""

    name: str
    conditions: tuple[Condition, ...]
    to: Onward | Chosen | Split
    path: ConfigPath = ()


class Decision(msgspec.Struct, frozen=True):
    """rule: what decided, such as `auto:code`, or `auto:rest>smart:hard` where one led to another; with the side of a
    split behind `=`. chosen: the targets; None where no rule of the virtual model `unmatched` matched."""

    rule: str
    chosen: Chosen | None
    unmatched: str = ""


Models = Mapping[str, Sequence[Rule]]
"""The rules of each virtual model, by its name."""


def decide(models: Models, name: str, facts: Facts, notes: list[RuleNote] | None = None) -> Decision:
    """What the rules of the virtual model `name` say of a request. notes: filled with every rule that was tried.

    A circle of virtual models, which no checked config has, ends as if nothing had matched."""
    said = ""
    for _ in range(len(models)):
        for rule in models[name]:
            if notes is not None:
                notes.append(_noted(name, rule, facts))
            if all(condition.holds(facts) for condition in rule.conditions):
                break
        else:
            return Decision(said, None, name)
        said = f"{said}>{name}:{rule.name}" if said else f"{name}:{rule.name}"
        to = rule.to
        if isinstance(to, Split):
            side = to.pick(facts.sticky)
            to = side.to
            if isinstance(to, Chosen):
                said = f"{said}={side.name}"
        if isinstance(to, Chosen):
            return Decision(said, to)
        name = to.name
    return Decision(said, None, name)


def _noted(model: str, rule: Rule, facts: Facts) -> RuleNote:
    conditions = tuple(
        ConditionNote(condition.name, condition.wanted, condition.found(facts), condition.holds(facts))
        for condition in rule.conditions
    )
    return RuleNote(f"{model}:{rule.name}", all(note.held for note in conditions), conditions, rule.path)
