"""docs/dependencies.md names what is used directly, all that it brings along into what is shipped, and nothing else."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
RUN_TIME, TOOLS = PAGE.split("\n## Tests and tools\n")


def normal(name: str) -> str:
    """As indexes compare names, without an extra."""
    return re.sub(r"[-_.]+", "-", name).lower().partition("[")[0]


def required(lines: list[str]) -> set[str]:
    """Names of requirements such as `name[extra]>=1.0; marker`."""
    found = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines if line.strip()]
    return {normal(match.group()) for match in found if match is not None}


def rows(text: str) -> set[str]:
    """What the first cells of the tables name: by themselves, or several with commas between."""
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    said = ",".join(cell for cell in cells if cell != "package")
    said = re.sub(r"\(npm\)|, with [a-z0-9-]+|, from [a-z0-9-]+|helm 3 and 4", "", said)
    names = [name.strip() for name in said.split(",") if name.strip()]
    scope = ""
    found = set()
    for name in names:
        # `@scope/a, b, c`: the scope goes on while a name has none of its own and belongs to npm.
        if name.startswith("@"):
            scope = name.partition("/")[0]
        in_scope = f"{scope}/{name}"
        found.add(in_scope if in_scope in SCOPED else normal(name))
    return found


def packages(folder: str) -> set[str]:
    found: dict[str, Any] = json.loads((ROOT / "tests" / folder / "package.json").read_text("utf-8"))
    return set(found["dependencies"])


PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SHIPPED: Final = required(PROJECT["project"]["dependencies"])
DEV: Final = required(PROJECT["dependency-groups"]["dev"])
CHECKERS: Final = {
    name for file in (ROOT / ".ci" / "tools").glob("*.in") for name in required(file.read_text("utf-8").splitlines())
}
NODE: Final = packages("deploy") | packages("clients")
SCOPED: Final = {name for name in NODE if name.startswith("@")}


def test_what_is_used_directly_at_run_time_has_its_row() -> None:
    assert rows(RUN_TIME) == SHIPPED


def test_what_tests_and_tools_use_has_its_row() -> None:
    assert rows(TOOLS) == DEV | CHECKERS | NODE


def test_what_comes_along_into_what_is_shipped_is_named() -> None:
    lock = (ROOT / "requirements.txt").read_text("utf-8")
    locked = set(re.findall(r"^([a-zA-Z0-9._-]+)==", lock, re.MULTILINE))
    (brought,) = re.findall(r"^They bring with them.*?: (.*?)\.$", RUN_TIME, re.MULTILINE | re.DOTALL)
    named = {normal(re.sub(r"\(.*?\)", "", name, flags=re.DOTALL).strip()) for name in brought.split(",")}
    # cryptography has its place in the row of PyJWT, whose extra it is.
    assert named | {"cryptography"} == {normal(name) for name in locked} - SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_row_says_where_it_is_used(name: str) -> None:
    (row,) = [line for line in RUN_TIME.splitlines() if line.startswith("| ") and name in rows(line)]
    places = re.findall(r"`(gateway(?:/[A-Za-z0-9_*./-]+)?)`", row)
    assert places or "everywhere" in row
    assert [place for place in places if not list(ROOT.glob(place))] == []
