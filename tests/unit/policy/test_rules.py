"""The decision of ordered rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.core.prompt import Prompt
from gateway.core.trace import RuleNote
from gateway.policy.pattern import Pattern
from gateway.policy.rules import (
    AtHours,
    Chosen,
    Condition,
    Decision,
    Facts,
    HasHeader,
    Is,
    Matches,
    OneOf,
    Onward,
    Rule,
    Side,
    Split,
    Within,
    decide,
)


def facts(prompt: Prompt = Prompt(), *, tokens: int = 0, headers: dict[str, str] | None = None, **rest: Any) -> Facts:  # noqa: B008
    return Facts(read=lambda: prompt, tokens=lambda: tokens, headers=lambda: headers or {}, **rest)


def rule(name: str, *conditions: Condition, to: Onward | Chosen | Split | None = None) -> Rule:
    return Rule(name, conditions, to or Chosen(name))


def by_tokens(low: float | None = None, high: float | None = None) -> Within:
    return Within("tokens", low, high, lambda facts: facts.tokens)


def decided(rules: list[Rule], asked: Facts) -> str:
    return decide({"auto": rules}, "auto", asked).rule


def test_the_first_rule_that_holds_decides() -> None:
    rules = [rule("long", by_tokens(100)), rule("middle", by_tokens(10)), rule("rest")]
    assert [decided(rules, facts(tokens=n)) for n in (100, 99, 9)] == ["auto:long", "auto:middle", "auto:rest"]


def test_all_conditions_of_a_rule_must_hold() -> None:
    rules = [rule("both", by_tokens(10), Matches(Pattern("code"))), rule("rest")]
    assert decided(rules, facts(Prompt(text="code"), tokens=10)) == "auto:both"
    assert decided(rules, facts(Prompt(text="code"), tokens=9)) == "auto:rest"
    assert decided(rules, facts(Prompt(text="prose"), tokens=10)) == "auto:rest"


def test_none_that_holds_is_said() -> None:
    assert decide({"auto": [rule("long", by_tokens(100))]}, "auto", facts()) == Decision("", None, "auto")


def test_both_ends_of_a_range_are_in_it() -> None:
    within = by_tokens(10, 20)
    assert [within.holds(facts(tokens=n)) for n in (9, 10, 20, 21)] == [False, True, True, False]
    assert within.wanted == "at least 10 and at most 20"


def test_what_is_not_known_is_in_no_range() -> None:
    within = Within("cost", None, 5, lambda facts: None)
    assert not within.holds(facts())
    assert within.found(facts()) == "not known"


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        (Is("tools", True, lambda f: f.prompt.tools > 0), facts(Prompt(tools=1)), facts()),
        (Is("images", False, lambda f: f.prompt.images > 0), facts(), facts(Prompt(images=1))),
        (OneOf("team", frozenset(("ml",)), lambda f: f.team), facts(team="ml"), facts(team="web")),
        (OneOf("language", frozenset(("de",)), lambda f: f.language), facts(Prompt(text="Das ist gut")), facts()),
        (HasHeader("x-app", frozenset(("web",))), facts(headers={"x-app": "web"}), facts(headers={"x-app": "cli"})),
        (HasHeader("x-app", frozenset()), facts(headers={"x-app": "any"}), facts()),
    ],
)
def test_each_condition_holds_and_does_not(condition: Condition, good: Facts, bad: Facts) -> None:
    assert condition.holds(good)
    assert not condition.holds(bad)
    assert condition.wanted
    assert condition.found(bad)


def at(clock: str, zone: str = "UTC", day: str = "2026-01-15") -> Facts:
    return facts(wall=datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).timestamp())


def test_hours_begin_with_their_first_minute_and_end_before_their_last() -> None:
    hours = AtHours(((9 * 60, 17 * 60),), UTC, "09:00-17:00")
    assert [hours.holds(at(t)) for t in ("08:59", "09:00", "16:59", "17:00")] == [False, True, True, False]


def test_hours_may_go_past_midnight() -> None:
    hours = AtHours(((22 * 60, 6 * 60),), UTC, "22:00-06:00")
    assert [hours.holds(at(t)) for t in ("21:59", "22:00", "00:00", "05:59", "06:00")] == [
        False, True, True, True, False,
    ]  # fmt: skip


def test_hours_are_those_of_their_zone_in_summer_and_winter() -> None:
    hours = AtHours(((9 * 60, 10 * 60),), ZoneInfo("Europe/Berlin"), "09:00-10:00")
    assert hours.holds(at("08:30", day="2026-01-15"))
    assert not hours.holds(at("08:30", day="2026-07-15"))
    assert hours.holds(at("07:30", day="2026-07-15"))
    assert hours.found(at("07:30", day="2026-07-15")) == "09:30"


def test_a_rule_may_lead_to_another_virtual_model() -> None:
    models = {"auto": [rule("rest", to=Onward("smart"))], "smart": [rule("hard")]}
    assert decide(models, "auto", facts()) == Decision("auto:rest>smart:hard", Chosen("hard"))


def test_where_the_other_has_no_rule_that_holds_both_are_named() -> None:
    models = {"auto": [rule("rest", to=Onward("smart"))], "smart": [rule("hard", by_tokens(100))]}
    assert decide(models, "auto", facts()) == Decision("auto:rest", None, "smart")


def test_a_circle_ends() -> None:
    models = {"a": [rule("x", to=Onward("b"))], "b": [rule("y", to=Onward("a"))]}
    assert decide(models, "a", facts()).chosen is None


def test_a_split_says_its_side_and_keeps_to_it() -> None:
    split = Split("auto:beta", (Side("p/a", 0.5, Chosen("p/a")), Side("smart", 0.5, Onward("smart"))))
    models = {"auto": [rule("beta", to=split)], "smart": [rule("all")]}
    said = {user: decide(models, "auto", facts(sticky=user)).rule for user in map(str, range(50))}
    assert set(said.values()) == {"auto:beta=p/a", "auto:beta>smart:all"}
    assert all(decide(models, "auto", facts(sticky=user)).rule == rule for user, rule in said.items())


class Noting:
    """Reads values, and keeps what was read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def value(self, name: str, value: Any) -> Callable[[], Any]:
        def read() -> Any:
            self.read.append(name)
            return value

        return read

    def facts(self, prompt: Prompt) -> Facts:
        return Facts(
            read=self.value("body", prompt), tokens=self.value("tokens", 5), headers=self.value("headers", {"a": "b"})
        )


def test_nothing_is_read_that_no_rule_before_the_deciding_one_asks_for() -> None:
    noting = Noting()
    rules = [
        rule("team", OneOf("team", frozenset(("ml",)), lambda f: f.team)),
        rule("short", by_tokens(None, 10)),
        rule("text", Matches(Pattern("x"))),
    ]
    assert decided(rules, noting.facts(Prompt(text="x"))) == "auto:short"
    assert noting.read == ["tokens"]


def test_what_is_read_is_read_once() -> None:
    noting = Noting()
    rules = [
        rule("1", Matches(Pattern("y"))),
        rule("2", HasHeader("x", frozenset()), by_tokens(9)),
        rule("3", HasHeader("z", frozenset())),
        rule("4", Within("complexity", 0.9, None, lambda f: f.complexity)),
        rule("5", OneOf("language", frozenset(("fr",)), lambda f: f.language), Matches(Pattern("z"))),
        rule("6", by_tokens(7)),
    ]
    assert decide({"auto": rules}, "auto", noting.facts(Prompt(text="das ist gut"))).chosen is None
    assert sorted(noting.read) == ["body", "headers", "tokens"]


def test_notes_tell_of_each_rule_that_was_tried_and_of_no_text() -> None:
    notes: list[RuleNote] = []
    rules = [
        rule("code", Matches(Pattern("code")), by_tokens(10)),
        rule("user", OneOf("user", frozenset(("ann",)), lambda f: f.user, private=True)),
        rule("rest"),
        rule("never"),
    ]
    decide({"auto": rules}, "auto", facts(Prompt(text="secret"), tokens=12, user="bob"), notes)
    assert [(note.rule, note.matched) for note in notes] == [
        ("auto:code", False),
        ("auto:user", False),
        ("auto:rest", True),
    ]
    assert [(one.name, one.found, one.held) for one in notes[0].conditions] == [
        ("text", "does not match", False),
        ("tokens", "12", True),
    ]
    assert "secret" not in repr(notes)
    assert "bob" not in repr(notes)
