"""Writes the tables of severities into docs/config-by-pull-request.md, from the rules that `gateway plan` has. A test
fails when it was not run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.config.change.rules import severity_tables

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "config-by-pull-request.md"
_TABLES: Final = re.compile(r"(?<=<!-- severities -->\n).*(?=<!-- /severities -->)", re.DOTALL)


def page(text: str) -> str:
    """The page with the tables of now."""
    return _TABLES.sub(lambda _: f"\n{severity_tables()}\n", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
