"""Scenarios: the whole application, one situation a test, on virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from tests.support.house import HOUSE, KEYS, Serve, Served

_numbers: Final = count()


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the folders of all are: to make a `tmp_path` for each takes as long as to read its config."""
    return tmp_path_factory.mktemp("houses")


@pytest.fixture
def serve(houses: Path) -> Iterator[Serve]:
    """`serve(yaml)` builds the application inside the test; what must hold of any is checked after it."""
    made: list[Served] = []

    def start(text: str = HOUSE, env: Mapping[str, str] = KEYS) -> Served:
        folder = houses / str(next(_numbers))
        folder.mkdir()
        made.append(Served(folder, text, env))
        return made[-1]

    yield start
    for served in made:
        served.check()
