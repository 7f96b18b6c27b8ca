"""The sink of spans: what waits for the thread, what there is no room for, and a collector that is away."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from gateway.core.exchange import Call, Exchange
from gateway.core.record import Record
from gateway.core.usage import NOTHING_USED
from gateway.policy.sampling import Sampling
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.spans import FinishedSpan
from gateway.telemetry.traces import BATCH, Traces

RECORD: Final = Record(
    id="1", time=0.0, request_id="r", caller="", team="", project="", user="", router="a", config="hash",
    dialect="openai", operation="chat", stream=False, asked="m", provider="", model="", key="", rule="", status=200,
    outcome="ok", error_code="", usage=NOTHING_USED, metered=False, cost=None, price_source="", cache="", saved=0,
    saved_by="", seconds=1.0, first_byte=0.0, max_tokens=0, attempts=(), losses=(),
)  # fmt: skip


class Collector:
    """Takes spans, or fails as `failure` says. held: while it is set, nothing is taken."""

    def __init__(self) -> None:
        self.taken: list[FinishedSpan] = []
        self.batches: list[int] = []
        self.failure = ""
        self.bug: Exception | None = None
        self.came = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.closed = False

    def export(self, spans: Sequence[FinishedSpan]) -> str:
        bug, failure = self.bug, self.failure
        self.came.set()
        self.go_on.wait(20)
        if bug is not None:
            raise bug
        if not failure:
            self.taken.extend(spans)
        self.batches.append(len(spans))
        return failure

    def close(self) -> None:
        self.closed = True
        self.go_on.set()


class Case:
    """A sink, its collector, and requests that are told to it."""

    def __init__(self, bound: int = 1000, make: Callable[[], Collector] | None = None) -> None:
        self.collector = Collector()
        self.output = io.StringIO()
        self.metrics = Metrics()
        log = Log(lambda: 0.0, stream=self.output)
        sampling = Sampling(1.0, follows=True, chance=lambda count: b"\x11" * count)
        self.sink = Traces(sampling, make or (lambda: self.collector), bound=bound, log=log, metrics=self.metrics)

    def settle(self, requests: int = 1) -> None:
        for number in range(requests):
            call = Call("openai", "chat", "/chat/completions")
            exchange = Exchange(
                id=f"r-{number}", method="POST", path="", query=b"", headers=[], body=b"", call=call, router="a",
                started=1.0, wall=1_800_000_000.0, ended=2.0, status=200,
            )  # fmt: skip
            self.sink.write(RECORD, exchange)

    def counted(self) -> dict[str, float]:
        return {
            labels[0]: value for name, labels, value in self.metrics.samples() if name == "gateway_trace_spans_total"
        }


@pytest.mark.real_time
async def test_what_waits_goes_out_when_the_process_ends() -> None:
    case = Case()
    await case.sink.open()
    case.settle(3)
    await case.sink.close()
    assert [span.name for span in case.collector.taken] == ["POST /router/a"] * 3
    assert case.counted() == {"exported": 3}
    assert case.collector.closed


@pytest.mark.real_time
async def test_a_full_batch_does_not_wait_and_none_is_larger() -> None:
    case = Case()
    case.settle(BATCH + 1)
    await case.sink.open()
    await asyncio.to_thread(case.collector.came.wait, 20)
    await case.sink.close()
    assert case.collector.batches == [BATCH, 1]


@pytest.mark.real_time
async def test_what_there_is_no_room_for_is_dropped_and_counted() -> None:
    case = Case(bound=2)
    case.settle(5)
    assert case.counted() == {"dropped": 3}
    await case.sink.open()
    await case.sink.close()
    assert case.counted() == {"dropped": 3, "exported": 2}


@pytest.mark.real_time
async def test_a_collector_that_is_away_is_told_of_once_and_harms_nobody() -> None:
    case = Case()
    case.collector.failure = "connection refused"
    await case.sink.open()
    for _ in range(2):
        case.collector.came.clear()
        case.settle(BATCH)
        await asyncio.to_thread(case.collector.came.wait, 20)
    case.collector.failure = ""
    case.settle()
    await case.sink.close()
    lines = case.output.getvalue().splitlines()
    assert [("traces are not exported" in line, "connection refused" in line) for line in lines[:1]] == [(True, True)]
    assert len(lines) <= 2
    assert case.counted()["failed"] >= BATCH


@pytest.mark.real_time
async def test_a_bug_of_the_exporter_does_not_end_the_thread() -> None:
    case = Case()
    case.collector.bug = RuntimeError("no")
    case.settle()
    await case.sink.open()
    await asyncio.to_thread(case.collector.came.wait, 20)
    case.collector.bug = None
    case.settle()
    await case.sink.close()
    assert case.counted() == {"failed": 1, "exported": 1}


@pytest.mark.real_time
async def test_an_exporter_that_cannot_be_made_is_trouble_and_no_more() -> None:
    def fail() -> Collector:
        raise ValueError("OTEL_EXPORTER_OTLP_COMPRESSION says nonsense")

    case = Case(make=fail)
    await case.sink.open()
    case.settle()
    await case.sink.close()
    assert "nonsense" in (case.sink.trouble() or "")
    assert case.counted() == {"dropped": 1}


def test_nothing_of_opentelemetry_is_imported_before_there_are_traces() -> None:
    script = (
        "import sys, gateway.app, gateway.assemble.house\n"
        "found = [name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'requests')]\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.real_time
async def test_how_threads_take_turns_is_left_as_it_is() -> None:
    before = sys.getswitchinterval()
    case = Case()
    await case.sink.open()
    assert sys.getswitchinterval() == before
    await case.sink.close()
