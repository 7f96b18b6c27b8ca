"""Scenarios: the whole application, one situation a test, on virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.house import HOUSE, KEYS, Serve, Served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(yaml)` builds the application inside the test; what must hold of any is checked after it."""
    made: list[Served] = []

    def start(text: str = HOUSE, env: Mapping[str, str] = KEYS) -> Served:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Served(folder, text, env))
        return made[-1]

    yield start
    for served in made:
        served.check()
