"""Laws of the source tree that no linter states. Which layer may import which is import-linter's, in pyproject.toml."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("core", "policy", "dialects")
AWAITING = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
RETIRED_NAMES = ("deployment", "manager", "helper", "helpers", "utils", "util", "service", "handler_utils", "data", "info", "ctx")


def sources(package: str) -> list[Path]:
    return sorted((ROOT / "gateway" / package).rglob("*.py"))


def awaiting_lines(source: str) -> list[int]:
    return sorted(node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, AWAITING))


@pytest.mark.parametrize("package", PURE)
def test_what_decides_never_awaits(package: str) -> None:
    modules = sources(package)
    assert modules, f"gateway/{package} is gone: the law guards nothing"
    found = [f"{path.relative_to(ROOT)}:{line}" for path in modules for line in awaiting_lines(path.read_text("utf-8"))]
    assert found == []


def test_the_scan_sees_an_async_def_wherever_it_stands() -> None:
    assert awaiting_lines("class A:\n    async def f(self):\n        await g()\n") == [2, 3]


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT)) for path in sources(".") if ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]
    assert silent == []


def test_every_module_defers_its_annotations() -> None:
    eager = []
    for path in sources("."):
        tree = ast.parse(path.read_text("utf-8"))
        defines = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in ast.walk(tree))
        if defines and not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
            eager.append(str(path.relative_to(ROOT)))
    assert eager == []


def test_no_module_hides_behind_a_word_that_says_nothing() -> None:
    assert [str(path.relative_to(ROOT)) for path in sources(".") if path.stem in RETIRED_NAMES] == []
