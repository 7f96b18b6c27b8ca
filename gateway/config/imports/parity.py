"""What became of each part of a foreign config. No value of it is repeated: it may be a credential."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from gateway.config.tree import Mark, Node

Fate = Literal["carried", "approximated", "no equivalent"]
FATES: Final[tuple[Fate, ...]] = ("no equivalent", "approximated", "carried")
"""What needs a person first."""
Said = Mapping[str, object]


class Line(msgspec.Struct, frozen=True):
    """path: in the foreign file. place: its `file:line`. words: what it became, or what to do instead."""

    fate: Fate
    place: str
    path: str
    words: str


class Parity:
    """The report, as it is gathered."""

    def __init__(self) -> None:
        self.lines: Final[list[Line]] = []

    def carried(self, mark: Mark, path: str, words: str = "") -> None:
        self._add("carried", mark, path, words)

    def approximated(self, mark: Mark, path: str, words: str) -> None:
        self._add("approximated", mark, path, words)

    def missing(self, mark: Mark, path: str, words: str = "nothing here does that") -> None:
        self._add("no equivalent", mark, path, words)

    def _add(self, fate: Fate, mark: Mark, path: str, words: str) -> None:
        self.lines.append(Line(fate, f"{mark.file}:{mark.line}", path, words))

    def text(self) -> str:
        """For people: what has no equivalent first, each in the order of the file."""
        rows = []
        for fate in FATES:
            found = sorted((line for line in self.lines if line.fate == fate), key=_number)
            rows.append(f"{fate}: {len(found)}")
            rows += [f"  {line.place}: {line.path}{f': {line.words}' if line.words else ''}" for line in found]
        return "\n".join(rows) + "\n"


def _number(line: Line) -> int:
    return int(line.place.rpartition(":")[2])


class Imported(msgspec.Struct, frozen=True):
    """document: what routers.yaml is to say."""

    document: Said
    parity: Parity


def members(node: Node | None) -> Iterator[tuple[str, Node, Mark]]:
    """The keys of a mapping, their values, and where they stand; nothing of anything else."""
    if node is not None and isinstance(node.value, dict):
        for key, child in node.value.items():
            yield key, child, node.keys.get(key, child.mark)


def items(node: Node | None) -> list[Node]:
    """What a list holds; what stands alone is a list of one."""
    if node is None or node.value is None:
        return []
    return node.value if isinstance(node.value, list) else [node]


def child(node: Node | None, key: str) -> Node | None:
    """What a mapping has at `key`."""
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def text(node: Node | None) -> str:
    """A scalar as text; empty for none, and for what is no scalar."""
    value = None if node is None else node.value
    return "" if value is None or isinstance(value, dict | list) else str(value)


def number(node: Node | None) -> float | None:
    """A number, written as one or as text."""
    try:
        found = float(text(node))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
