from __future__ import annotations

import msgspec
import pytest

from gateway.core.record import AttemptRecord
from gateway.core.usage import NOTHING_USED, Usage
from gateway.store.ledger.fitting import LONGEST, MOST_MONEY, MOST_TOKENS, fitted, is_clamped
from tests.support.records import a_record, records


def test_what_fits_is_left_as_it_is() -> None:
    for record in (*records(50), a_record(1, usage=NOTHING_USED), a_record(2, asked="modèle-über-模型 1")):
        assert fitted(record) is record


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"usage": Usage(2**80, -5, 3)}, {"usage": Usage(MOST_TOKENS, 0, 3)}),
        ({"usage": Usage(reasoning=2**80)}, {"usage": Usage(reasoning=MOST_TOKENS)}),
        ({"usage": Usage(1, 1, image_cached=-1)}, {"usage": Usage(1, 1)}),
        ({"usage": Usage(1, 1, cache_write_1h=2**80)}, {"usage": Usage(1, 1, cache_write_1h=MOST_TOKENS)}),
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
