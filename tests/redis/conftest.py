"""Fixtures of the tests against real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.library_link import LibraryLink
from gateway.store.redis_link import RedisLink
from tests.support.redis_server import KINDS, RedisServer, run_server
from tests.support.store_link import CLIENT


@pytest.fixture(params=KINDS)
def server_kind(request: pytest.FixtureRequest) -> str:
    """Redis, then Valkey."""
    kind: str = request.param
    return kind


@pytest.fixture(params=[RedisLink, LibraryLink], ids=["lean", "redis-py"])
def client(request: pytest.FixtureRequest) -> Iterator[type[RedisLink | LibraryLink]]:
    """What `linked` makes."""
    kind: type[RedisLink | LibraryLink] = request.param
    before = CLIENT.set(kind)
    yield kind
    CLIENT.reset(before)


@pytest.fixture
def server(server_kind: str, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis, then a Valkey, empty and without a password."""
    with run_server(server_kind, tmp_path) as running:
        yield running
