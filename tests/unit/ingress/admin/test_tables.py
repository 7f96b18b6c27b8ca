from __future__ import annotations

import msgspec

from gateway.ingress.admin.answers import RecordLine, UsageLine
from gateway.ingress.admin.tables import (
    RECORD_NAMES,
    USAGE_NAMES,
    record_cells,
    record_line,
    usage_cells,
    usage_line,
)
from gateway.store.ledger.protocol import UsageRow
from tests.support.exchange_records import served

ROW = UsageRow(("ml", "2026-11-21"), 1, 2, 3, 4, 5, 6, 7, 8_000_000_000, 9, 10_000_000, 11.5)


def test_a_record_is_the_same_in_both_forms() -> None:
    for record in (served(), served(cost=None, stream=False, saved=5)):
        line = msgspec.to_builtins(record_line(record))
        line["attempts"] = len(line["attempts"])
        names = [name.removesuffix("_usd") for name in RECORD_NAMES]
        assert names == list(RecordLine.__struct_fields__)
        assert dict(zip(names, record_cells(record), strict=True)) == line


def test_usage_is_the_same_in_both_forms() -> None:
    line = msgspec.to_builtins(usage_line(("team", "day"), ROW))
    names = [name.removesuffix("_usd") for name in USAGE_NAMES]
    assert ["group", *names] == list(UsageLine.__struct_fields__)
    cells = usage_cells(ROW)
    assert cells[:2] == tuple(line.pop("group").values())
    assert dict(zip(names, cells[2:], strict=True)) == line
