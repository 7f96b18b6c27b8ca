"""The file and what it includes, read and joined into one tree.

Here is the only place that opens config files. What the document means is not looked at, except for
`include` and for what an included file may hold.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.problem import ConfigError, Problem
from gateway.config.tree import Mark, Node, Plain, read_tree

MAX_SIZE: Final = 8 * 1024 * 1024
INCLUDABLE: Final = ("providers", "routers")


class Joined(msgspec.Struct, frozen=True):
    """root: the effective document. files: every file read, the first one named on the command
    line. problems: all that was found on the way, warnings too."""

    root: Node
    files: tuple[Path, ...]
    problems: list[Problem]


def read_documents(path: Path) -> Joined:
    """`path` and its includes. ConfigError when a file cannot be read or is no YAML."""
    shown = str(path)
    root, problems = read_tree(_text(path, shown), shown)
    files = [path]
    if isinstance(root.value, dict):
        for pattern in _patterns(root):
            found = _matches(path, str(pattern.value))
            if not found:
                problems.append(
                    Problem(
                        "warning",
                        "include-empty",
                        str(pattern.mark),
                        "include",
                        f"nothing matches {_shorten(str(pattern.value))}",
                        "patterns are relative to the folder of this file",
                    )
                )
            for file in found:
                if file in files or file.resolve() == path.resolve():
                    continue
                files.append(file)
                part, more = read_tree(_text(file, str(file)), str(file))
                problems += more
                problems += _join(root, part)
        problems += _join_keys(root, path, files)
    return Joined(root, tuple(files), problems)


def read_foreign(path: Path) -> Node:
    """A mapping in the words of another program. ConfigError when it cannot be read, or is none."""
    root, problems = read_tree(_text(path, str(path)), str(path))
    if not isinstance(root.value, dict):
        raise ConfigError([*problems, Problem("error", "wrong-type", str(root.mark), "", "it must be a mapping")])
    return root


def read_list(path: Path) -> list[dict[str, Plain]]:
    """A keys file alone, as written. ConfigError when it cannot be read, or is no list of mappings."""
    root = _keys_tree(path)[0]
    found: list[dict[str, Plain]] = []
    for entry in root.value if isinstance(root.value, list) else (root,):
        plain = entry.plain()
        if entry is root or not isinstance(plain, dict):
            raise ConfigError([_not_a_list(entry)])
        found.append(plain)
    return found


def _keys_tree(file: Path) -> tuple[Node, list[Problem]]:
    """A keys file with nothing in it has no keys; any other file has nothing to say."""
    text = _text(file, str(file))
    try:
        root, problems = read_tree(text, str(file))
        return (Node([], root.mark) if root.value is None else root), problems
    except ConfigError as error:
        if all(problem.code == "file-empty" for problem in error.problems):
            return Node([], Mark(str(file), 1, 1)), []
        raise


def _not_a_list(node: Node) -> Problem:
    hint = "it holds what `auth.keys` does"
    return Problem("error", "wrong-type", str(node.mark), "", "a keys file must be a list of mappings", hint)


def _patterns(root: Node) -> Iterator[Node]:
    include = root.value.get("include") if isinstance(root.value, dict) else None
    if include is not None:
        for node in include.value if isinstance(include.value, list) else [include]:
            if isinstance(node.value, str):
                yield node


def _matches(path: Path, pattern: str) -> list[Path]:
    base = path.parent
    try:
        names = sorted(glob.glob(pattern, root_dir=base, recursive=True))  # noqa: PTH207  # Path.glob refuses absolute patterns
    except ValueError:
        return []
    found = [base / name for name in names]
    return [file for file in found if not file.is_dir()]


def _join(root: Node, part: Node) -> list[Problem]:
    """Put what an included file defines into `root`."""
    problems: list[Problem] = []
    if not isinstance(part.value, dict):
        return [
            Problem(
                "error",
                "include-content",
                str(part.mark),
                "",
                "an included file must be a mapping",
                "it may hold `providers` and `routers`",
            )
        ]
    assert isinstance(root.value, dict)
    for section, node in part.value.items():
        mark = part.keys[section]
        if section not in INCLUDABLE:
            what = "includes do not nest" if section == "include" else "it belongs in the main file"
            problems.append(
                Problem(
                    "error",
                    "include-content",
                    str(mark),
                    _shorten(section),
                    f'"{_shorten(section)}" may not stand in an included file: {what}',
                    "an included file may hold `providers` and `routers`",
                )
            )
        elif section not in root.value or root.value[section].value is None:
            root.value[section] = node
            root.keys[section] = mark
        elif isinstance(node.value, dict) and isinstance(root.value[section].value, dict):
            problems += _join_names(root, section, node)
        elif node.value is not None:
            problems.append(Problem("error", "wrong-type", str(node.mark), section, "must be a mapping"))
    return problems


def _join_keys(root: Node, path: Path, files: list[Path]) -> list[Problem]:
    """Put the entries of `auth.keys-file` behind those of `auth.keys`."""
    auth = root.value.get("auth") if isinstance(root.value, dict) else None
    holder = auth.value.get("keys-file") if auth is not None and isinstance(auth.value, dict) else None
    if auth is None or holder is None or not isinstance(holder.value, str):
        return []
    assert isinstance(auth.value, dict)
    file = path.parent / holder.value
    # Watched even while it is not there.
    files.append(file)
    try:
        part, problems = _keys_tree(file)
    except ConfigError as error:
        hint = f"`gateway keys new NAME --file {_shorten(holder.value)}` makes it"
        return [
            msgspec.structs.replace(problem, place=str(holder.mark), path="auth.keys-file", hint=hint)
            if problem.code == "file-missing"
            else problem
            for problem in error.problems
        ]
    if not isinstance(part.value, list):
        return [*problems, _not_a_list(part)]
    there = auth.value.get("keys")
    before = there.value if there is not None and isinstance(there.value, list) else []
    auth.value["keys"] = Node([*before, *part.value], (there or part).mark, size=part.size + len(before))
    return problems


def _join_names(root: Node, section: str, node: Node) -> Iterator[Problem]:
    assert isinstance(root.value, dict)
    assert isinstance(node.value, dict)
    there = root.value[section]
    assert isinstance(there.value, dict)
    # A new node: the old one may be an alias that stands elsewhere too.
    joined = Node(dict(there.value), there.mark, dict(there.keys), size=there.size + node.size)
    for name, child in node.value.items():
        if name in joined.value:  # type: ignore[operator]  # a mapping, made just above
            yield Problem(
                "error",
                "defined-twice",
                str(node.keys[name]),
                f"{section}.{_shorten(name)}",
                f"{_shorten(name)} is defined here a second time",
                f"the first is at {there.keys[name]}; rename or remove one of them",
            )
        else:
            joined.value[name] = child  # type: ignore[index,call-overload]  # likewise
            joined.keys[name] = node.keys[name]
    root.value[section] = joined


def _shorten(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."


def _text(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise _unreadable("file-missing", shown, "there is no such file") from None
    except IsADirectoryError:
        raise _unreadable("file-unreadable", shown, "it is a folder; name the file in it") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "the path is not valid"
        raise _unreadable("file-unreadable", shown, f"it cannot be read: {reason}") from None
    if len(content) > MAX_SIZE:
        raise _unreadable("file-too-large", shown, f"it is larger than {MAX_SIZE // 2**20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - before.rfind(b"\n")
        place = str(Mark(shown, line, column))
        raise _unreadable("file-not-utf8", place, f"it is not UTF-8 text: byte 0x{content[error.start]:02x}") from None


def _unreadable(code: str, place: str, message: str) -> ConfigError:
    return ConfigError([Problem("error", code, place, "", message)])
