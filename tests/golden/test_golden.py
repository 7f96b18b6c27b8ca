"""Every golden case is what its expected files say, in every dialect that it can be written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.matrix import HERE, MINIMUM, PACKAGES, cases, codecs, expected_path, load, render, targets

_CASES = [
    pytest.param(dialect, path, target, id=f"{dialect}/{path.stem}->{target}")
    for dialect in codecs()
    for path in cases(dialect)
    for target in targets(dialect, load(path).kind)
]


@pytest.mark.parametrize(("dialect", "path", "target"), _CASES)
def test_a_case_is_written_as_its_expected_file_says(dialect: str, path: Path, target: str) -> None:
    expected = expected_path(path, target)
    assert expected.exists(), f"{expected.name} is missing: `python -m tests.golden.write {dialect}`, then review it"
    assert render(dialect, load(path), target) == expected.read_text(encoding="utf-8")


def test_no_expected_file_is_without_its_case() -> None:
    strays = [
        str(path.relative_to(HERE))
        for path in HERE.glob("*/*.to.*.json")
        if not path.with_name(path.name.partition(".to.")[0] + ".json").exists()
        or path.name.partition(".to.")[2].removesuffix(".json") not in PACKAGES
    ]
    assert strays == []


def test_no_folder_of_cases_is_without_its_dialect() -> None:
    assert {path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(PACKAGES)


def test_every_case_says_where_and_when_it_was_read() -> None:
    silent = [
        str(path.relative_to(HERE))
        for dialect in PACKAGES
        for path in cases(dialect)
        if not load(path).source or len(load(path).date) != len("2026-11-21") or not load(path).note
    ]
    assert silent == []


@pytest.mark.parametrize("dialect", list(MINIMUM))
def test_a_finished_dialect_has_its_number_of_cases(dialect: str) -> None:
    published = [path for path in cases(dialect) if not load(path).source.startswith("written here")]
    assert len(published) >= MINIMUM[dialect]
