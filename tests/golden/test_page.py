from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_the_cases_show() -> None:
    made: dict[Path, str] = runpy.run_path(str(ROOT / "tools" / "make_matrix.py"))["made"]()
    assert [path.name for path, text in made.items() if path.read_text("utf-8") != text] == [], "make schema"
