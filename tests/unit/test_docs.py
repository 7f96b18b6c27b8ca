"""The reference pages say of every code and every metric what it is, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from gateway.core.errors import CODES, FaultKind
from gateway.telemetry.families import FAMILIES
from gateway.telemetry.metrics import CELLS

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = (DOCS / "errors.md").read_text("utf-8")
METRICS = (DOCS / "metrics.md").read_text("utf-8")
PAGES = {"errors.md": ERRORS, "metrics.md": METRICS}


def sections(page: str) -> dict[str, str]:
    """The text under each third-level heading."""
    parts = re.split(r"^### (.+)$", re.sub(r"^## .*$", "### ", page, flags=re.MULTILINE), flags=re.MULTILINE)
    return {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name.strip()}


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def samples() -> set[str]:
    """Every name that a query may use."""
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {name + suffix for name, family in FAMILIES.items() for suffix in suffixes[family.kind]}


def test_every_code_has_its_section_and_no_other_is_there() -> None:
    assert sorted(sections(ERRORS)) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_told_with_its_status(code: str) -> None:
    said = sections(ERRORS)[code].strip()
    assert said.startswith(f"Status {CODES[code].status}")
    assert len(said.split()) >= 10


def test_every_family_has_its_section_and_no_other_is_there() -> None:
    assert sorted(sections(METRICS)) == sorted(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_told_with_its_type_and_its_labels(name: str) -> None:
    family = FAMILIES[name]
    head = sections(METRICS)[name].strip().splitlines()[0]
    exposed = f" `{name}_total`" if family.kind == "counter" else ""
    labels = ", ".join(f"`{label}`" for label in family.labels)
    assert head == f"{family.kind.capitalize()}{exposed}. " + (f"Labels: {labels}." if labels else "No labels.")


def test_every_query_asks_for_what_there_is() -> None:
    queries = "\n".join(re.findall(r"```promql\n(.*?)```", METRICS, flags=re.DOTALL))
    used = set(re.findall(r"\bgateway_[a-z_]+", queries))
    assert used
    assert used - samples() == set()


def test_every_query_selects_by_labels_that_the_family_has() -> None:
    for name, selector in re.findall(r"\b(gateway_[a-z_]+)\{([^}]*)\}", METRICS):
        family = next(f for n, f in FAMILIES.items() if name.removeprefix(n) in ("", "_total", "_bucket", "_sum"))
        asked = re.findall(r"([a-z]+)(?==|!|,|$)", re.sub(r'"[^"]*"', "", selector))
        assert set(asked) <= set(family.labels), name


def test_every_kind_of_fault_is_named() -> None:
    said = sections(METRICS)["gateway_faults"]
    assert [kind for kind in get_args(FaultKind) if f"`{kind}`" not in said] == []


def test_the_bound_on_label_sets_is_the_real_one() -> None:
    assert f"{CELLS:,}".replace(",", " ") in METRICS


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_the_pages_leads_somewhere(page: str) -> None:
    for file, anchor in re.findall(r"\]\(([a-z]+\.md)?(?:#([\w-]+))?\)", PAGES[page]):
        assert not anchor or anchor in anchors((DOCS / (file or page)).read_text("utf-8"))


@pytest.mark.parametrize("code", re.findall(r"`((?:upstream|no|deadline)_[a-z_]+|draining)`", ERRORS))
def test_every_code_that_the_text_names_exists(code: str) -> None:
    assert code in CODES
