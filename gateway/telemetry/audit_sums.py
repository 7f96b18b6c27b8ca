"""Lines of an audit log added up, by what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.core.money import NANO
from gateway.telemetry.audit_line import AuditLine

MOST_GROUPS: Final = 100_000
"""What comes later is added up as one, so that a column with a value for each line does not fill the memory."""
OTHERS: Final = "(others)"

COLUMNS: Final[Mapping[str, Callable[[AuditLine], str]]] = MappingProxyType({
    "router": lambda line: line.router,
    "tenant": lambda line: line.tenant_id,
    "team": lambda line: line.team,
    "caller": lambda line: line.caller,
    "project": lambda line: line.project,
    "user": lambda line: line.user_id,
    "asked": lambda line: line.request.model,
    "provider": lambda line: line.response.provider,
    "model": lambda line: line.response.model,
    "operation": lambda line: line.request.operation,
    "status": lambda line: str(line.response.status),
    "outcome": lambda line: line.response.outcome,
    "error": lambda line: line.response.error_code,
    "cache": lambda line: line.response.cache,
    "rule": lambda line: line.rule,
    "config": lambda line: line.config,
    "day": lambda line: line.timestamp[:10],
    "hour": lambda line: line.timestamp[:13] + "Z",
    "digest": lambda line: line.request.digest,
})  # fmt: skip
"""What lines can be grouped by."""


class Sums(msgspec.Struct):
    """Of a group. failed: lines whose outcome is not `ok`. cost: nano-USD of those whose price is known, unpriced: how
    many others there are. latency: milliseconds, all together."""

    lines: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    unpriced: int = 0
    saved: int = 0
    latency: float = 0.0
    slowest: float = 0.0

    def add(self, line: AuditLine) -> None:
        response = line.response
        self.lines += 1
        self.failed += response.outcome != "ok"
        self.prompt_tokens += line.request.prompt_tokens
        self.completion_tokens += response.completion_tokens
        if line.cost.amount is not None:
            self.cost += round(line.cost.amount * NANO)
        else:
            self.unpriced += 1
        if line.saved is not None:
            self.saved += round(line.saved.amount * NANO)
        self.latency += response.latency_ms
        self.slowest = max(self.slowest, response.latency_ms)


class Groups:
    """columns: names in COLUMNS; none for one sum of all."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns: Final = tuple(columns)
        self._read: Final = [COLUMNS[name] for name in columns]
        self._sums: Final[dict[tuple[str, ...], Sums]] = {}
        self._others: Final = tuple(OTHERS for _ in columns)

    def add(self, line: AuditLine) -> None:
        key = tuple([read(line) for read in self._read])
        if key not in self._sums and len(self._sums) >= MOST_GROUPS:
            key = self._others
        self._sums.setdefault(key, Sums()).add(line)

    def __len__(self) -> int:
        return len(self._sums)

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], Sums]]:
        """Those with the most lines first."""
        return iter(sorted(self._sums.items(), key=lambda one: (-one[1].lines, one[0])))
