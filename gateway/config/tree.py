"""YAML text as a tree that knows where each of its parts was written.

The tree is built from parser events and not by `yaml.compose`: that one recurses in C, so that a
file of brackets ends the process. Here depth and size are bounded, duplicate keys are found, and
aliases and `<<` merges are resolved. References (`${env:...}`) are left as they stand: what a tree
holds is what the file says, so it may be shown.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import yaml

from gateway.config.problem import ConfigError, Path, Problem, dotted
from gateway.config.scalars import Scalar, plain_scalar

MAX_DEPTH: Final = 64
MAX_NODES: Final = 500_000
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_UNPRINTABLE: Final = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Plain = Scalar | list["Plain"] | dict[str, "Plain"]


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Where something stands; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Node(msgspec.Struct, gc=False, eq=False):
    """A scalar, a list or a mapping. keys: where each key of a mapping stands. quoted: a scalar
    that was written with quotes or as a block. size: nodes in it when aliases are written out."""

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    keys: dict[str, Mark] = {}
    quoted: bool = False
    size: int = 1

    def plain(self) -> Plain:
        """The values alone."""
        value = self.value
        if type(value) is dict:
            return {key: child.plain() for key, child in value.items()}
        if type(value) is list:
            return [child.plain() for child in value]
        return value  # type: ignore[return-value]  # neither branch: a scalar


def find(root: Node, path: Path) -> Node | None:
    """The node at `path`, or None where there is none."""
    node = root
    for part in path:
        value = node.value
        if isinstance(part, int):
            if not isinstance(value, list) or part >= len(value):
                return None
            node = value[part]
        else:
            if not isinstance(value, dict) or part not in value:
                return None
            node = value[part]
    return node


def read_tree(text: str, file: str) -> tuple[Node, list[Problem]]:
    """The document in `text`. Duplicate keys and the like are returned beside the tree; text that
    is no YAML at all, or none that is taken here, raises ConfigError with its one problem."""
    composer = _Composer(file)
    try:
        # Not yaml.parse, which asks twice for each event.
        parser = yaml.CSafeLoader(text)
        try:
            while (event := parser.get_event()) is not None:
                composer.take(event)
        finally:
            parser.dispose()
    except yaml.YAMLError as error:
        raise ConfigError([*composer.problems, _syntax_problem(error, text, file)]) from None
    if composer.root is None:
        raise ConfigError(
            [
                Problem(
                    "error",
                    "file-empty",
                    f"{file}:1:1",
                    "",
                    "the file is empty",
                    "the smallest useful file has `routers:` and one router",
                )
            ]
        )
    return composer.root, composer.problems


class _Open(msgspec.Struct):
    """A list or mapping whose end has not come yet. key: the key whose value is awaited. merging: it is
    the merge key. merges: what was merged into it, applied at its end so that its own keys win."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_mark: Mark | None = None
    merging: bool = False
    merges: list[Node] = []


class _Composer:
    def __init__(self, file: str) -> None:
        self.file: Final = file
        self.root: Node | None = None
        self.problems: Final[list[Problem]] = []
        self._open: Final[list[_Open]] = []
        self._anchors: Final[dict[str, Node]] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin({}, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin([], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refusal(
                    "several-documents",
                    self._mark(event),
                    "a second document begins here",
                    "one file is one document; use `include` to split a config",
                )

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        assert start is not None, "every event of a parser has a place"
        return Mark(self.file, start.line + 1, start.column + 1)

    def _path(self) -> Path:
        parts: list[str | int] = []
        for level in self._open:
            if isinstance(level.node.value, list):
                parts.append(len(level.node.value))
            elif level.key is not None:
                parts.append(level.key)
        return tuple(parts)

    def _problem(self, code: str, mark: Mark, message: str, hint: str = "") -> Problem:
        return Problem("error", code, str(mark), dotted(self._path()), message, hint)

    def _refusal(self, code: str, mark: Mark, message: str, hint: str = "") -> ConfigError:
        return ConfigError([*self.problems, self._problem(code, mark, message, hint)])

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        mark = self._mark(event)
        quoted = bool(event.style)
        text: str = event.value
        if event.tag is None:
            value: Scalar = text.rstrip("\n") if quoted else plain_scalar(text)
        elif event.tag in _STRING_TAGS:
            quoted, value = True, text
        else:
            raise self._refusal("yaml-tag", mark, f"the tag {event.tag[:60]} has no meaning here", "remove it")
        level = self._open[-1] if self._open else None
        if level is not None and level.key is None and type(level.node.value) is dict:
            self._key(level, value, quoted, mark)
            return
        self._place(Node(value, mark, quoted=quoted), event.anchor)

    def _key(self, level: _Open, value: Scalar, quoted: bool, mark: Mark) -> None:
        if not isinstance(value, str):
            self.problems.append(
                self._problem("key-not-text", mark, "a key must be text, and this one is not", "write it in quotes")
            )
            value = str(value)
        first = level.node.keys.get(value)
        if first is not None:
            self.problems.append(
                self._problem(
                    "key-twice",
                    mark,
                    f'the key "{value[:60]}" stands here a second time',
                    f"the first is at {first}; remove one of them",
                )
            )
        level.key, level.key_mark, level.merging = value, mark, value == "<<" and not quoted

    def _begin(self, value: list[Node] | dict[str, Node], event: yaml.CollectionStartEvent) -> None:
        mark = self._mark(event)
        level = self._open[-1] if self._open else None
        if level is not None and level.key is None and isinstance(level.node.value, dict):
            raise self._refusal(
                "key-not-text",
                mark,
                "a key must be text, and this one is a list or a mapping",
                "a value that begins with `{` or `[`, such as `{{x}}`, needs quotes",
            )
        if event.tag is not None and event.tag not in ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise self._refusal("yaml-tag", mark, f"the tag {event.tag[:60]} has no meaning here", "remove it")
        if len(self._open) >= MAX_DEPTH:
            raise self._refusal("file-too-large", mark, f"nested more than {MAX_DEPTH} levels deep")
        self._open.append(_Open(Node(value, mark), event.anchor))

    def _end(self) -> None:
        level = self._open.pop()
        if level.merges and isinstance(level.node.value, dict):
            for source in level.merges:
                for key, child in source.value.items():  # type: ignore[union-attr]  # only mappings are put there
                    if key not in level.node.value:
                        level.node.value[key] = child
                        level.node.keys[key] = source.keys[key]
                        level.node.size += child.size
        self._place(level.node, level.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark = self._mark(event)
        level = self._open[-1] if self._open else None
        if level is not None and level.key is None and isinstance(level.node.value, dict):
            raise self._refusal("key-not-text", mark, "an alias cannot be a key")
        node = self._anchors.get(event.anchor or "")
        if node is None:
            inside = any(level.anchor == event.anchor for level in self._open)
            what = "stands for a value that it is itself a part of" if inside else "stands for nothing above it"
            raise self._refusal("yaml-alias", mark, f"the alias *{event.anchor} {what}")
        self._place(node, None)

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        level = self._open[-1]
        parent = level.node
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif level.merging:
            self._merge(level, node)
        elif isinstance(parent.value, dict) and level.key is not None and level.key_mark is not None:
            if level.key not in parent.value:
                parent.value[level.key] = node
                parent.keys[level.key] = level.key_mark
            level.key = None
        parent.size += node.size
        if parent.size > MAX_NODES:
            raise self._refusal("file-too-large", node.mark, f"more than {MAX_NODES:,} values, aliases written out")

    def _merge(self, level: _Open, node: Node) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        if all(isinstance(source.value, dict) for source in sources):
            level.merges = [*level.merges, *sources]
        else:
            self.problems.append(
                self._problem(
                    "yaml-merge",
                    node.mark,
                    "`<<` takes a mapping, or a list of mappings",
                    "`<<: *name`, where `&name` marks a mapping further up",
                )
            )
        level.key = None


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
        what = (error.problem or "").removesuffix(".")
        context = f" {error.context}" if error.context else ""
        return Problem(
            "error",
            "yaml-syntax",
            f"{file}:{line}:{column}",
            "",
            f"not valid YAML: {what}{context}",
            _syntax_hint(what, text, line),
        )
    unprintable = _UNPRINTABLE.search(text)
    position = unprintable.start() if unprintable else 0
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    what = f"the character U+{ord(text[position]):04X} is not allowed" if unprintable else "it cannot be read"
    return Problem("error", "yaml-syntax", f"{file}:{line}:{column}", "", f"not valid YAML: {what}")


def _syntax_hint(what: str, text: str, line: int) -> str:
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "indent with spaces: YAML takes no tabs there"
    if "did not find expected" in what and "${" in written:
        return "inside `{}` and `[]` a reference needs quotes"
    if "cannot start any token" in what:
        return "a value that begins with `@`, `` ` `` or `%` needs quotes"
    if "mapping values are not allowed" in what:
        return "the indentation is off, or a value that holds `: ` needs quotes"
    if "did not find expected" in what:
        return "look at the indentation of this line and of the one above it, and for a bracket or quote left open"
    return ""
