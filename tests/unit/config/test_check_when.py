"""What the check says of what rules of virtual models ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.test_check_virtual import REST, TO, in_router, in_short, problems_of

CASES = {
    "a pattern that is none": (f"auto:\n  - {{when: {{text: '(a'}}, {TO}}}\n{REST}", ["6:25 pattern-invalid"]),
    "a pattern that needs backtracking": (
        f"auto:\n  - {{when: {{text: '(a)\\1'}}, {TO}}}\n{REST}",
        ["6:25 pattern-invalid"],
    ),
    "a pattern that is always there": (f"auto:\n  - {{when: {{text: 'a*'}}, {TO}}}\n{REST}", ["6:25 pattern-idle"]),
    "a pattern between double quotes": (
        f'auto:\n  - {{when: {{text: "\\bcode"}}, {TO}}}\n{REST}',
        ["6:25 pattern-quotes"],
    ),
    "an empty pattern": (f"auto:\n  - {{when: {{text: ''}}, {TO}}}\n{REST}", ["6:25 pattern-idle"]),
    "tokens the wrong way round": (
        f"auto:\n  - {{when: {{min-tokens: 9, max-tokens: 8}}, {TO}}}\n{REST}",
        ["6:34 rule-never"],
    ),
    "complexity the wrong way round": (
        f"auto:\n  - {{when: {{min-complexity: 0.5, max-complexity: 0.4}}, {TO}}}\n{REST}",
        ["6:40 rule-never"],
    ),
    "complexity above one": (f"auto:\n  - {{when: {{min-complexity: 2}}, {TO}}}\n{REST}", ["6:35 out-of-range"]),
    "an empty time": (f"auto:\n  - {{when: {{hour: '09:00-09:00'}}, {TO}}}\n{REST}", ["6:25 hour-invalid"]),
    "a time that is none": (f"auto:\n  - {{when: {{hour: ['9-25']}}, {TO}}}\n{REST}", ["6:26 hour-invalid"]),
    "no time at all": (f"auto:\n  - {{when: {{hour: []}}, {TO}}}\n{REST}", ["6:19 rule-never"]),
    "an unknown time zone": (
        f"auto:\n  - {{when: {{hour: 9-17, time-zone: Mars/Olympus}}, {TO}}}\n{REST}",
        ["6:42 time-zone"],
    ),
    "a time zone of nothing": (
        f"auto:\n  - {{when: {{time-zone: UTC, tools: true}}, {TO}}}\n{REST}",
        ["6:30 time-zone"],
    ),
    "an unknown language": (f"auto:\n  - {{when: {{language: english}}, {TO}}}\n{REST}", ["6:29 language-unknown"]),
    "an unknown team": (f"auto:\n  - {{when: {{team: ml}}, {TO}}}\n{REST}", ["6:25 team-unknown"]),
    "an unknown key": (f"auto:\n  - {{when: {{key: [ci]}}, {TO}}}\n{REST}", ["6:24 key-unknown"]),
    "a header with a credential": (
        f"auto:\n  - {{when: {{header: {{Authorization: x}}}}, {TO}}}\n{REST}",
        ["6:28 header"],
    ),
    "a header that is none": (f"auto:\n  - {{when: {{header: {{'x y': z}}}}, {TO}}}\n{REST}", ["6:28 header"]),
    "a condition of nothing": (
        f"auto:\n  - {{when: {{}}, {TO}}}",
        ["6:12 when-empty"],
    ),
    "an empty list of users": (f"auto:\n  - {{when: {{user: []}}, {TO}}}\n{REST}", ["6:19 rule-never"]),
    "a budget that nobody has": (
        f"auto:\n  - {{when: {{max-budget-left: 0.2}}, {TO}}}\n{REST}",
        ["6:19 rule-never"],
    ),
    "a cost of no target": (
        f"auto:\n  - {{when: {{min-cost: 1}}, to: smart}}\n{REST}\nsmart:\n{REST}",
        ["6:18 rule-never"],
    ),
    "a wish that nobody may have": (
        f"auto:\n  - {{when: {{optimize-for: cost}}, {TO}}}\n{REST}",
        ["6:19 rule-never"],
    ),
    "an unknown condition": (f"auto:\n  - {{when: {{txt: a}}, {TO}}}\n{REST}", ["6:19 unknown-key"]),
}  # fmt: skip


@pytest.mark.parametrize(("models", "expected"), CASES.values(), ids=CASES.keys())
def test_each_condition_that_is_none_is_told_of_at_its_place(models: str, expected: list[str], tmp_path: Path) -> None:
    assert in_short(problems_of(in_router(models), tmp_path)) == expected


def test_teams_and_keys_that_exist_are_no_problem(tmp_path: Path) -> None:
    auth = f"auth: {{mode: keys, keys: [{{name: ci, hash: 'sha256:{'0' * 64}', team: ml}}]}}\n"
    models = f"auto:\n  - {{when: {{team: ml, key: ci}}, {TO}}}\n{REST}"
    assert in_short(problems_of(auth + in_router(models), tmp_path)) == []
