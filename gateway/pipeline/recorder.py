"""One record for each exchange that is over, given to every sink.

Lives here: what of an exchange becomes which field. Must not: wait, raise, or decide what a sink keeps. A gateway
without sinks has no recorder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from gateway.core.exchange import Attempt, Exchange
from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import NOTHING_USED
from gateway.pipeline.identity import end_user
from gateway.policy.estimate import Estimator, used_by
from gateway.telemetry.log import Log
from gateway.telemetry.sink import BulkSink, Sink

Settle = Callable[[Exchange], None]


class Recorder:
    """config: the hash of the config that decides."""

    __slots__ = ("_bulk", "_config", "_estimator", "_log", "_prefix", "_serial", "_single")

    def __init__(self, sinks: Sequence[Sink], config: str, estimator: Estimator, log: Log) -> None:
        self._bulk: Final = tuple(sink for sink in sinks if isinstance(sink, BulkSink))
        self._single: Final = tuple(sink for sink in sinks if not isinstance(sink, BulkSink))
        self._config = config
        self._estimator = estimator
        self._log = log
        self._prefix = os.urandom(8).hex()
        self._serial = count(1)

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Record exchanges that have settled. What this raises it raises before any sink has one of them."""
        records = list(map(self.record, exchanges))
        for bulk in self._bulk:
            try:
                bulk.write_all(records, exchanges)
            except Exception as bug:
                self._tell_lost(bulk, exchanges, bug)
        for sink in self._single:
            for record, exchange in zip(records, exchanges, strict=True):
                try:
                    sink.write(record, exchange)
                except Exception as bug:
                    self._tell_lost(sink, (exchange,), bug)

    def record(self, exchange: Exchange) -> Record:
        call = exchange.call
        attempts = exchange.attempts
        if exchange.usage is None:
            self._estimator.guess(exchange)
        usage = used_by(exchange)
        started = exchange.started
        # By place, in the order of the fields: to name them costs twice what all the rest does.
        return Record(
            f"{self._prefix}-{next(self._serial):x}",
            exchange.wall,
            exchange.id,
            exchange.caller,
            exchange.team,
            exchange.project,
            end_user(exchange),
            exchange.router,
            self._config,
            call.dialect,
            call.operation,
            call.stream,
            call.model,
            exchange.provider,
            exchange.model,
            attempts[-1].key if attempts else "",
            exchange.rule,
            exchange.status,
            exchange.outcome,
            exchange.error_code,
            usage,
            exchange.usage is not None and usage is not NOTHING_USED,
            exchange.cost,
            exchange.price_source,
            exchange.cache,
            exchange.saved,
            exchange.saved_by,
            exchange.ended - started,
            exchange.first_byte - started if exchange.first_byte else 0.0,
            call.max_tokens,
            (_tried(attempts[0]),) if len(attempts) == 1 else tuple(map(_tried, attempts)),
            exchange.losses,
        )

    def _tell_lost(self, sink: Sink, exchanges: Sequence[Exchange], bug: Exception) -> None:
        # A sink's bug is not the client's: its reply has gone already.
        for exchange in exchanges:
            self._log.write(
                "error",
                "a record was lost",
                {"request_id": exchange.id, "sink": type(sink).__name__, "error": repr(bug)},
            )


def _tried(attempt: Attempt) -> AttemptRecord:
    return AttemptRecord(
        attempt.provider,
        attempt.model,
        attempt.key,
        attempt.status,
        attempt.fault or "",
        attempt.ended - attempt.started if attempt.ended else 0.0,
    )
