"""What the check says of virtual models."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gateway.config.check import examine
from gateway.config.problem import Problem

KEYS = {"OPENAI_API_KEY": "k-open", "ANTHROPIC_API_KEY": "k-anth", "GEMINI_API_KEY": "k-gem"}
HEAD = "routers:\n  r:\n    load-balance: {chat: {providers: [openai]}}\n    virtual-models:\n"


def problems_of(text: str, folder: Path) -> list[Problem]:
    file = folder / "routers.yaml"
    file.write_text(text, "utf-8")
    return examine(file, KEYS, 1_800_000_000.0)[1]


def in_router(models: str) -> str:
    """The first line of `models` is the fifth of the file, and begins at column 7."""
    return HEAD + textwrap.indent(textwrap.dedent(models).strip("\n"), "      ") + "\n"


def in_short(problems: list[Problem]) -> list[str]:
    return [f"{problem.place.partition('.yaml:')[2]} {problem.code}" for problem in problems]


TO = "to: openai/gpt-5.5"
REST = f"  - {{{TO}}}"

GOOD = """
auto:
  - {name: vision, when: {images: true}, to: gemini/gemini-2.5-pro}
  - name: code
    when: {text: '(?i)\\b(code|regex)\\b', max-tokens: 8000}
    to: [anthropic/claude-sonnet-4-5, openai/gpt-5.5]
  - {name: night, when: {hour: ['22:00-06:00', '12-13'], time-zone: Europe/Berlin}, to: openai/gpt-5.5-mini}
  - name: beta
    when: {header: {x-beta: ['1', 'yes']}, language: [de, fr], tools: false, json: true}
    split: {openai/gpt-5.5: 0.9, smart: 0.1}
  - name: dear
    when: {min-cost: '0.05', min-complexity: 0.2, max-complexity: 0.8, user: [u1]}
    to:
      strategy: weighted
      providers:
        - {provider: openai/gpt-5.5, weight: '0.5'}
        - {provider: anthropic/claude-sonnet-4-5, weight: '0.5'}
  - {to: smart}
smart:
  - {to: openai/gpt-5.5}
"""


def test_a_sound_file_has_no_problem(tmp_path: Path) -> None:
    assert in_short(problems_of(in_router(GOOD), tmp_path)) == []


def test_a_router_of_virtual_models_alone_serves_something(tmp_path: Path) -> None:
    text = "routers: {r: {virtual-models: {auto: [{to: openai/gpt-5.5}]}}}"
    assert in_short(problems_of(text, tmp_path)) == []


@pytest.mark.parametrize("section", ["global", "unified-api"])
def test_virtual_models_stand_in_global_and_unified_api_too(section: str, tmp_path: Path) -> None:
    text = f"{section}: {{virtual-models: {{auto: [{{to: nope/x}}]}}}}\nrouters: {{}}\n"
    assert [problem.code for problem in problems_of(text, tmp_path)] == ["provider-unknown"]


CASES = {
    "no rules": ("auto: []", ["5:7 virtual-empty"]),
    "a last rule with a condition": (
        f"auto:\n  - {{when: {{tools: true}}, {TO}}}",
        ["6:11 virtual-without-default"],
    ),
    "a name with a space": (f"a b:\n{REST}", ["5:7 virtual-name"]),
    "a name of a provider's model": (f"openai/auto:\n{REST}", ["5:7 virtual-name"]),
    "a name with a slash of its own": (f"hpp/auto:\n{REST}", []),
    "a name that shadows a model": (f"gpt-5.5:\n{REST}", ["5:7 virtual-shadows"]),
    "two rules of one name": (
        f"auto:\n  - {{name: x, when: {{tools: true}}, {TO}}}\n  - {{name: x, {TO}}}",
        ["7:18 rule-name-twice"],
    ),
    "a name that is another's place": (
        f"auto:\n  - {{name: '2', when: {{tools: true}}, {TO}}}\n  - {{{TO}}}",
        ["7:11 rule-name-twice"],
    ),
    "a bad name of a rule": (f"auto:\n  - {{name: 'a b', {TO}}}", ["6:18 bad-format"]),
    "neither to nor split": ("auto:\n  - {name: x}", ["6:11 rule-destination"]),
    "both to and split": (
        f"auto:\n  - {{{TO}, split: {{openai/gpt-5.5: 1, anthropic/claude-sonnet-4-5: 0}}}}",
        ["6:11 rule-destination"],
    ),
    "an unknown target": ("auto:\n  - {to: nope/x}", ["6:16 provider-unknown"]),
    "an unknown name": ("auto:\n  - {to: nope}", ["6:16 provider-unknown"]),
    "an unknown target in a list": ("auto:\n  - {to: [openai/gpt-5.5, nope/x]}", ["6:33 provider-unknown"]),
    "an unknown target in a split": (
        "auto:\n  - {split: {openai/gpt-5.5: 0.5, nope/x: 0.5}}",
        ["6:49 provider-unknown"],
    ),
    "a provider without a model": ("auto:\n  - {to: openai}", ["6:16 model-missing"]),
    "a provider that cannot chat": (
        "auto:\n  - {to: elevenlabs/eleven_v3}",
        ["6:16 key-missing", "6:16 target-unable"],
    ),
    "a virtual model in a list": (
        f"auto:\n  - {{to: [smart, openai/gpt-5.5]}}\nsmart:\n{REST}",
        ["6:17 virtual-in-list"],
    ),
    "one target twice": ("auto:\n  - {to: [openai/gpt-5.5, openai/gpt-5.5]}", ["6:33 target-twice"]),
    "weights that nobody looks at": (
        "auto:\n  - {to: [{provider: openai/gpt-5.5, weight: 1}, anthropic/claude-sonnet-4-5]}",
        ["6:52 weight-ignored"],
    ),
    "shares of nothing": (
        "auto:\n  - {split: {openai/gpt-5.5: 0, anthropic/claude-sonnet-4-5: 0}}",
        ["6:12 weights-zero"],
    ),
    "shares that do not add up": (
        "auto:\n  - {split: {openai/gpt-5.5: 0.5, anthropic/claude-sonnet-4-5: 0.1}}",
        ["6:12 weights-sum"],
    ),
    "a negative share": ("auto:\n  - {split: {openai/gpt-5.5: -1, openai/gpt-5.5-mini: 2}}", ["6:36 out-of-range"]),
    "a split of one": ("auto:\n  - {split: {openai/gpt-5.5: 1}}", ["6:12 split-alone"]),
    "a circle of one": ("auto:\n  - {to: auto}", ["6:16 virtual-circle"]),
    "a circle of two": (
        "auto:\n  - {to: smart}\nsmart:\n  - {to: auto}",
        ["6:16 virtual-circle", "8:16 virtual-circle"],
    ),
    "a circle through a split": (
        "auto:\n  - {split: {openai/gpt-5.5: 0.5, auto: 0.5}}",
        ["6:19 virtual-circle"],
    ),
    "a rule behind one that always matches": (
        f"auto:\n{REST}\n  - {{when: {{tools: true}}, {TO}}}\n{REST}",
        ["7:11 rule-never", "8:11 rule-never"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("models", "expected"), CASES.values(), ids=CASES.keys())
def test_each_mistake_is_told_of_at_its_place(models: str, expected: list[str], tmp_path: Path) -> None:
    assert in_short(problems_of(in_router(models), tmp_path)) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{max-tokens: 100}", "{max-tokens: 50}"),
        ("{min-tokens: 10}", "{min-tokens: 20, max-tokens: 30}"),
        ("{tools: true}", "{tools: true, images: false}"),
        ("{text: code}", "{text: code, tools: true}"),
        ("{language: [de, fr]}", "{language: de}"),
        ("{user: [a, b]}", "{user: b, json: true}"),
        ("{header: {X-App: '*'}}", "{header: {x-app: web}}"),
        ("{header: {x-app: [web, cli]}}", "{header: {x-app: cli, x-other: a}}"),
        ("{hour: 8-18}", "{hour: '09:00-17:00'}"),
        ("{hour: 22-6}", "{hour: ['23-24', '1:30-2']}"),
        ("{min-complexity: 0.5}", "{min-complexity: 0.7}"),
    ],
)
def test_a_rule_that_an_earlier_one_covers_is_an_error(first: str, second: str, tmp_path: Path) -> None:
    def codes(one: str, other: str) -> list[str]:
        return in_short(
            problems_of(in_router(f"auto:\n  - {{when: {one}, {TO}}}\n  - {{when: {other}, {TO}}}\n{REST}"), tmp_path)
        )

    assert codes(first, second) == ["7:11 rule-never"]
    # The other way round the narrower one is tried first.
    assert codes(second, first) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{tools: true}", "{tools: false}"),
        ("{max-tokens: 100}", "{min-tokens: 50}"),
        ("{text: a}", "{text: b}"),
        ("{hour: 8-18}", "{hour: 9-17, time-zone: Europe/Berlin}"),
        ("{max-cost: 1}", "{max-cost: 0.5}"),
        ("{max-cost: 1}", "{max-cost: 1}"),
        ("{header: {x-app: web}}", "{header: {x-app: '*'}}"),
    ],
)
def test_a_rule_that_may_still_match_is_none(first: str, second: str, tmp_path: Path) -> None:
    text = in_router(f"auto:\n  - {{when: {first}, {TO}}}\n  - {{when: {second}, {TO}}}\n{REST}")
    assert in_short(problems_of(text, tmp_path)) == []


def test_a_mapping_of_the_same_name_is_an_error(tmp_path: Path) -> None:
    text = in_router(f"auto:\n{REST}") + "    model-mappings: {auto: anthropic/claude-sonnet-4-5}\n"
    assert [problem.code for problem in problems_of(text, tmp_path)] == ["mapping-inert", "mapping-shadowed"]


def test_a_target_of_a_rule_is_under_the_ceilings(tmp_path: Path) -> None:
    text = "ceilings: {providers: [openai]}\n" + in_router("auto:\n  - {to: anthropic/claude-sonnet-4-5}")
    assert [problem.code for problem in problems_of(text, tmp_path)] == ["ceiling-provider"]


def test_what_global_says_already_need_not_be_said_again(tmp_path: Path) -> None:
    text = f"global: {{virtual-models: {{auto: [{{{TO}}}]}}}}\n" + in_router(f"auto:\n{REST}")
    assert [problem.code for problem in problems_of(text, tmp_path)] == ["repeats-global"]
