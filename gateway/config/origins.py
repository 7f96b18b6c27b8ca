"""From a path in the document back to `file:line:column`, looked up only when there is something
to report."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.config.problem import Path, Problem, dotted
from gateway.config.tree import Node, find


class Origins(msgspec.Struct, frozen=True, eq=False):
    """The tree of the effective document: the file and everything it includes."""

    root: Node

    def node(self, path: Path) -> Node | None:
        """What the file says at `path`, references unresolved; None where it says nothing."""
        return find(self.root, path)

    def place(self, path: Path) -> str:
        """Where the value at `path` stands, or what is nearest above it."""
        while path:
            node = find(self.root, path)
            if node is not None:
                return str(node.mark)
            path = path[:-1]
        return str(self.root.mark)

    def key_place(self, path: Path) -> str:
        """Where the key of `path` stands; for an index and for what is not in the file, as `place`."""
        if path and isinstance(path[-1], str):
            parent = find(self.root, path[:-1])
            if parent is not None and path[-1] in parent.keys:
                return str(parent.keys[path[-1]])
        return self.place(path)

    def error(self, code: str, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """An error at `path`."""
        return self._problem("error", code, path, message, hint, at_key)

    def warning(self, code: str, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A warning at `path`."""
        return self._problem("warning", code, path, message, hint, at_key)

    def _problem(
        self, level: Literal["error", "warning"], code: str, path: Path, message: str, hint: str, at_key: bool
    ) -> Problem:
        place = self.key_place(path) if at_key else self.place(path)
        return Problem(level, code, place, dotted(path), message, hint)
