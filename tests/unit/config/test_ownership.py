from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.ownership import owners_of
from gateway.config.spec import Owner


@pytest.mark.parametrize(
    ("pattern", "file", "fits"),
    [
        ("routers.d/*.yaml", "routers.d/a.yaml", True),
        ("routers.d/*.yaml", "routers.d/deep/a.yaml", False),
        ("routers.d/**/*.yaml", "routers.d/a.yaml", True),
        ("routers.d/**/*.yaml", "routers.d/deep/er/a.yaml", True),
        ("routers.d/**", "routers.d/deep/a.yaml", True),
        ("routers.d/a?.yaml", "routers.d/ab.yaml", True),
        ("routers.d/a?.yaml", "routers.d/a/.yaml", False),
        ("routers.d/a.yaml", "routers.d/a-yaml", False),
        ("a.yaml", "b/a.yaml", False),
    ],
)
def test_a_pattern_of_files(pattern: str, file: str, fits: bool) -> None:  # a column of the table
    owner = Owner(files=pattern)
    assert owners_of(file, (owner,)) == ((owner,) if fits else ())


@pytest.mark.parametrize("file", [Path("a.yaml"), Path("b/a.yaml")])
def test_a_file_may_have_several_owners(file: Path) -> None:
    owners = (Owner(files="**"), Owner(files="c.yaml"), Owner(files=f"**/{file.name}"))
    assert owners_of(file.as_posix(), owners) == (owners[0], owners[2])
