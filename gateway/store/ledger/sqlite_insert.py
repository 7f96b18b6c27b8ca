"""How a batch is written in SQLite: rows that are new, and the totals of their days.

What most of the columns hold, the rows of a moment share: their config, their provider, their model. To bind a value is
what costs, so what a group of rows shares is bound once for many.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from time import sleep
from typing import Final

from gateway.core.record import Record
from gateway.store.ledger.columns import COLUMNS
from gateway.store.ledger.grouped import OWN, PARTS, SHARED, Group, GroupedRecords, Value
from gateway.store.ledger.totals import KEYS, SUMS, TEAM_KEYS, team_totals, totals

_SIZES: Final = (128, 32, 8, 4, 2, 1)
"""Rows of a statement. Many, because between two statements the thread takes the interpreter's lock and gives it back,
and each time is another for which the event loop waits."""
_FEW: Final = 500
"""So many rows at once come from a gateway with time to spare. There what counts is that no request waits for them: a
thread that works on may keep the core for milliseconds, so it rests now and then."""
_AT_ONCE: Final = 32
"""Rows without a rest then."""
_REST: Final = 0.0003
"""Seconds."""
_MOST: Final = 2**63 - 1


def _insert_of(size: int, own: Sequence[str]) -> str:
    """The parameters are what is shared, what attempts begin with, and each column of what is not shared."""
    place = {name: f"?{number}" for number, name in enumerate((*SHARED, "head"), 1)}

    def value(name: str, row: int) -> str:
        if name not in own:
            return place.get(name, "0")
        parameter = f"?{len(place) + own.index(name) * size + row + 1}"
        return f"{place['head']} || {parameter}" if name == "attempts" else parameter

    rows = (", ".join(value(name, row) for name in COLUMNS) for row in range(size))
    values = ", ".join(f"({row})" for row in rows)
    return f"INSERT INTO ledger_rows ({', '.join(COLUMNS)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _added(table: str, keys: Sequence[str]) -> str:
    sums = ", ".join(f"{name} = MIN({name} + excluded.{name}, {_MOST})" for name in SUMS)
    return (
        f"INSERT INTO {table} ({', '.join((*keys, *SUMS))}) VALUES ({', '.join('?' * len((*keys, *SUMS)))}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    )


_INSERTS: Final = {size: _insert_of(size, OWN) for size in _SIZES}
_INSERTS_WITH_PARTS: Final = {size: _insert_of(size, (*OWN, *PARTS)) for size in _SIZES}
_FIND: Final = "SELECT 1 FROM ledger_rows WHERE time = ? AND id = ?"
_ADD: Final = _added("ledger_days", KEYS)
_ADD_TO_TEAMS: Final = _added("ledger_team_days", TEAM_KEYS)


def insert_groups(connection: sqlite3.Connection, records: GroupedRecords) -> int:
    """Write those whose ids are not there; how many were new. In a transaction of the caller's."""
    rests = _rests(records)
    new = since = 0
    for group in records.groups():
        for size, insert, values in _statements(group, _AT_ONCE if rests else _SIZES[0]):
            new += connection.execute(insert, values).rowcount
            since += size
            if rests and since >= _AT_ONCE:
                sleep(_REST)
                since = 0
    return new


def unknown(connection: sqlite3.Connection, records: Iterable[Record]) -> Iterator[Record]:
    """Those that are not there, each once."""
    seen = set()
    for record in records:
        name = record.time, record.id
        if name not in seen and connection.execute(_FIND, name).fetchone() is None:
            seen.add(name)
            yield record


def add_totals(connection: sqlite3.Connection, records: GroupedRecords) -> None:
    """Add rows that are new to the totals of their days."""
    if _rests(records):
        sleep(_REST)
    found = totals(records.groups())
    connection.executemany(_ADD, found)
    connection.executemany(_ADD_TO_TEAMS, team_totals(found))


def _rests(records: GroupedRecords) -> bool:
    return _AT_ONCE < len(records) <= _FEW


def _statements(group: Group, most: int) -> Iterator[tuple[int, str, Sequence[Value]]]:
    """What writes a group, so many rows in each: how many rows, the statement, and its values."""
    inserts = _INSERTS_WITH_PARTS if group.parts else _INSERTS
    shared, at, left = (*group.shared(), group.head()), 0, len(group)
    if left == 1:
        # Where rows have little in common, most of them are alone.
        yield 1, inserts[1], (*shared, *group.own(), *chain.from_iterable(group.parts))
        return
    columns = [*group.columns(), *zip(*group.parts, strict=True)]
    for size, insert in inserts.items():
        while left >= size <= most:
            yield size, insert, (*shared, *chain.from_iterable(column[at : at + size] for column in columns))
            at += size
            left -= size
