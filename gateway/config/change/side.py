"""One side of a comparison: a config read without its environment, for what it says and where.

A plan is made where no secret is, so references are not looked up: each stays the text that it is. Where a key takes
something else than text, something of that kind stands in for it while the structure is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.config import problem
from gateway.config.documents import read_documents
from gateway.config.load import Loaded, converted, without
from gateway.config.origins import Origins
from gateway.config.problem import ConfigError, Problem, in_order
from gateway.config.spec import Spec
from gateway.config.subject import Listed, Subject
from gateway.config.tree import Node

_STAND_INS: Final[tuple[object, ...]] = (
    "https://reference.invalid", "memory://", "1s", "1", 1, True, "2100-01-01", f"sha256:{'0' * 64}",
)  # fmt: skip


class Side(msgspec.Struct, frozen=True, eq=False):
    """spec: with references as they are written, or what stands in for them: ask `reference` first. shown: from the
    name of a file that was read to the name that people know. lists: the balances of all routers."""

    spec: Spec
    origins: Origins
    lists: tuple[Listed, ...]
    shown: Callable[[str], str]

    def place(self, path: problem.Path) -> str:
        """`file:line` of the key at `path`, or of what is nearest above it."""
        file, line, _ = self.origins.key_place(path).rsplit(":", 2)
        return f"{self.shown(file)}:{line}"

    def reference(self, path: problem.Path) -> str | None:
        """What is written there, if that is or holds a reference."""
        node = self.origins.node(path)
        text = node.value if node is not None else None
        return text if isinstance(text, str) and "${" in text else None


def read_side(path: Path, shown: Callable[[str], str] = str) -> Side:
    """The config at `path`, includes joined. ConfigError with every problem of its structure, and of no reference."""
    try:
        joined = read_documents(path)
    except ConfigError as error:
        raise ConfigError([renamed(found, shown) for found in error.problems]) from None
    origins = Origins(joined.root)
    spec, found = _lenient(joined.root, origins)
    errors = [one for one in (*joined.problems, *found) if one.level == "error" and not is_of_this_machine(one)]
    if spec is None or errors:
        raise ConfigError([renamed(one, shown) for one in in_order(errors)])
    loaded = Loaded(spec, joined.files, "", origins, absent=(), variables=frozenset(), warnings=())
    return Side(spec, origins, Subject(loaded).lists, shown)


def is_of_this_machine(found: Problem) -> bool:
    """Whether all that is missing is a keys file that is kept beside the gateway, and in no repository."""
    return found.path == "auth.keys-file" and found.code == "file-missing"


def renamed(found: Problem, shown: Callable[[str], str]) -> Problem:
    """The same problem, in the file as people know it."""
    file, colon, rest = found.place.partition(":")
    return msgspec.structs.replace(found, place=f"{shown(file)}{colon}{rest}")


def _lenient(root: Node, origins: Origins) -> tuple[Spec | None, tuple[Problem, ...]]:
    document: object = root.plain()
    left = {path: iter(_STAND_INS) for path in _references(root, ())}
    while True:
        spec, found = converted(document, origins)
        at_fault = [path for path in left if any(_touches(path, place) for place in found)]
        if spec is not None or not at_fault:
            return spec, tuple(found.values())
        for path in at_fault:
            stand_in = next(left[path], None)
            if stand_in is None:
                del left[path]
                document = without(document, [path])
            else:
                _put(document, path, stand_in)


def _references(node: Node, path: problem.Path) -> Iterator[problem.Path]:
    value = node.value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _references(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _references(child, (*path, index))
    elif isinstance(value, str) and "${" in value:
        yield path


def _touches(path: problem.Path, place: problem.Path) -> bool:
    return path == place or (bool(place) and path[: len(place)] == place)


def _put(document: object, path: problem.Path, value: object) -> None:
    """Nothing, where what was above it has been left out."""
    try:
        for part in path[:-1]:
            document = document[part]  # type: ignore[index]  # a list or a mapping, as in the tree that has the path
        document[path[-1]] = value  # type: ignore[index]  # likewise
    except LookupError:
        return
