"""Prepaid balances: who is bounded by them, what the client is told, and what the ledger has to do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.core.events import Event
from gateway.core.money import nano_of
from gateway.store.ledger.protocol import Consumer, ConsumerKind, QuotaEntry
from tests.scenario.test_budgets import ONE, TWO, by, keys, statuses, used, yaml
from tests.support.book import Book
from tests.support.house import ALPHA, ANTHROPIC, GEMINI, Serve, Served, chat, generate, message
from tests.support.scripted import chat_reply, ok, refuse
from tests.support.virtual_time import virtual_clock

Start = Callable[..., tuple[Served, Book]]
QUOTAS = "quotas: {consumers: [key, team, project]}\n"
CALLERS = keys("ann, team: red", "bob, team: red", "cy, project: x", "dan")


@pytest.fixture
def start(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Serves with a ledger that is a Book."""

    def begin(more: str = QUOTAS, budget: str = "", tokens: int = 10) -> tuple[Served, Book]:
        book = Book()
        monkeypatch.setattr("gateway.assemble.ledger.ledger_database", lambda settings: book)
        served = serve(yaml(budget, more=f"{CALLERS}{more}ledger: {{spool: '{tmp_path / 'spool'}'}}\n"))
        served.upstream.on(ALPHA, used(tokens))
        return served, book

    return begin


def entry(consumer: str, dollars: str, kind: str = "add") -> QuotaEntry:
    whose, _, name = consumer.partition(":")
    consumer_kind: ConsumerKind = whose  # type: ignore[assignment]
    now = virtual_clock().wall()
    amount = nano_of(Decimal(dollars))
    return QuotaEntry(f"{consumer}{now}{kind}", Consumer(consumer_kind, name), kind, amount, now)  # type: ignore[arg-type]


async def pay(book: Book, consumer: str, dollars: str, kind: str = "add") -> None:
    await book.enter(entry(consumer, dollars, kind))


async def test_who_has_paid_in_spends_that_and_no_more(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.03")
    assert await statuses(served, ONE, 4, headers=by("ann")) == [200, 200, 200, 402]
    assert await statuses(served, TWO, 1, headers=by("ann")) == [402], "on every route"
    assert await statuses(served, "/alpha/v1/chat/completions", 1, headers=by("ann")) == [402]
    assert await statuses(served, ONE, 5, headers=by("dan")) == [200] * 5, "who was never given one is not bounded"
    assert len(served.upstream.sent) == 8


async def test_a_refusal_is_openais_own(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.005")
    reply = await served.client.post(ONE, chat("big", max_tokens=10), headers=by("ann"))
    assert reply.status == 402
    error = reply.json()["error"]
    assert (error["code"], error["type"], error["param"]) == ("insufficient_quota", "insufficient_quota", None)
    assert "The balance of the key 'ann' is too low: it may cost 0.01 USD, and 0.005 USD are left" in error["message"]
    assert reply.headers["x-gateway-error"] == "insufficient_quota"
    assert not served.upstream.sent


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/anthropic/v1/messages", message(), "billing_error"),
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent", generate(), "RESOURCE_EXHAUSTED"),
    ],
)
async def test_a_refusal_speaks_the_clients_dialect(start: Start, path: str, body: dict[str, Any], kind: str) -> None:
    served, book = start()
    await pay(book, "key:ann", "0")
    await pay(book, "key:ann", "-1")
    reply = await served.client.post(path, body, headers=by("ann"))
    assert reply.status == 402
    error = reply.json()["error"]
    assert kind in (error.get("type"), error.get("status"))
    assert ANTHROPIC not in served.upstream.hosts()
    assert GEMINI not in served.upstream.hosts()


async def test_a_request_is_charged_to_all_who_pay(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.02")
    await pay(book, "team:red", "0.03")
    await pay(book, "project:x", "0.01")
    assert await statuses(served, ONE, 3, headers=by("ann")) == [200, 200, 402]
    assert await statuses(served, ONE, 2, headers=by("bob")) == [200, 402], "what is left of the team's"
    assert await statuses(served, ONE, 2, headers=by("cy")) == [200, 402]
    assert await served.metric("gateway_quota_remaining_usd", consumer="red") == pytest.approx(0.0)


async def test_what_is_paid_in_counts_at_once(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.01")
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 402]
    await asyncio.sleep(1)
    assert await statuses(served, ONE, 1, headers=by("ann")) == [402]
    await asyncio.sleep(1)
    await pay(book, "key:ann", "0.02")
    assert await statuses(served, ONE, 3, headers=by("ann")) == [200, 200, 402]


async def test_a_balance_that_is_set_begins_anew(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.01")
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 402]
    await asyncio.sleep(2)
    await pay(book, "key:ann", "0.02", "set")
    assert await statuses(served, ONE, 3, headers=by("ann")) == [200, 200, 402]
    await asyncio.sleep(2)
    await pay(book, "key:ann", "0", "set")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [402]


async def test_a_balance_that_is_taken_away_bounds_within_seconds(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "1")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200]
    await pay(book, "key:ann", "-2")
    await asyncio.sleep(10)
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200], "which has it looked up"
    assert await statuses(served, ONE, 1, headers=by("ann")) == [402]
    assert await served.metric("gateway_quota_remaining_usd", consumer="ann") < 0


async def test_a_first_balance_bounds_within_seconds(start: Start) -> None:
    served, book = start()
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200]
    await pay(book, "key:ann", "0.01")
    await asyncio.sleep(10)
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200]
    await asyncio.sleep(0.1)
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 402]


async def test_who_must_pay_and_never_has_is_refused(start: Start) -> None:
    served, book = start("quotas: {consumers: [key, team], required: true}\n")
    await pay(book, "team:red", "0.02")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200], "its team has"
    reply = await served.client.post(ONE, chat(), headers=by("dan"))
    assert reply.status == 402
    assert "Nothing has been paid in for the key 'dan'" in reply.json()["error"]["message"]
    await pay(book, "key:dan", "1")
    await asyncio.sleep(1)
    assert await statuses(served, ONE, 1, headers=by("dan")) == [200]


async def test_only_those_who_are_to_pay_are_charged(start: Start) -> None:
    served, book = start("quotas: {consumers: [team]}\n")
    await pay(book, "key:ann", "0")
    await pay(book, "team:red", "0.01")
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 402]
    assert "balance key:ann" not in book.asked


async def test_a_balance_of_nothing_lets_nothing_with_a_price_pass(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0", "set")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [402]
    assert (await served.client.get("/router/one/v1/models", headers=by("ann"))).status == 200


async def test_many_requests_ask_the_ledger_once(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "1")
    book.gate = asyncio.Event()
    asked = [asyncio.ensure_future(served.client.post(ONE, chat("big"), headers=by("ann"))) for _ in range(50)]
    await asyncio.sleep(1)
    book.gate.set()
    assert {reply.status for reply in await asyncio.gather(*asked)} == {200}
    assert book.asked == ["balance key:ann", "balance team:red"]


async def test_who_waits_for_the_ledger_may_leave_and_the_others_still_hear(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "1")
    book.gate = asyncio.Event()
    first = served.client.connect("POST", ONE, json=chat("big"), headers=by("ann"))
    await asyncio.sleep(1)
    second = asyncio.ensure_future(served.client.post(ONE, chat("big"), headers=by("ann")))
    await asyncio.sleep(1)
    await first.disconnect()
    book.gate.set()
    assert (await second).status == 200
    assert book.asked == ["balance key:ann", "balance team:red"]


async def test_while_the_ledger_is_away_what_is_known_goes_on_counting(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.03")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200]
    book.away = True
    await asyncio.sleep(60)
    assert await statuses(served, ONE, 3, headers=by("ann")) == [200, 200, 402]


async def test_while_the_ledger_is_away_who_is_not_known_passes(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.01")
    book.away = True
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 200]


async def test_while_the_ledger_is_away_who_is_not_known_is_refused_where_the_file_says_so(start: Start) -> None:
    served, book = start("quotas: {on-outage: closed}\n")
    await pay(book, "key:ann", "1")
    book.away = True
    reply = await served.client.post(ONE, chat(), headers=by("ann"))
    assert (reply.status, reply.json()["error"]["code"]) == (503, "store_unavailable")
    book.away = False
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200]


async def test_a_budget_begins_with_what_the_ledger_says_was_spent(start: Start) -> None:
    first, book = start(budget="{amount: '0.03'}")
    assert await statuses(first, ONE, 2, headers=by("ann")) == [200, 200]
    ledger = first.gateway.house.sinks.get("ledger")
    assert ledger is not None
    await ledger.open()
    await ledger.close()
    assert [record.cost for record in book.records] == [10_000_000, 10_000_000]
    records = book.records
    second, book = start(budget="{amount: '0.03'}")
    book.records = records
    assert await statuses(second, ONE, 2, headers=by("ann")) == [200, 429]


async def test_a_rolling_budget_begins_with_the_ledgers_hours(start: Start) -> None:
    first, book = start(budget="{amount: '0.03', window: rolling 24h}")
    assert await statuses(first, ONE, 2, headers=by("ann")) == [200, 200]
    ledger = first.gateway.house.sinks.get("ledger")
    assert ledger is not None
    await ledger.open()
    await ledger.close()
    records = book.records
    second, book = start(budget="{amount: '0.03', window: rolling 24h}")
    book.records = records
    assert await statuses(second, ONE, 2, headers=by("ann")) == [200, 429]
    await asyncio.sleep(25 * 3600)
    assert await statuses(second, ONE, 4, headers=by("ann")) == [200, 200, 200, 429]


async def test_a_failure_is_given_back(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.01")
    served.upstream.on(ALPHA, refuse())
    assert await statuses(served, ONE, 2, headers=by("ann")) == [502, 502]
    served.upstream.on(ALPHA, used(10))
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 402]


async def test_an_overdrawn_balance_is_paid_back_first(start: Start) -> None:
    served, book = start(tokens=50)
    await pay(book, "key:ann", "0.01")
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 402]
    assert await served.metric("gateway_quota_remaining_usd", consumer="ann") == pytest.approx(-0.04)
    await asyncio.sleep(2)
    await pay(book, "key:ann", "0.04")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [402]
    await asyncio.sleep(2)
    await pay(book, "key:ann", "0.01")
    assert await statuses(served, ONE, 1, headers=by("ann")) == [200]


async def test_a_quota_that_runs_low_is_told_of(start: Start) -> None:
    served, book = start("quotas: {alert-at: [0.5]}\n")
    told: list[Event] = []
    served.runtime.events.listen(told.append)
    await pay(book, "key:ann", "0.1")
    assert await statuses(served, ONE, 7, headers=by("ann")) == [200] * 7
    assert [(event.kind, event.key, event.fields["remaining_usd"]) for event in told] == [
        ("quota-low", "key:ann quota 50%", "0.05")
    ]


async def test_more_than_can_be_counted_exactly_counts_all_the_same(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "900000000")
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 200]


async def test_concurrent_requests_cannot_overspend_a_balance(start: Start) -> None:
    served, book = start()
    await pay(book, "key:ann", "0.05")
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10)), delay=5.0))
    body = chat("big", max_tokens=10)
    replies = await asyncio.gather(*(served.client.post(ONE, body, headers=by("ann")) for _ in range(30)))
    assert sorted(reply.status for reply in replies) == [200] * 5 + [402] * 25
    assert await served.metric("gateway_quota_remaining_usd", consumer="ann") == 0
