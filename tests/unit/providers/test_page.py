from __future__ import annotations

import re
from pathlib import Path

from gateway.providers.catalog import CATALOG
from gateway.providers.page import providers_page

DOCS = Path(__file__).parents[3] / "docs"
PAGE = providers_page()
ROWS = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}


def test_the_page_in_docs_is_the_generated_one() -> None:
    assert (DOCS / "providers.md").read_text("utf-8") == PAGE, "docs/providers.md is stale: make schema"


def test_every_provider_has_a_row_of_five_cells() -> None:
    assert list(ROWS) == list(CATALOG)
    assert {line.count("|") for line in ROWS.values()} == {6}


def test_a_row_says_which_variables_hold_the_key() -> None:
    for name, row in CATALOG.items():
        assert re.findall(r"`([A-Z][A-Z0-9_]+)`", ROWS[name].split("|")[3]) == [*row.env, *row.lent_by]


def test_surfaces_of_one_dialect_are_told_together() -> None:
    assert ROWS["cohere"].count("Cohere:") == 1
    assert "OpenAI: chat, embeddings" in ROWS["cohere"]


def test_a_provider_that_has_ended_says_so() -> None:
    assert "ended 2026-07-30" in ROWS["github"]
