"""Lines of the audit log, and sums of them, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from gateway.core.money import NANO, in_dollars
from gateway.telemetry.audit_line import AuditLine
from gateway.telemetry.audit_sums import Sums

Group = tuple[tuple[str, ...], Sums]
_NUMBERS = ("lines", "failed", "prompt", "completion", "cost", "unpriced", "saved", "mean ms", "max ms")


def line_text(line: AuditLine) -> str:
    """One line for people."""
    request, response = line.request, line.response
    answered = f"{response.provider}/{response.model}" if response.provider else "-"
    amount = line.cost.amount
    words = [
        line.timestamp[:23].replace("T", " ") + "Z",
        line.router or "-",
        line.tenant_id or "-",
        line.user_id or "-",
        f"{request.operation} {request.model or '-'} -> {answered}",
        f"{response.status} {response.error_code or response.outcome}",
        f"{request.prompt_tokens}+{response.completion_tokens} tokens",
        "price unknown" if amount is None else f"${in_dollars(round(amount * NANO))}",
        f"{response.latency_ms:.0f} ms",
    ]
    if response.cache:
        words.append(f"cache {response.cache}")
    if len(line.attempts) > 1:
        words.append(f"{len(line.attempts)} attempts")
    if line.content is not None:
        words.append("sealed" if line.content.sealed else "with bodies")
    if line.change is not msgspec.UNSET:
        words.append(" ".join((line.change.event, *(f"{name}={value}" for name, value in line.change.fields.items()))))
    # A name that a client made up must not look like another line, nor drive a terminal.
    return "".join(character if character.isprintable() else "?" for character in "  ".join(words))


def sums_text(columns: Sequence[str], groups: Sequence[Group]) -> str:
    """A table. `` in a column is shown as `-`."""
    rows = [(*columns, *_NUMBERS)]
    for key, sums in groups or [((), Sums())]:
        names = [value or "-" for value in key] if groups else ["-" for _ in columns]
        rows.append(
            (
                *("".join(one if one.isprintable() else "?" for one in name) for name in names),
                str(sums.lines),
                str(sums.failed),
                str(sums.prompt_tokens),
                str(sums.completion_tokens),
                f"${in_dollars(sums.cost)}",
                str(sums.unpriced),
                f"${in_dollars(sums.saved)}",
                f"{sums.latency / max(sums.lines, 1):.1f}",
                f"{sums.slowest:.1f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    names_until = len(columns)
    lines = [
        "  ".join(
            cell.ljust(width) if place < names_until else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def sums_json(columns: Sequence[str], groups: Sequence[Group]) -> str:
    """A list of objects. Money is a number of dollars, exact."""
    found = [
        {
            **dict(zip(columns, key, strict=True)),
            "lines": sums.lines,
            "failed": sums.failed,
            "prompt_tokens": sums.prompt_tokens,
            "completion_tokens": sums.completion_tokens,
            "cost": Decimal(in_dollars(sums.cost)),
            "currency": "USD",
            "unpriced": sums.unpriced,
            "saved": Decimal(in_dollars(sums.saved)),
            "mean_latency_ms": round(sums.latency / max(sums.lines, 1), 3),
            "max_latency_ms": sums.slowest,
        }
        for key, sums in groups
    ]
    encoded = msgspec.json.Encoder(decimal_format="number").encode(found)
    return msgspec.json.format(encoded, indent=2).decode() + "\n"
