"""A plan as text for a terminal, as Markdown for the comment of a pull request, as JSON for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.cli.markdown import cell
from gateway.config.change.comparison import Change
from gateway.config.change.rules import SEVERITIES

if TYPE_CHECKING:
    from gateway.cli.traffic_formats import Report

MARKER: Final = "<!-- router-gateway plan -->"
"""The first line of the Markdown, by which a comment is found again and replaced."""
SHOWN: Final = 50
"""Rows of the table in Markdown; a comment has an end, and the rest is folded."""


def as_text(changes: Sequence[Change], traffic: Report | None = None) -> str:
    """One change, one line, its places below it."""
    lines = []
    for change in changes:
        lines.append(f"{change.severity:8}  {change.about}: {change.kind}: {change.path}: {change.words}")
        lines.append(f"          {_places(change)}  {change.why}")
    text = "\n".join([*lines, _summary(changes)]) + "\n"
    if traffic is not None:
        from gateway.cli.traffic_formats import traffic_text

        text += traffic_text(traffic)
    return text


def as_markdown(changes: Sequence[Change], traffic: Report | None = None) -> str:
    """A heading, a table of the gravest changes, and where each stands, folded."""
    parts = [MARKER, f"### Config plan: {_summary(changes)}"]
    if changes:
        head = ["| severity | where | kind | change |", "|---|---|---|---|"]
        rows = [f"| {c.severity} | {cell(c.about)} | {c.kind} | {cell(c.words)} |" for c in changes]
        parts.append("\n".join([*head, *rows[:SHOWN]]))
        if len(rows) > SHOWN:
            parts.append(_folded(f"{len(rows) - SHOWN} more", "\n".join([*head, *rows[SHOWN:]])))
        details = [f"- `{change.path}` ({_places(change)}): {cell(change.why)}" for change in changes]
        parts.append(_folded("Where, and why it matters", "\n".join(details)))
    if traffic is not None:
        from gateway.cli.traffic_formats import traffic_markdown

        parts.append(traffic_markdown(traffic).rstrip("\n"))
    return "\n\n".join(parts) + "\n"


def as_json(changes: Sequence[Change], traffic: Report | None = None) -> str:
    """`{"changes": [...], "counts": {severity: number}}`, and `traffic` where there is some."""
    counts = Counter(change.severity for change in changes)
    report: dict[str, object] = {"changes": changes, "counts": {severity: counts[severity] for severity in SEVERITIES}}
    if traffic is not None:
        report["traffic"] = traffic
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def _summary(changes: Sequence[Change]) -> str:
    if not changes:
        return "no change in meaning"
    counts = Counter(change.severity for change in changes)
    said = ", ".join(f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity])
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}: {said}"


def _places(change: Change) -> str:
    return " -> ".join(place for place in (change.old, change.new) if place)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
