"""The trace of a request as the header `x-gateway-explain` shows it: compact JSON in ASCII, of bounded length."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from gateway.core.exchange import Exchange
from gateway.core.trace import RuleNote, Trace

LARGEST: Final = 4096
"""Bytes. Servers and proxies in front of a client take headers of 8 KB in all."""
_SHORTENED: Final = ("refused", "targets", "rules", "limits", "attempts")
"""In the order in which entries are left out when there are too many: the last of each list goes first."""


def header_of(trace: Trace, exchange: Exchange) -> bytes:
    """What is said of an exchange so far. `left_out` counts the entries that there was no room for."""
    call = exchange.call
    said: dict[str, object] = {
        "router": exchange.router,
        "dialect": call.dialect,
        "operation": call.operation,
        "model": call.model[:200],
        "caller": exchange.caller,
        "team": exchange.team,
        "rule": exchange.rule,
        "rules": [_rule(note) for note in trace.rules],
        "strategy": trace.strategy,
        "tokens": {"input": trace.estimate.input, "output": trace.estimate.output},
        "limits": [_limit(note) for note in trace.limits],
        "cache": trace.cache,
        "targets": list(trace.targets),
        "refused": list(trace.refused),
        "attempts": [
            {
                "provider": attempt.provider,
                "model": attempt.model,
                "key": attempt.key,
                "status": attempt.status,
                "fault": attempt.fault,
            }
            for attempt in exchange.attempts
        ],
    }
    plain: dict[str, object] = msgspec.to_builtins({name: value for name, value in said.items() if value})
    return _bounded(plain)


def _rule(note: RuleNote) -> dict[str, object]:
    """What a rule asks is the config's own: it may name users, and values of headers that few know."""
    failed = [condition.name for condition in note.conditions if not condition.held]
    return {"rule": note.rule, "matched": note.matched} | ({"failed": failed} if failed else {})


def _limit(note: object) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(note)
    path = plain.pop("path", ())
    return plain | ({"path": ".".join(map(str, path))} if isinstance(path, list | tuple) and path else {})


def _bounded(plain: dict[str, object]) -> bytes:
    text = _written(plain)
    left_out = 0
    for name in _SHORTENED:
        entries = plain.get(name)
        while len(text) > LARGEST and isinstance(entries, list) and entries:
            entries.pop()
            left_out += 1
            text = _written(plain | {"left_out": left_out})
    return text


def _written(plain: dict[str, object]) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode("ascii")
