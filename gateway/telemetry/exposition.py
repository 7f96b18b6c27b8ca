"""Prometheus' text format, out of the numbers of every worker.

A scrape reaches one worker, so each worker leaves a snapshot of its samples in a folder that they
share, and the one that is asked adds the others' to its own. Counters of a worker that has gone
stay, or a restart would look like a reset. Nothing is written while there is one worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

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

_Labelled = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of labels, and what they are."""
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_WORDS: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_HEADS: Final = {
    family.name: f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
    for family in FAMILIES.values()
    for name in (family.name + ("_total" if family.kind == "counter" else ""),)
}


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
    lines: dict[str, list[str]] = {name: [] for name in FAMILIES}
    # The same labels stand in each bucket of a histogram.
    written: dict[_Labelled, str] = {}
    for (name, labels), value in _merge(workers).items():
        family = _FAMILY_OF[name]
        if name.endswith("_bucket"):
            route = _written(family.labels, labels[:-1], written)
            text = f'{{{route},le="{labels[-1]}"}}'
        elif labels:
            text = f"{{{_written(family.labels, labels, written)}}}"
        else:
            text = ""
        lines[family.name].append(f"{name}{text} {_number(value)}\n")
    return "".join(chain.from_iterable((_HEADS[name], *found) for name, found in lines.items())).encode()


def _written(names: tuple[str, ...], labels: tuple[str, ...], written: dict[_Labelled, str]) -> str:
    key = names, labels
    found = written.get(key)
    if found is None:
        pairs = zip(names, labels, strict=True)
        found = written[key] = ",".join(f'{name}="{label.translate(_ESCAPED)}"' for name, label in pairs)
    return found


def _number(value: float) -> str:
    text = repr(float(value))
    return _WORDS.get(text, text)


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
