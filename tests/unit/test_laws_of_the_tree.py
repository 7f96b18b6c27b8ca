"""Laws of the source tree that no linter states. Which layer may import which is import-linter's, in pyproject.toml."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("core", "policy", "dialects")
AWAITING = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
RETIRED_NAMES = ("deployment", "manager", "helper", "helpers", "utils", "util", "service", "data", "info", "ctx")


def sources(package: str) -> list[Path]:
    return sorted((ROOT / "gateway" / package).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def parsed(package: str) -> list[tuple[str, ast.Module]]:
    return [(str(path.relative_to(ROOT)), tree_of(path)) for path in sources(package)]


def defines_something(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in ast.walk(tree))


def awaiting_lines(tree: ast.Module) -> list[int]:
    return sorted(node.lineno for node in ast.walk(tree) if isinstance(node, AWAITING))


@pytest.mark.parametrize("package", PURE)
def test_what_decides_never_awaits(package: str) -> None:
    modules = parsed(package)
    assert modules, f"gateway/{package} is gone: the law guards nothing"
    assert [f"{name}:{line}" for name, tree in modules for line in awaiting_lines(tree)] == []


def test_the_scan_sees_an_async_def_wherever_it_stands() -> None:
    assert awaiting_lines(ast.parse("class A:\n    async def f(self):\n        await g()\n")) == [2, 3]


def test_every_module_says_what_it_is() -> None:
    assert [name for name, tree in parsed(".") if ast.get_docstring(tree) is None] == []


def test_every_module_defers_its_annotations() -> None:
    eager = []
    for name, tree in parsed("."):
        deferred = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
        if defines_something(tree) and not deferred:
            eager.append(name)
    assert eager == []


def test_no_module_hides_behind_a_word_that_says_nothing() -> None:
    assert [str(path.relative_to(ROOT)) for path in sources(".") if path.stem in RETIRED_NAMES] == []
