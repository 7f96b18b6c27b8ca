"""The lines around a moment of a case: what came, what was asked of whom, what changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.rehearsal.record import Called, Record, Told
from gateway.rehearsal.verdict import shown_span

BEFORE: Final = 8
AFTER: Final = 6


def timeline(record: Record, moment: float) -> list[str]:
    """A few lines before `moment` and after it. `>` stands before the first line at it."""
    lines = sorted(_lines(record), key=lambda line: line[0])
    wrong = next((number for number, (at, _) in enumerate(lines) if at >= moment), len(lines))
    begin = max(0, wrong - BEFORE)
    near = enumerate(lines[begin : wrong + AFTER], begin)
    return [f"{'>' if number == wrong else ' '} {shown_span(at):>10}  {text}" for number, (at, text) in near]


def _lines(record: Record) -> Iterator[tuple[float, str]]:
    for told in record.told:
        yield told.at, _of_request(told)
    for call in record.called:
        yield call.at, _of_call(call)
    for change in record.changes:
        yield change.at, f"{change.what} is {change.state}"


def _of_request(told: Told) -> str:
    words = [f"request {told.number}: {told.status} after {shown_span(told.took)}"]
    if told.target:
        words.append(f"by {told.target}")
    if told.attempts > 1:
        words.append(f"in {told.attempts} attempts")
    if error := told.headers.get("x-gateway-error"):
        words.append(f"({error})")
    if cached := told.headers.get("x-gateway-cache"):
        words.append(f"(cache {cached})")
    if rest := told.headers.get("retry-after"):
        words.append(f"retry-after {rest}s")
    return " ".join(words) + ("" if told.whole else ", broken off")


def _of_call(call: Called) -> str:
    ends = {"complete": str(call.status), "failed": f"failed ({call.status or 'no reply'})", "cancelled": "cancelled"}
    key = f" with key {call.key}" if call.key else ""
    return f"  call to {call.provider}{key}: {ends.get(call.end, 'never ended')} after {shown_span(call.took)}"
