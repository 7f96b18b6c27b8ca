"""Problems for other programs: JSON, annotations of GitHub, and SARIF 2.1.0.

Only how they are written down lives here. A place is `file:line:column`, or the file alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from gateway import __version__
from gateway.config.problem import Problem

_PLACE: Final = re.compile(r"(?P<file>.*?)(?::(?P<line>[0-9]+):(?P<column>[0-9]+))?", re.DOTALL)
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


class Report(msgspec.Struct, frozen=True):
    """What was found in one config. ok: whether it passes as it was asked to."""

    file: str
    ok: bool
    problems: tuple[Problem, ...]


class _Camel(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of a SARIF log, its keys as the standard writes them."""


class _Text(_Camel, frozen=True):
    text: str


class _ArtifactLocation(_Camel, frozen=True):
    uri: str


class _Region(_Camel, frozen=True):
    start_line: int
    start_column: int


class _PhysicalLocation(_Camel, frozen=True):
    artifact_location: _ArtifactLocation
    region: _Region | None = None


class _LogicalLocation(_Camel, frozen=True):
    fully_qualified_name: str


class _Location(_Camel, frozen=True):
    physical_location: _PhysicalLocation
    logical_locations: tuple[_LogicalLocation, ...] = ()


class _Result(_Camel, frozen=True):
    rule_id: str
    rule_index: int
    # The standard's default is `warning`, but readers are known to want it said.
    level: str
    message: _Text
    locations: tuple[_Location, ...]


class _Rule(_Camel, frozen=True):
    id: str
    short_description: _Text


class _Component(_Camel, frozen=True):
    name: str
    version: str
    rules: tuple[_Rule, ...]


class _Tool(_Camel, frozen=True):
    driver: _Component


class _Run(_Camel, frozen=True):
    tool: _Tool
    results: tuple[_Result, ...]
    column_kind: str


class _Log(msgspec.Struct, frozen=True, kw_only=True):
    schema: str = msgspec.field(name="$schema", default=_SCHEMA)
    version: str = "2.1.0"
    runs: tuple[_Run, ...]


def as_json(reports: Sequence[Report]) -> str:
    """A list with one entry for each file."""
    return _indented(reports)


def as_github(reports: Sequence[Report]) -> str:
    """Workflow commands: a runner shows each at its line of the pull request."""
    return "".join(_annotation(problem) for problem in _problems(reports))


def as_sarif(reports: Sequence[Report]) -> str:
    """One run, with a rule for each code that occurs. Paths are relative where the file is below the working folder."""
    found = list(_problems(reports))
    codes = sorted({problem.code for problem in found})
    run = _Run(
        tool=_Tool(
            driver=_Component(
                name="router-gateway",
                version=__version__,
                rules=tuple(
                    _Rule(id=code, short_description=_Text(text=code.replace("-", " ").capitalize())) for code in codes
                ),
            )
        ),
        results=tuple(_result(problem, codes.index(problem.code)) for problem in found),
        column_kind="unicodeCodePoints",
    )
    return _indented(_Log(runs=(run,)))


FORMATS: Final[Mapping[str, Callable[[Sequence[Report]], str]]] = {
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def _problems(reports: Iterable[Report]) -> Iterable[Problem]:
    """Two files may include the same third one: each problem once."""
    return dict.fromkeys(problem for report in reports for problem in report.problems)


def _split(place: str) -> tuple[str, int, int]:
    """A line of 0 where there is none."""
    match = _PLACE.fullmatch(place)
    assert match is not None, "every part of the pattern is optional"
    return match["file"], int(match["line"] or 0), int(match["column"] or 0)


def _relative(file: str) -> str:
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


def _annotation(problem: Problem) -> str:
    file, line, column = _split(problem.place)
    properties = [("file", _relative(file))]
    if line:
        properties += [("line", str(line)), ("col", str(column))]
    properties.append(("title", problem.code))
    written = ",".join(f"{name}={_escaped(value, ':', ',')}" for name, value in properties)
    return f"::{problem.level} {written}::{_escaped(_message(problem))}\n"


def _escaped(text: str, *further: str) -> str:
    """As a runner unescapes it. A percent sign comes first: it is what escapes begin with."""
    for character in ("%", "\r", "\n", *further):
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _result(problem: Problem, index: int) -> _Result:
    file, line, column = _split(problem.place)
    return _Result(
        rule_id=problem.code,
        rule_index=index,
        level=problem.level,
        message=_Text(text=_message(problem)),
        locations=(
            _Location(
                physical_location=_PhysicalLocation(
                    artifact_location=_ArtifactLocation(uri=_uri(_relative(file))),
                    region=_Region(start_line=line, start_column=column) if line else None,
                ),
                logical_locations=(_LogicalLocation(fully_qualified_name=problem.path),) if problem.path else (),
            ),
        ),
    )


def _uri(path: str) -> str:
    quoted = quote(path)
    return f"file://{quoted}" if quoted.startswith("/") else quoted


def _message(problem: Problem) -> str:
    path = f"{problem.path}: " if problem.path else ""
    hint = f"\nhint: {problem.hint}" if problem.hint else ""
    return f"{path}{problem.message}{hint}"


def _indented(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
