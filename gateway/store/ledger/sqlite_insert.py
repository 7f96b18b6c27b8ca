"""How a batch is written in SQLite: rows that are new, and the totals of their days.

What most of the columns hold, the rows of a moment share: their config, their provider, their model. To bind a value is
what costs, so the rows of a batch are grouped by what they share and that is bound once for many.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from gateway.core.record import Record
from gateway.store.ledger.columns import COLUMNS, OWN, SHARED, Own, Shared, own_of, shared_of
from gateway.store.ledger.totals import KEYS, SUMS, TEAM_KEYS, team_totals, totals

_SIZES: Final = (128, 32, 8, 1)
"""Rows of a statement. Many, because between two statements the thread takes the interpreter's lock and gives it back,
and each time is another for which the event loop waits."""
_MOST: Final = 2**63 - 1


def _insert_of(size: int) -> str:
    """The parameters are SHARED, and OWN of each row."""
    of_shared = {name: place for place, name in enumerate(SHARED, 1)}
    own = {name: place for place, name in enumerate(OWN, len(SHARED) + 1)}
    rows = (
        ", ".join(f"?{of_shared.get(name) or own[name] + row * len(OWN)}" for name in COLUMNS) for row in range(size)
    )
    values = ", ".join(f"({row})" for row in rows)
    return f"INSERT INTO ledger_rows ({', '.join(COLUMNS)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _added(table: str, keys: Sequence[str]) -> str:
    sums = ", ".join(f"{name} = MIN({name} + excluded.{name}, {_MOST})" for name in SUMS)
    return (
        f"INSERT INTO {table} ({', '.join((*keys, *SUMS))}) VALUES ({', '.join('?' * len((*keys, *SUMS)))}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    )


_INSERTS: Final = tuple((size, _insert_of(size)) for size in _SIZES)
_INSERT_ONE: Final = _insert_of(1)
_ADD: Final = _added("ledger_days", KEYS)
_ADD_TO_TEAMS: Final = _added("ledger_team_days", TEAM_KEYS)


def insert_rows(connection: sqlite3.Connection, records: Iterable[Record]) -> int:
    """Write those whose ids are not there; how many were new. In a transaction of the caller's."""
    groups: dict[Shared, list[Own]] = {}
    for record in records:
        shared = shared_of(record)
        rows = groups.get(shared)
        if rows is None:
            rows = groups[shared] = []
        rows.append(own_of(record))
    return sum(_insert_group(connection, shared, rows) for shared, rows in groups.items())


def insert_singly(connection: sqlite3.Connection, records: Iterable[Record]) -> list[Record]:
    """The same, and which were new."""
    return [
        record for record in records if connection.execute(_INSERT_ONE, (*shared_of(record), *own_of(record))).rowcount
    ]


def add_totals(connection: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Add rows that are new to the totals of their days."""
    found = totals(records)
    connection.executemany(_ADD, found)
    connection.executemany(_ADD_TO_TEAMS, team_totals(found))


def _insert_group(connection: sqlite3.Connection, shared: Shared, rows: Sequence[Own]) -> int:
    new = at = 0
    for size, insert in _INSERTS:
        while len(rows) - at >= size:
            new += connection.execute(insert, (*shared, *chain.from_iterable(rows[at : at + size]))).rowcount
            at += size
    return new
