"""A file of cases, played, and how that is told: to people, and to whatever reads JUnit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml  # nothing is parsed, only written

import msgspec

from gateway.config.problem import ConfigError, Problem
from gateway.rehearsal.reading import Part, read_play
from gateway.rehearsal.record import Record
from gateway.rehearsal.stage import play
from gateway.rehearsal.timeline import timeline
from gateway.rehearsal.verdict import Failure, failures_of
from gateway.rehearsal.virtual_time import Deadlock


class CaseOutcome(msgspec.Struct, frozen=True):
    """name, and place in the file. lines: the timeline around the first wrong moment."""

    name: str
    place: str
    failures: tuple[Failure, ...]
    lines: tuple[str, ...] = ()


class FileOutcome(msgspec.Struct, frozen=True):
    """files: all that was read for it. problems: why none of its cases could be played, empty where they were."""

    path: Path
    files: tuple[Path, ...]
    cases: tuple[CaseOutcome, ...] = ()
    problems: tuple[Problem, ...] = ()


def broken(path: Path, error: ConfigError) -> FileOutcome:
    """The outcome of a file that cannot be played."""
    files = dict.fromkeys((path, *(Path(problem.place.rsplit(":", 2)[0]) for problem in error.problems)))
    return FileOutcome(path, tuple(files), problems=error.problems)


def perform(path: Path, pattern: str = "", tell: Callable[[bool], object] = lambda passed: None) -> FileOutcome:
    """Play the cases of a file whose names have `pattern` in them. tell: is told of each whether it passed.
    ConfigError when the file or its config is broken."""
    opened = read_play(path)
    outcomes: list[CaseOutcome] = []
    for part in opened.parts:
        if pattern.lower() in part.case.name.lower():
            outcome = _outcome(part)
            outcomes.append(outcome)
            tell(not outcome.failures)
    return FileOutcome(path, opened.files, tuple(outcomes))


def _outcome(part: Part) -> CaseOutcome:
    name = part.case.name
    try:
        record: Record = play(part)
    except Deadlock as error:
        return CaseOutcome(name, part.place, (Failure(f"it never ends: {error}"),))
    failures = tuple(failures_of(part.case.expect, record))
    moments = [failure.at for failure in failures if failure.at is not None]
    lines = timeline(record, min(moments, default=0.0)) if failures else []
    return CaseOutcome(name, part.place, failures, tuple(lines))


def shown(case: CaseOutcome) -> str:
    """A failed case as text."""
    failures = "".join(f"\n    {failure.said}" for failure in case.failures)
    lines = "".join(f"\n  {line}" for line in case.lines)
    return f"FAILED {case.name} ({case.place}){failures}{lines}"


def junit(outcomes: Sequence[FileOutcome]) -> bytes:
    """The report as JUnit's XML. Times are left out: they are virtual."""
    cases = [case for outcome in outcomes for case in outcome.cases]
    failed = sum(bool(case.failures) for case in cases)
    errors = sum(bool(outcome.problems) for outcome in outcomes)
    root = Xml.Element("testsuites", _counts(len(cases) + errors, failed, errors))
    for outcome in outcomes:
        failed = sum(bool(case.failures) for case in outcome.cases)
        errors = int(bool(outcome.problems))
        suite = Xml.SubElement(
            root, "testsuite", _counts(len(outcome.cases) + errors, failed, errors), name=str(outcome.path)
        )
        if outcome.problems:
            element = Xml.SubElement(suite, "testcase", name=outcome.path.name, classname=str(outcome.path))
            error = Xml.SubElement(element, "error", message=str(outcome.problems[0]).partition("\n")[0])
            error.text = "\n".join(map(str, outcome.problems))
        for case in outcome.cases:
            element = Xml.SubElement(suite, "testcase", name=case.name, classname=str(outcome.path))
            if case.failures:
                failure = Xml.SubElement(element, "failure", message=case.failures[0].said)
                failure.text = shown(case)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(tests: int, failures: int, errors: int) -> dict[str, str]:
    return {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
