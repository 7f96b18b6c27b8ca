"""Prometheus' text format, out of the numbers of every worker.

A scrape reaches one worker, so each worker leaves a snapshot of its samples in a folder that they
share, and the one that is asked adds the others' to its own. Counters of a worker that has gone
stay, or a restart would look like a reset. Nothing is written while there is one worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from gateway.telemetry.families import FAMILIES
from gateway.telemetry.metrics import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_FAMILY_OF = {family.name + suffix: family for family in FAMILIES.values() for suffix in _SUFFIXES[family.kind]}
_MOST = frozenset(
    (
        "gateway_breaker_state",
        "gateway_budget_spent_ratio",
        "gateway_config_info",
        "gateway_config_reload_seconds",
        "gateway_routers",
        "gateway_keys",
        "gateway_ledger_spool_bytes",
        "gateway_ledger_lag_seconds",
    )
)
_LEAST = frozenset(
    (
        "gateway_config_last_reload_successful",
        "gateway_store_up",
        "gateway_ledger_up",
        "gateway_quota_remaining_usd",
    )
)
_LIVE_ONLY = frozenset(family.name for family in FAMILIES.values() if family.kind == "gauge")

Table = dict[tuple[str, tuple[str, ...]], float]


class Snapshots:
    """The folder in which workers leave their samples."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"{os.getpid()}.samples"

    def write(self, samples: Iterable[Sample]) -> None:
        """Replace this worker's snapshot, whole or not at all."""
        scratch = self._own.with_suffix(".new")
        scratch.write_bytes(msgspec.msgpack.encode(list(samples)))
        scratch.replace(self._own)

    def others(self) -> list[list[Sample]]:
        """The other workers' samples; of those that have gone, only what lasts."""
        found: list[list[Sample]] = []
        decoder = msgspec.msgpack.Decoder(list[Sample])
        for path in sorted(self._folder.glob("[0-9]*.samples")):
            if path == self._own:
                continue
            try:
                samples = decoder.decode(path.read_bytes())
            except (OSError, msgspec.DecodeError):
                # Better a page without one worker than no page.
                continue
            if not _is_alive(int(path.stem)):
                samples = [sample for sample in samples if sample[0] not in _LIVE_ONLY]
            found.append(samples)
        return found


def render(workers: Iterable[Iterable[Sample]]) -> bytes:
    """The samples of all workers in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(_merge(workers)))
    return generate_latest(registry)


class _Collector:
    def __init__(self, table: Mapping[tuple[str, tuple[str, ...]], float]) -> None:
        self._table = table

    def collect(self) -> Iterable[Metric]:
        metrics = {name: Metric(name, family.help, family.kind) for name, family in FAMILIES.items()}
        for (name, labels), value in self._table.items():
            family = _FAMILY_OF[name]
            names = (*family.labels, "le") if name.endswith("_bucket") else family.labels
            metrics[family.name].add_sample(name, dict(zip(names, labels, strict=True)), value)
        return metrics.values()


def _merge(workers: Iterable[Iterable[Sample]]) -> Table:
    table: Table = {}
    for samples in workers:
        for name, labels, value in samples:
            key = (name, labels)
            if key not in table:
                table[key] = value
            elif name in _MOST:
                table[key] = max(table[key], value)
            elif name in _LEAST:
                table[key] = min(table[key], value)
            else:
                table[key] += value
    return table


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
