from __future__ import annotations

import msgspec
import pytest

from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import NOTHING_USED, Usage
from gateway.store.ledger.columns import COLUMNS, OWN, SHARED, own_of, record_of, shared_of
from gateway.store.ledger.fitting import LONGEST, MOST_MONEY, MOST_TOKENS, fitted, is_clamped
from tests.support.records import a_record, records


def test_what_fits_is_left_as_it_is() -> None:
    for record in (*records(50), a_record(1, usage=NOTHING_USED), a_record(2, asked="modèle-über-模型 1")):
        assert fitted(record) is record


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"usage": Usage(2**80, -5, 3)}, {"usage": Usage(MOST_TOKENS, 0, 3)}),
        ({"cost": 2**70}, {"cost": MOST_MONEY}),
        ({"cost": -1}, {"cost": 0}),
        ({"saved": -(2**70)}, {"saved": 0}),
    ],
)
def test_absurd_numbers_are_cut(given: dict[str, object], wanted: dict[str, object]) -> None:
    record = a_record(1, **given)
    row = fitted(record)
    assert row == msgspec.structs.replace(a_record(1), **wanted)
    assert is_clamped(record, row)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"asked": "x" * 5000}, {"asked": "x" * LONGEST}),
        ({"user": "a\0b\nc"}, {"user": "a\ufffdb\ufffdc"}),
        ({"asked": "half \ud800"}, {"asked": "half ?"}),
        ({"max_tokens": 2**70}, {"max_tokens": MOST_TOKENS}),
        ({"time": -1.0}, {"time": 0.0}),
        ({"seconds": -0.5}, {"seconds": 0.0}),
        ({"losses": ("x",) * 100}, {"losses": ("x",) * 64}),
        ({"attempts": (AttemptRecord("a", "b", "c"),) * 100}, {"attempts": (AttemptRecord("a", "b", "c"),) * 64}),
    ],
)
def test_what_else_has_no_bound_is_cut_and_is_no_news(given: dict[str, object], wanted: dict[str, object]) -> None:
    record = a_record(1, **given)
    row = fitted(record)
    assert row == msgspec.structs.replace(a_record(1), **wanted)
    assert not is_clamped(record, row)


def test_every_field_of_a_record_has_its_column() -> None:
    assert len(COLUMNS) == len(Record.__struct_fields__) - 1 + len(Usage.__struct_fields__)
    for record in records(30):
        row = dict(zip((*SHARED, *OWN), (*shared_of(record), *own_of(record)), strict=True))
        assert sorted(row) == sorted(COLUMNS)
        assert record_of([row[name] for name in COLUMNS]) == record
