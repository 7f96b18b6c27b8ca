"""Fixtures of the tests on real databases: each gets an empty one, of SQLite and then of PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from gateway.core.secret import Secret
from gateway.store.ledger.postgres import PostgresLedger
from gateway.store.ledger.protocol import LedgerDatabase
from gateway.store.ledger.sqlite import SqliteLedger
from tests.support.postgres_server import PostgresServer, run_postgres

_numbers: Final = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that all tests share, and none stops."""
    with run_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """Of an empty database."""
    name = f"ledger_{next(_numbers)}"
    asyncio.run(_execute(postgres.url(), f"CREATE DATABASE {name}"))
    return postgres.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], LedgerDatabase]:
    """Makes another client of one empty database, not open yet."""
    if request.param == "sqlite":
        return lambda: SqliteLedger(tmp_path / "ledger.db")
    url = request.getfixturevalue("postgres_url")
    return lambda: PostgresLedger(Secret("ledger", url), "here")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
