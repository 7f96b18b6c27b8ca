"""A plan as text for a terminal, as Markdown for the comment of a pull request, as JSON for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.config.change.comparison import Change
from gateway.config.change.rules import SEVERITIES

MARKER: Final = "<!-- router-gateway plan -->"
"""The first line of the Markdown, by which a comment is found again and replaced."""
SHOWN: Final = 50
"""Rows of the table in Markdown; a comment has an end, and the rest is folded."""


def as_text(changes: Sequence[Change]) -> str:
    """One change, one line, its places below it."""
    lines = []
    for change in changes:
        lines.append(f"{change.severity:8}  {change.about}: {change.kind}: {change.path}: {change.words}")
        lines.append(f"          {_places(change)}  {change.why}")
    return "\n".join([*lines, _summary(changes)]) + "\n"


def as_markdown(changes: Sequence[Change]) -> str:
    """A heading, a table of the gravest changes, and where each stands, folded."""
    parts = [MARKER, f"### Config plan: {_summary(changes)}"]
    if changes:
        head = ["| severity | where | kind | change |", "|---|---|---|---|"]
        rows = [f"| {c.severity} | {_cell(c.about)} | {c.kind} | {_cell(c.words)} |" for c in changes]
        parts.append("\n".join([*head, *rows[:SHOWN]]))
        if len(rows) > SHOWN:
            parts.append(_folded(f"{len(rows) - SHOWN} more", "\n".join([*head, *rows[SHOWN:]])))
        details = [f"- `{change.path}` ({_places(change)}): {_cell(change.why)}" for change in changes]
        parts.append(_folded("Where, and why it matters", "\n".join(details)))
    return "\n\n".join(parts) + "\n"


def as_json(changes: Sequence[Change]) -> str:
    """`{"changes": [...], "counts": {severity: number}}`."""
    counts = Counter(change.severity for change in changes)
    report = {"changes": changes, "counts": {severity: counts[severity] for severity in SEVERITIES}}
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def _summary(changes: Sequence[Change]) -> str:
    if not changes:
        return "no change in meaning"
    counts = Counter(change.severity for change in changes)
    said = ", ".join(f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity])
    return f"{len(changes)} change{'' if len(changes) == 1 else 's'}: {said}"


def _places(change: Change) -> str:
    return " -> ".join(place for place in (change.old, change.new) if place)


def _cell(text: str) -> str:
    """Names come out of a file that anybody may propose: no markup, no mention and no second row."""
    shown = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("@", "&#64;")
    return " ".join(shown.split())


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
