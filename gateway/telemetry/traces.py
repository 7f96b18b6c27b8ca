"""The sink of spans: what is sampled waits here for a thread that exports it.

Must not: keep a request waiting, or hold more than its bound; what there is no room for is dropped and counted. The
exporter, and with it OpenTelemetry's SDK, is made in that thread, so that nobody waits for its import either.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.core.exchange import Exchange
from gateway.core.record import Record
from gateway.policy.sampling import Sampling
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.spans import FinishedSpan, spans_of

BATCH: Final = 256
"""Requests whose spans go out together, at most."""
EVERY: Final = 1.0
"""Seconds between exports while there are fewer."""
CLOSING: Final = 5.0
"""Seconds for what is left when the process ends."""


class Exporter(Protocol):
    """Where spans go. Used by one thread alone."""

    def export(self, spans: Sequence[FinishedSpan]) -> str:
        """Send them, waiting for it. Why they were lost, or ``."""
        ...

    def close(self) -> None:
        """Give up what is under way. May be called from another thread."""
        ...


class Traces:
    """make: the exporter, in its own thread. bound: so many requests wait at most."""

    def __init__(
        self, sampling: Sampling, make: Callable[[], Exporter], *, bound: int, log: Log, metrics: Metrics
    ) -> None:
        self.sampling: Final = sampling
        self._make = make
        self._bound = bound
        self._log = log
        self._metrics = metrics
        self._waiting: deque[list[FinishedSpan]] = deque()
        self._awake = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._exporter: Exporter | None = None
        self._trouble: str | None = None

    async def open(self) -> None:
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def write(self, record: Record, exchange: Exchange) -> None:
        span = exchange.span
        if span is None:
            # Refused before there was anything to decide: the log names its trace all the same.
            span = exchange.span = self.sampling.begin(exchange.headers)
        if not span.sampled:
            return
        if len(self._waiting) >= self._bound:
            self._metrics.count_spans("dropped", 1 + len(exchange.attempts))
            return
        self._waiting.append(spans_of(record, exchange, span))
        if len(self._waiting) == BATCH:
            self._awake.set()

    async def close(self) -> None:
        thread = self._thread
        if thread is None:
            return
        self._ending = True
        self._awake.set()
        await asyncio.to_thread(thread.join, CLOSING)
        if self._exporter is not None:
            self._exporter.close()
        left = sum(map(len, self.take(len(self._waiting))))
        if left:
            self._metrics.count_spans("dropped", left)

    def trouble(self) -> str | None:
        return self._trouble

    def take(self, most: int = BATCH) -> list[list[FinishedSpan]]:
        """The spans of the requests that have waited longest, which wait no more."""
        found: list[list[FinishedSpan]] = []
        # One by one: meanwhile the event loop adds, and at the end of the process takes away.
        with contextlib.suppress(IndexError):
            while len(found) < most:
                found.append(self._waiting.popleft())
        return found

    def _run(self) -> None:
        try:
            exporter = self._exporter = self._make()
        except Exception as failure:
            # A variable of the environment that says nonsense, or a library that is not there.
            self._tell(f"the exporter cannot be made: {failure!r}")
            return
        while not self._ending:
            self._awake.wait(EVERY)
            self._awake.clear()
            self._export(exporter)
        self._export(exporter)

    def _export(self, exporter: Exporter) -> None:
        while taken := self.take():
            spans = [span for request in taken for span in request]
            try:
                failure = exporter.export(spans)
            except Exception as bug:
                failure = repr(bug)
            self._metrics.count_spans("failed" if failure else "exported", len(spans))
            self._tell(failure)

    def _tell(self, failure: str) -> None:
        """Once when it begins and once when it is over, not for each batch."""
        before, self._trouble = self._trouble, failure or None
        if failure and before is None:
            self._log.write("warning", "traces are not exported", {"error": failure})
        elif before is not None and not failure:
            self._log.write("info", "traces are exported again")
