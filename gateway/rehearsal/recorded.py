"""What a provider would have answered to a recorded request: as it did, or as it did others at that time.

Pure but for what it remembers. Law: what the record does not know is said to be unknown, never made up unsaid.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

import msgspec

from gateway.telemetry.audit_line import AuditLine, Tried

KEPT: Final = 64
"""Attempts of a target that are remembered, the latest."""
TARGETS: Final = 4096
"""Targets of which any are: clients make names up."""
_OWN_FAULT: Final = frozenset(("rejected", "content-policy", "context-length"))
"""What lies in a request, not in who is asked."""

Name = tuple[str, str]
"""Provider and model."""


class Answer(msgspec.Struct, frozen=True):
    """status: 0 where there was no reply. seconds: until it was there whole, or had failed. by: whether the record has
    it of this request, of others to the same target, or not at all."""

    status: int
    fault: str
    seconds: float
    by: Literal["itself", "others", "nothing"]


class Known:
    """What has been recorded of each target."""

    def __init__(self) -> None:
        self._seen: dict[Name, deque[Tried]] = {}

    def learn(self, line: AuditLine) -> None:
        """Take in what has happened."""
        for tried in line.attempts:
            name = tried.provider, tried.model
            kept = self._seen.get(name)
            if kept is None:
                if len(self._seen) >= TARGETS:
                    continue
                kept = self._seen[name] = deque(maxlen=KEPT)
            if tried.fault not in _OWN_FAULT:
                kept.append(tried)

    def answer(self, line: AuditLine, provider: str, model: str, turn: int, draw: float) -> Answer:
        """turn: how often this target has been asked for this request before. draw: in [0, 1)."""
        own = [one for one in line.attempts if one.provider == provider and (one.model == model or not model)]
        if own:
            return _answer(own[min(turn, len(own) - 1)], "itself")
        fault = next((one for one in line.attempts if one.fault in _OWN_FAULT), None)
        if fault is not None:
            return _answer(fault, "others")
        kept = self._seen.get((provider, model))
        if kept:
            return _answer(kept[int(draw * len(kept))], "others")
        return Answer(200, "", line.response.latency_ms / 1e3, "nothing")


def _answer(tried: Tried, by: Literal["itself", "others"]) -> Answer:
    return Answer(tried.status or (0 if tried.fault else 200), tried.fault, tried.latency_ms / 1e3, by)
