"""Records to write, and what a ledger is asked of them, reckoned in Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.core.exchange import Call, Exchange
from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage

MIDNIGHT: Final = 1_800_057_600.0
"""A midnight of UTC: 2027-01-16."""
DAY: Final = 86400.0

_BASE: Final = Record(
    id="", time=MIDNIGHT, request_id="", caller="", team="", project="", user="u-1", router="prod", config="c0ffee",
    dialect="openai", operation="chat", stream=True, asked="gpt-4o", provider="openai", model="gpt-4o", key="main",
    rule="", status=200, outcome="ok", error_code="", usage=Usage(100, 20, 5, 1, 2, 3, 4, 6), metered=True,
    cost=1_234_567, price_source="table", cache="miss", saved=0, saved_by="", seconds=0.5, first_byte=0.25,
    max_tokens=64, attempts=(AttemptRecord("azure", "gpt-4o", "a", 503, "unavailable", 0.125),), losses=("logit_bias",),
)  # fmt: skip


def a_record(number: int, **changes: Any) -> Record:
    """One of many that differ: by caller, team, model, hour, and now and then by price and outcome."""
    own: dict[str, Any] = {
        "id": f"process-{number:x}",
        "request_id": f"request-{number}",
        "time": MIDNIGHT + number * 977.25,
        "caller": f"caller-{number % 5}",
        "team": f"team-{number % 3}",
        "project": f"project-{number % 2}",
        "model": f"model-{number % 4}",
    }
    if number % 7 == 0:
        own |= {"cost": None, "price_source": ""}
    if number % 11 == 0:
        own |= {"status": 502, "outcome": "error", "error_code": "upstream_failed", "usage": Usage(), "cost": None}
    return msgspec.structs.replace(_BASE, **{**own, **changes})


def records(count: int, **changes: Any) -> list[Record]:
    return [a_record(number, **changes) for number in range(count)]


def alike(count: int, **changes: Any) -> list[Record]:
    """They differ in what each has of its own alone."""
    same = {"caller": "c", "team": "t", "project": "p", "model": "m", "cost": 5, "status": 200, "outcome": "ok"}
    own = [
        {"id": f"id-{n}", "time": MIDNIGHT + n, "seconds": n * 0.1, "max_tokens": n, "usage": Usage(n, 4)}
        for n in range(count)
    ]
    return [a_record(1, **{**same, **of_one, **changes}) for of_one in own]


def by_id(found: Iterable[Record]) -> list[Record]:
    return sorted(found, key=lambda record: record.id)


def cost_of(found: Iterable[Record]) -> int:
    return sum(record.cost or 0 for record in found)


def an_exchange(*, charged: bool = False) -> Exchange:
    """The exchange of a record, for a sink."""
    call = Call("openai", "chat", "/chat/completions")
    return Exchange(
        id="request", method="POST", path="/chat/completions", query=b"", headers=[], body=b"", call=call,
        router="prod", started=0.0, wall=0.0, charged=charged,
    )  # fmt: skip
