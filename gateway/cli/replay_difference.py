"""What a record and a decision made anew do not agree on.

Pure. Law: what only the moment decided (levels of limits, breakers, keys at rest, whose turn it was) is no difference;
what the config decides is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from gateway.cli.decision import Decision
from gateway.telemetry.audit_line import AuditLine

_OF_THE_MOMENT: Final = frozenset((
    "rate_limited", "request_exceeds_limit", "store_unavailable", "auth_unavailable", "ledger_unavailable", "draining",
    "no_eligible_target", "request_timeout", "deadline_exceeded", "internal_error",
))  # fmt: skip
"""Errors of the gateway's own that levels, outages and time decide."""


class Difference(msgspec.Struct, frozen=True):
    """kind: what it is of. said: in words."""

    kind: Literal["eligibility", "order", "verdict"]
    said: str


def differences(line: AuditLine, decision: Decision) -> Iterator[Difference]:
    """Nothing, where the record may have come of the decision."""
    error = decision.error
    recorded = line.response
    if line.attempts and error is not None:
        yield Difference(
            "verdict", f"it was sent on, and would be refused: {error.status} {error.code}: {error.message}"
        )
        return
    if not line.attempts:
        refused = (
            recorded.status >= 400 and recorded.error_code not in _OF_THE_MOMENT and recorded.status not in (402, 429)
        )
        if refused and error is None:
            yield Difference("verdict", f"it was refused with {recorded.error_code}, and would be sent on")
        elif refused and error is not None and error.code != recorded.error_code:
            yield Difference("verdict", f"it was refused with {recorded.error_code}, and would be with {error.code}")
        elif recorded.status < 400 and error is not None:
            yield Difference("verdict", f"it was served, and would be refused: {error.status} {error.code}")
        return
    eligible = {(one.note.provider, one.note.model): one.note for one in decision.targets}
    reasons = {(one.note.provider, one.note.model): one.note.why for one in decision.refused}
    for name in dict.fromkeys((one.provider, one.model) for one in line.attempts):
        if name not in eligible:
            why = reasons.get(name) or reasons.get((name[0], "")) or "it is none of the targets of this request"
            yield Difference("eligibility", f"{'/'.join(name)} was asked, and is not eligible: {why}")
    asked = [eligible[name].priority for one in line.attempts if (name := (one.provider, one.model)) in eligible]
    if decision.strategy == "priority" and asked != sorted(asked):
        yield Difference("order", "targets were asked in another order than that of their priorities")
