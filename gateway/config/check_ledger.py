"""Rules about the ledger: an address that can be read, and times and sizes that make sense together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.ledger_url import read_ledger_url
from gateway.config.problem import Problem
from gateway.config.subject import Rule, Subject
from gateway.core.units import seconds, size_in_bytes

_LONGEST_BATCH: Final = 10.0
_SHORTEST_BATCH: Final = 0.005
_SHORTEST_RETENTION: Final = 86400.0
_LEAST_SPOOL: Final = 1024 * 1024


def ledger_address(subject: Subject) -> Iterator[Problem]:
    ledger = subject.spec.ledger
    if ledger is None:
        return
    try:
        read_ledger_url(ledger.url)
    except ValueError as reason:
        # The address itself is not shown: it may hold a password.
        yield subject.origins.error(
            "ledger-url",
            ("ledger", "url"),
            f"this address cannot be used: {reason}",
            "`sqlite:///gateway.db` or `postgresql://gateway:${env:LEDGER_PASSWORD}@host/gateway`, for example",
        )


def ledger_amounts(subject: Subject) -> Iterator[Problem]:
    ledger = subject.spec.ledger
    if ledger is None:
        return
    if not _SHORTEST_BATCH <= seconds(ledger.batch) <= _LONGEST_BATCH:
        yield subject.origins.error(
            "ledger-batch", ("ledger", "batch"), "rows are gathered for 5ms at least and 10s at most", "100ms is usual"
        )
    if ledger.retention is not None and seconds(ledger.retention) < _SHORTEST_RETENTION:
        yield subject.origins.error(
            "ledger-retention",
            ("ledger", "retention"),
            "rows are kept for a day at least: totals are made by day",
            "write 1d or more, or leave it out to keep everything",
        )
    if size_in_bytes(ledger.max_spool) < _LEAST_SPOOL:
        yield subject.origins.error(
            "ledger-spool",
            ("ledger", "max-spool"),
            "so small a spool is full within a moment of an outage",
            "write 1MiB or more: a row takes about 1KiB",
        )


LEDGER_RULES: Final[tuple[Rule, ...]] = (ledger_address, ledger_amounts)
