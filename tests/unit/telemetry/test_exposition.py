from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry import exposition
from gateway.telemetry.exposition import Snapshots, render
from gateway.telemetry.families import FAMILIES
from gateway.telemetry.metrics import Histogram, Sample

ROUTE = ("prod", "openai", "gpt-4o")
REQUESTS = "gateway_requests_total"
LABELS = (*ROUTE, "chat", "200", "ok")


def parsed(*workers: list[Sample]) -> dict[tuple[str, tuple[str, ...]], float]:
    """What Prometheus reads of the page, with the labels in our order."""
    return {
        (sample.name, tuple(sample.labels[n] for n in (*FAMILIES[family.name].labels, "le") if n in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(render(workers).decode())
        for sample in family.samples
    }


def by_the_library(table: dict[tuple[str, tuple[str, ...]], float]) -> bytes:
    """The page as prometheus_client writes it."""

    class Collector:
        def collect(self) -> Iterable[Metric]:
            metrics = {name: Metric(name, family.help, family.kind) for name, family in FAMILIES.items()}
            for (name, labels), value in table.items():
                family = max(
                    (one for one in FAMILIES.values() if name.startswith(one.name)), key=lambda one: len(one.name)
                )
                names = (*family.labels, "le") if name.endswith("_bucket") else family.labels
                metrics[family.name].add_sample(name, dict(zip(names, labels, strict=True)), value)
            return metrics.values()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry)


def test_the_page_says_what_the_library_would_say() -> None:
    histogram = Histogram()
    for seconds in (0.001, 0.3, 1234567.125, 1e17):
        histogram.observe(seconds)
    odd = 'a "quoted" \\ back\nline, {braces}=\u00e9'
    samples: list[Sample] = [
        (REQUESTS, LABELS, 3),
        (REQUESTS, (odd, *LABELS[1:]), 0.5),
        *histogram.samples("gateway_request_duration_seconds", (odd, "openai", "")),
        ("gateway_requests_in_flight", (), 0),
        ("gateway_resident_bytes", (), 123456789012.0),
        ("gateway_ledger_lag_seconds", (), float("inf")),
        ("gateway_config_reload_seconds", (), 1e-7),
    ]
    ours, theirs = (
        sorted(text_string_to_metric_families(page.decode()), key=lambda family: family.name)
        for page in (render([samples]), by_the_library({(name, labels): value for name, labels, value in samples}))
    )
    assert ours == theirs
    assert ours


def test_counters_and_histograms_of_all_workers_are_added() -> None:
    one, other = Histogram(), Histogram()
    one.observe(0.02)
    other.observe(0.02)
    other.observe(3.0)
    name = "gateway_request_duration_seconds"
    found = parsed(
        [(REQUESTS, LABELS, 2), *one.samples(name, ROUTE)], [(REQUESTS, LABELS, 3), *other.samples(name, ROUTE)]
    )
    assert found[REQUESTS, LABELS] == 5
    assert found[f"{name}_bucket", (*ROUTE, "0.025")] == 2
    assert found[f"{name}_bucket", (*ROUTE, "+Inf")] == 3
    assert found[f"{name}_count", ROUTE] == 3
    assert found[f"{name}_sum", ROUTE] == 3.04


@pytest.mark.parametrize(
    ("name", "labels", "one", "other", "merged"),
    [
        ("gateway_requests_in_flight", (), 2, 3, 5),
        ("gateway_target_in_flight", ("openai", "gpt-4o"), 1, 4, 5),
        ("gateway_resident_bytes", (), 100, 200, 300),
        ("gateway_breaker_state", ("openai", "gpt-4o"), 2, 0, 2),
        ("gateway_keys", ("openai", "active"), 2, 2, 2),
        ("gateway_routers", (), 4, 4, 4),
        ("gateway_config_info", ("abc",), 1, 1, 1),
        ("gateway_config_reload_seconds", (), 0.5, 0.1, 0.5),
        ("gateway_config_last_reload_successful", (), 1, 0, 0),
    ],
)
def test_gauges_merge_as_their_meaning_demands(
    name: str, labels: tuple[str, ...], one: float, other: float, merged: float
) -> None:
    assert parsed([(name, labels, one)], [(name, labels, other)]) == {(name, labels): merged}
    assert parsed([(name, labels, other)], [(name, labels, one)]) == {(name, labels): merged}


def test_workers_that_serve_different_configs_are_seen() -> None:
    found = parsed([("gateway_config_info", ("old",), 1)], [("gateway_config_info", ("new",), 1)])
    assert set(found) == {("gateway_config_info", ("old",)), ("gateway_config_info", ("new",))}


def test_every_family_is_described_even_before_it_has_a_sample() -> None:
    text = render([[]]).decode()
    for name, family in FAMILIES.items():
        shown = f"{name}_total" if family.kind == "counter" else name
        assert f"# HELP {shown} {family.help}\n# TYPE {shown} {family.kind}\n" in text


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    strange = 'a"b\\c\nd'
    found = parsed([("gateway_attempts_total", ("openai", strange), 1)])
    assert found == {("gateway_attempts_total", ("openai", strange)): 1}


def leave(folder: Path, pid: int, samples: list[Sample]) -> None:
    writer = Snapshots(folder)
    writer._own = folder / f"{pid}.samples"
    writer.write(samples)


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The processes that are said to be alive."""
    pids: set[int] = set()
    monkeypatch.setattr(exposition, "_is_alive", pids.__contains__)
    return pids


def test_another_workers_samples_come_back_as_they_were(tmp_path: Path, alive: set[int]) -> None:
    samples: list[Sample] = [(REQUESTS, LABELS, 2), ("gateway_requests_in_flight", (), 1)]
    alive.add(7)
    leave(tmp_path, 7, samples)
    assert Snapshots(tmp_path).others() == [samples]


def test_a_gone_workers_counters_stay_and_its_gauges_do_not(tmp_path: Path, alive: set[int]) -> None:
    one = Histogram()
    one.observe(1.0)
    lasting = [(REQUESTS, LABELS, 2), *one.samples("gateway_request_duration_seconds", ROUTE)]
    gauges: list[Sample] = [
        (name, tuple("x" for _ in family.labels), 1) for name, family in FAMILIES.items() if family.kind == "gauge"
    ]
    leave(tmp_path, 7, [*lasting, *gauges])
    assert Snapshots(tmp_path).others() == [lasting]


def test_a_workers_own_snapshot_is_not_another(tmp_path: Path) -> None:
    own = Snapshots(tmp_path)
    own.write([(REQUESTS, LABELS, 2)])
    assert own.others() == []


def test_a_newer_snapshot_replaces_the_older(tmp_path: Path, alive: set[int]) -> None:
    leave(tmp_path, 7, [(REQUESTS, LABELS, 2)])
    leave(tmp_path, 7, [(REQUESTS, LABELS, 3)])
    assert Snapshots(tmp_path).others() == [[(REQUESTS, LABELS, 3)]]
    assert [path.name for path in tmp_path.iterdir()] == ["7.samples"]


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x93\x01"])
def test_a_broken_snapshot_costs_the_page_nothing_else(tmp_path: Path, alive: set[int], content: bytes) -> None:
    leave(tmp_path, 7, [(REQUESTS, LABELS, 2)])
    (tmp_path / "8.samples").write_bytes(content)
    (tmp_path / "notes.samples").write_bytes(b"")
    assert Snapshots(tmp_path).others() == [[(REQUESTS, LABELS, 2)]]


def test_this_process_is_alive_and_one_that_was_reaped_is_not() -> None:
    assert exposition._is_alive(os.getpid())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not exposition._is_alive(gone.pid)
