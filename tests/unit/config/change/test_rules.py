from __future__ import annotations

from pathlib import Path

from gateway.config.change.rules import RULES, SECTIONS, severity_tables

PAGE = (Path(__file__).parents[4] / "docs/config-by-pull-request.md").read_text("utf-8")


def test_the_page_has_the_tables_of_now() -> None:
    assert f"<!-- severities -->\n\n{severity_tables()}\n<!-- /severities -->" in PAGE, "run tools/make_severities.py"


def test_no_code_is_given_twice() -> None:
    assert len(RULES) == sum(map(len, SECTIONS.values()))
