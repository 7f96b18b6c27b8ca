"""The numbered steps that make a ledger's tables, as files: sql/<kind>/0001_name.sql.

A step that has been released is never changed; what comes later is a further file. A database that knows more steps
than this version has is used as it is, so that replicas may be replaced one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

_FOLDER: Final = Path(__file__).parent / "sql"

TABLE: Final = "CREATE TABLE IF NOT EXISTS ledger_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL)"
"""Which steps have been taken. The same in both databases."""


class Migration(msgspec.Struct, frozen=True):
    """name: as in the file's name, number included. sql: one or more statements."""

    number: int
    name: str
    sql: str


def migrations(kind: Literal["sqlite", "postgresql"]) -> tuple[Migration, ...]:
    """All of a kind of database, in order."""
    files = sorted((_FOLDER / kind).glob("[0-9]*.sql"))
    return tuple(Migration(int(file.stem.split("_")[0]), file.stem, file.read_text("utf-8")) for file in files)
