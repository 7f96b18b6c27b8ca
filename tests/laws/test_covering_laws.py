"""The law of what the check calls a rule that can never match: no request shows it wrong."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.assemble.virtual import conditions_of
from gateway.config.covering import covers
from gateway.config.spec import When
from gateway.core.prompt import Prompt
from gateway.policy.rules import Facts

NAMES = st.none() | st.sampled_from(["a", "b"]) | st.just(("a", "b"))
TOKENS = st.none() | st.integers(0, 3)
SHARES = st.none() | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
HOURS = st.sampled_from(["8-18", "9-17", "22-6", "23-5", "0-24"])
WHENS = st.builds(
    When,
    text=st.none() | st.sampled_from(["code", "prose"]),
    min_tokens=TOKENS,
    max_tokens=TOKENS,
    tools=st.none() | st.booleans(),
    images=st.none() | st.booleans(),
    key=NAMES,
    user=NAMES,
    header=st.none() | st.fixed_dictionaries({}, optional={"x-a": st.sampled_from(["1", "*", ("1", "2")])}),
    hour=st.none() | HOURS | st.tuples(HOURS, HOURS),
    time_zone=st.none() | st.sampled_from(["UTC", "Europe/Berlin"]),
    min_cost=st.none() | st.just(0.5),
    max_cost=st.none() | st.just(1),
    min_budget_left=SHARES,
    max_budget_left=SHARES,
)
REQUESTS = st.builds(
    lambda prompt, tokens, header, caller, user, wall, left: Facts(
        read=lambda: prompt,
        tokens=lambda: tokens,
        headers=lambda: header,
        caller=caller,
        user=user,
        wall=wall,
        # A rule's own targets: what they cost, nobody else's do.
        price=lambda targets, _: len(targets) * 600_000_000,
        budget_left=lambda: left,
    ),
    st.builds(Prompt, text=st.sampled_from(["code", "prose", ""]), tools=st.integers(0, 1), images=st.integers(0, 1)),
    st.integers(0, 3),
    st.sampled_from([{}, {"x-a": "1"}, {"x-a": "2"}, {"x-a": "3"}]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "a", "b"]),
    st.integers(0, 48).map(lambda half_hours: 1_750_000_000.0 + half_hours * 1800),
    SHARES,
)
ONE, TWO = [("openai", "a")], [("openai", "a"), ("openai", "b")]


@given(st.data(), WHENS, REQUESTS)
def test_what_is_covered_holds_for_nothing_else(data: st.DataObject, narrow: When, request: Facts) -> None:
    # Of what the narrower one asks some is left out, so that many pairs do cover.
    kept = data.draw(st.sets(st.sampled_from(When.__struct_fields__)))
    wide = When(**{name: value for name, value in msgspec.structs.asdict(narrow).items() if name in kept})
    for outer, inner in ((wide, narrow), (narrow, wide), (wide, data.draw(WHENS))):
        if covers(outer, inner) and all(one.holds(request) for one in conditions_of(inner, ONE)):
            assert all(one.holds(request) for one in conditions_of(outer, TWO))


@given(WHENS)
def test_what_asks_nothing_covers_everything_and_each_covers_itself_but_for_its_price(when: When) -> None:
    assert covers(None, when)
    assert covers(when, when) is (when.min_cost is None and when.max_cost is None)
