"""What is wrong with a file, told so that it can be mended without reading the source.

Only the shape and the wording frame live here; the rules are elsewhere. A problem never holds a
credential, nor a value that came out of the environment or a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

Path = tuple[str | int, ...]
"""A place in the document: keys, and indices into lists."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_\-]+")


class Problem(msgspec.Struct, frozen=True):
    """level: an error stops the start, a warning does not. code: a stable slug. place:
    `file:line:column`, or the file alone where there is no line. path: the place in the document,
    empty for the whole. hint: what to do, empty where the message says it."""

    level: Literal["error", "warning"]
    code: str
    place: str
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{self.place}: {self.level}: {path}{self.message}{hint}"


class ConfigError(Exception):
    """A config that cannot be used. problems holds at least one error; warnings stand beside them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems: Final = tuple(problems)


def dotted(path: Path) -> str:
    """`("routers", "a", "providers", 1)` -> `routers.a.providers[1]`; keys with other characters
    than a name's are quoted: `model-mappings["gpt-4.1"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _BARE_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            shown = part if len(part) <= 60 else part[:57] + "..."
            text += f"[{msgspec.json.encode(shown).decode()}]"
    return text


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """By file, line and column; each problem once."""
    return sorted(dict.fromkeys(problems), key=_position)


def _position(problem: Problem) -> tuple[str, int, int]:
    file, line, column = [*problem.place.rsplit(":", 2), "", ""][:3]
    return (file, int(line), int(column)) if line.isdigit() and column.isdigit() else (problem.place, 0, 0)
