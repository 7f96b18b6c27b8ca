"""One record for each exchange that is over, given to every sink.

Lives here: what of an exchange becomes which field. Must not: wait, raise, or decide what a sink keeps. A gateway
without sinks has no recorder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from gateway.core.exchange import Exchange
from gateway.core.record import NOTHING_USED, AttemptRecord, Record
from gateway.pipeline.identity import end_user
from gateway.policy.estimate import Estimator, used_by
from gateway.telemetry.log import Log
from gateway.telemetry.sink import Sink

Settle = Callable[[Exchange], None]


class Recorder:
    """config: the hash of the config that decides."""

    __slots__ = ("_config", "_estimator", "_log", "_prefix", "_serial", "_sinks")

    def __init__(self, sinks: Sequence[Sink], config: str, estimator: Estimator, log: Log) -> None:
        self._sinks: Final = tuple(sinks)
        self._config = config
        self._estimator = estimator
        self._log = log
        self._prefix = os.urandom(8).hex()
        self._serial = count(1)

    def __call__(self, exchange: Exchange) -> None:
        """Record an exchange that has settled."""
        record = self.record(exchange)
        for sink in self._sinks:
            try:
                sink.write(record, exchange)
            except Exception as bug:
                # A sink's bug is not the client's: its reply has gone already.
                self._log.write(
                    "error",
                    "a record was lost",
                    {"request_id": exchange.id, "sink": type(sink).__name__, "error": repr(bug)},
                )

    def record(self, exchange: Exchange) -> Record:
        call = exchange.call
        attempts = exchange.attempts
        self._estimator.guess(exchange)
        usage = used_by(exchange)
        started = exchange.started
        return Record(
            id=f"{self._prefix}-{next(self._serial):x}",
            time=exchange.wall,
            request_id=exchange.id,
            caller=exchange.caller,
            team=exchange.team,
            project=exchange.project,
            user=end_user(exchange),
            router=exchange.router,
            config=self._config,
            dialect=call.dialect,
            operation=call.operation,
            stream=call.stream,
            asked=call.model,
            provider=exchange.provider,
            model=exchange.model,
            key=attempts[-1].key if attempts else "",
            rule=exchange.rule,
            status=exchange.status,
            outcome=exchange.outcome,
            error_code=exchange.error_code,
            usage=usage,
            metered=exchange.usage is not None and usage is not NOTHING_USED,
            cost=exchange.cost,
            price_source=exchange.price_source,
            cache=exchange.cache,
            saved=exchange.saved,
            saved_by=exchange.saved_by,
            seconds=exchange.ended - started,
            first_byte=exchange.first_byte - started if exchange.first_byte else 0.0,
            max_tokens=call.max_tokens,
            attempts=tuple(
                AttemptRecord(
                    attempt.provider,
                    attempt.model,
                    attempt.key,
                    attempt.status,
                    attempt.fault or "",
                    attempt.ended - attempt.started if attempt.ended else 0.0,
                )
                for attempt in attempts
            ),
            losses=exchange.losses,
        )
