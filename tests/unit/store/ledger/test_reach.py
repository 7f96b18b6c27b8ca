from __future__ import annotations

from collections.abc import Mapping

from gateway.store.ledger.protocol import LedgerDown
from gateway.store.ledger.reach import FIRST_RETRY, LAST_RETRY, Reach


class Watch:
    """Time as the test says, and what was told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[str] = []
        self.reach = Reach(lambda: self.now, self._tell)

    def _tell(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        self.told.append(event)


def test_what_answers_may_be_asked() -> None:
    watch = Watch()
    assert watch.reach.may_be_asked()
    assert not watch.reach.rose()
    assert watch.told == []


def test_what_does_not_answer_is_asked_at_longer_and_longer_intervals() -> None:
    watch = Watch()
    waits = []
    for _ in range(8):
        watch.reach.fell(LedgerDown("away"))
        assert not watch.reach.may_be_asked()
        waits.append(round(watch.reach.wait(), 3))
        watch.now += watch.reach.wait()
        assert watch.reach.may_be_asked()
    assert waits == [min(FIRST_RETRY * 2**again, LAST_RETRY) for again in range(8)]
    assert (watch.told, watch.reach.behind_since) == (["the ledger is away"], 100.0)


def test_what_is_back_is_told_of_once_and_begins_anew() -> None:
    watch = Watch()
    for _ in range(3):
        watch.reach.fell(LedgerDown("away"))
    assert watch.reach.rose()
    assert not watch.reach.rose()
    watch.reach.fell(LedgerDown("away"))
    assert round(watch.reach.wait(), 3) == FIRST_RETRY
    assert watch.told == ["the ledger is away", "the ledger is back", "the ledger is away"]
