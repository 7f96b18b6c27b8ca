"""What is unusual by the hours of a ledger."""

from __future__ import annotations

from gateway.core.events import Event
from gateway.policy.anomaly import DAY, HOUR, AnomalyPolicy
from gateway.telemetry.alert_hours import HourWatch, Sums
from gateway.telemetry.events import Events

NOON = 500_000 * HOUR
POLICY = AnomalyPolicy(days=5, deviations=6.0, factor=2.0, least=1.0)


class Ledger:
    """Sums by hour, and a watch that asks for them."""

    def __init__(self, days: int = 5, usual: float = 2.0) -> None:
        self.hours: dict[float, Sums] = {
            float(NOON - day * DAY * HOUR): {"router:a": (usual, 1.0)} for day in range(1, days + 1)
        }
        self.away = False
        self.asked: list[float] = []
        self.now = float(NOON) + 60.0
        self.heard: list[Event] = []
        events = Events(lambda: self.now)
        events.listen(self.heard.append)
        self.watch = HourWatch(self.sums_of, POLICY, POLICY, events, lambda: self.now)

    async def sums_of(self, begins: float) -> Sums | None:
        self.asked.append(begins)
        return None if self.away else self.hours.get(begins, {})

    def put(self, spent: float, failed: float = 0.0, begins: float = float(NOON)) -> None:
        self.hours[begins] = {"router:a": (spent, failed)}

    def told(self) -> list[tuple[str, str]]:
        return [(event.kind, event.key) for event in self.heard]


async def test_an_hour_that_costs_more_than_usual_is_told_once() -> None:
    ledger = Ledger()
    ledger.put(4.0)
    await ledger.watch.look()
    assert ledger.told() == []
    ledger.put(4.5)
    await ledger.watch.look()
    await ledger.watch.look()
    assert ledger.told() == [("spend-anomaly", "router:a")]
    assert ledger.heard[0].fields == {"usd_this_hour": 4.5, "usual": 2.0, "limit": 4.0, "days": 5}
    # The days before are asked for once in an hour.
    assert len(ledger.asked) == 5 + 3


async def test_errors_are_judged_beside_what_is_spent() -> None:
    ledger = Ledger()
    ledger.put(2.0, 3.0)
    await ledger.watch.look()
    assert ledger.told() == [("error-anomaly", "router:a")]


async def test_what_came_after_the_last_look_of_an_hour_is_told_in_the_next() -> None:
    ledger = Ledger()
    await ledger.watch.look()
    ledger.put(9.0)
    ledger.now += HOUR
    await ledger.watch.look()
    assert ledger.told() == [("spend-anomaly", "router:a")]


async def test_too_few_days_say_nothing() -> None:
    ledger = Ledger(days=2)
    ledger.put(900.0)
    await ledger.watch.look()
    assert ledger.told() == []


async def test_a_ledger_that_is_away_is_asked_again_later() -> None:
    ledger = Ledger()
    ledger.put(9.0)
    ledger.away = True
    await ledger.watch.look()
    assert ledger.told() == []
    ledger.away = False
    await ledger.watch.look()
    assert ledger.told() == [("spend-anomaly", "router:a")]
