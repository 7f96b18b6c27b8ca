from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage
from gateway.store.ledger import sqlite_insert
from gateway.store.ledger.columns import COLUMNS, record_of
from gateway.store.ledger.grouped import NO_PARTS, OWN, PARTS, SHARED, GroupedRecords
from gateway.store.ledger.totals import KEYS, SUMS, team_totals, totals
from tests.support.records import DAY, MIDNIGHT, a_record, alike, by_id, records

ATTEMPT = AttemptRecord("openai", "gpt-4o", "main", 200, "", 0.25)
OTHERS: list[dict[str, Any]] = [
    {"attempts": ()},
    {"attempts": (ATTEMPT,)},
    {"attempts": (AttemptRecord("azure", "gpt-4o", "a", 503, "unavailable", 1e-7), ATTEMPT)},
    {"losses": ()},
    {"cost": None},
    {"cost": 0},
    {"user": "", "request_id": ""},
    {"user": "zoë-用户"},
    {"usage": Usage(*range(1, 13))},
    {"time": MIDNIGHT + DAY, "seconds": 1 / 3, "first_byte": 0.0},
]


def test_records_come_out_as_they_went_in() -> None:
    given = [*records(60), *(a_record(100 + n, **other) for n, other in enumerate(OTHERS))]
    gathered = GroupedRecords(given)
    assert len(gathered) == len(given)
    assert by_id(list(gathered)) == by_id(given)


@pytest.mark.parametrize("other", OTHERS)
def test_every_field_of_a_record_has_its_column(other: dict[str, Any]) -> None:
    given = [a_record(n, **other) for n in range(30)]
    found = []
    for group in GroupedRecords(given).groups():
        shared = dict(zip(SHARED, group.shared(), strict=True))
        owns = [group.own(), *zip(*group.columns(), strict=True)]
        parts = [*group.parts[:1], *group.parts] or [NO_PARTS] * len(owns)
        rows = []
        for own, of_one in zip(owns, parts, strict=True):
            row = {**shared, **dict(zip(OWN, own, strict=True)), **dict(zip(PARTS, of_one, strict=True))}
            assert sorted(row) == sorted(COLUMNS)
            row["attempts"] = f"{group.head()}{row['attempts']}"
            rows.append(record_of([row[name] for name in COLUMNS]))
            assert row["attempts"] == msgspec.json.encode(rows[-1].attempts).decode()
        assert rows[0] == rows[1]
        found += rows[1:]
    assert by_id(found) == by_id(given)
    assert len(COLUMNS) == len(Record.__struct_fields__) - 1 + len(Usage.__struct_fields__)


def test_what_differs_in_what_each_has_of_its_own_is_one_group() -> None:
    assert [len(group) for group in GroupedRecords(alike(300)).groups()] == [300]


def test_what_each_has_written_to_a_cache_is_its_own() -> None:
    given = [*alike(3), *(replace(record, usage=Usage(9, 9, 0, n + 1)) for n, record in enumerate(alike(40)))]
    assert [len(group) for group in GroupedRecords(given).groups()] == [3, 40]


def test_the_days_of_a_midnight_are_groups_apart() -> None:
    before, after = alike(3, time=MIDNIGHT - 0.001), alike(4, time=MIDNIGHT)
    assert [len(group) for group in GroupedRecords([*before, *after]).groups()] == [3, 4]


def test_numbers_that_no_column_holds_are_refused() -> None:
    with pytest.raises(struct.error):
        GroupedRecords([a_record(1, saved=2**63)])


def test_a_text_that_would_shift_the_others_is_refused() -> None:
    (group,) = GroupedRecords(alike(2, user="a\0b")).groups()
    with pytest.raises(ValueError, match="NUL"):
        group.columns()


def test_totals_are_those_of_the_records() -> None:
    given = records(200)
    found = totals(GroupedRecords(given).groups())
    assert found == sorted(found)
    for row in found:
        key = dict(zip(KEYS, row, strict=False))
        mine = [
            record
            for record in given
            if all(getattr(record, name) == key[name] for name in KEYS[1:])
            and f"2027-01-{16 + int((record.time - MIDNIGHT) // DAY)}" == key["day"]
        ]
        assert dict(zip(SUMS, row[len(KEYS) :], strict=True)) == {
            "requests": len(mine),
            "failed": len([record for record in mine if record.outcome == "error"]),
            "input": sum(record.usage.input for record in mine),
            "output": sum(record.usage.output for record in mine),
            "cached": sum(record.usage.cached for record in mine),
            "cache_write": sum(record.usage.cache_write_5m + record.usage.cache_write_1h for record in mine),
            "reasoning": sum(record.usage.reasoning for record in mine),
            "cost": sum(record.cost or 0 for record in mine),
            "unpriced": sum(record.cost is None for record in mine),
            "saved": sum(record.saved for record in mine),
            "seconds": sum(record.seconds for record in mine),
        }
    assert sum(int(row[len(KEYS)]) for row in found) == 200
    assert sum(int(row[3]) for row in team_totals(found)) == 200


@pytest.mark.parametrize(("count", "statements", "rests"), [(20, 3, 0), (200, 6 + 1, 6 + 1), (600, 4 + 2 + 3, 0)])
def test_few_rows_rest_between_statements_and_many_take_few_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, statements: int, rests: int
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(sqlite_insert, "sleep", slept.append)
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    schema = Path(sqlite_insert.__file__).parent / "sql" / "sqlite" / "0001_ledger.sql"
    connection.executescript(schema.read_text())
    told: list[str] = []
    connection.set_trace_callback(told.append)
    gathered = GroupedRecords(alike(count))
    assert sqlite_insert.insert_groups(connection, gathered) == count
    sqlite_insert.add_totals(connection, gathered)
    assert sum(statement.startswith("INSERT INTO ledger_rows") for statement in told) == statements
    assert len(slept) == rests
    connection.close()
