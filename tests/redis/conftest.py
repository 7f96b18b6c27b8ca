"""Fixtures of the tests against real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.redis_server import KINDS, RedisServer, run_server


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis, then a Valkey, empty and without a password."""
    with run_server(request.param, tmp_path) as running:
        yield running
