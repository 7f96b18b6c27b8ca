"""`gateway review BASE`: check, test and plan of a change as one comment, put where the change is discussed.

Lives here: which of the three is asked, and the comment that they make together. Each is the code of its own verb.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.cli.comment import CommentError, destination
from gateway.cli.markdown import cell
from gateway.cli.plan_formats import as_markdown
from gateway.cli.revisions import AbsentError, SourceError, opened
from gateway.config.change.plan import plan
from gateway.config.change.rules import SEVERITIES
from gateway.config.change.side import read_side
from gateway.config.check import examine
from gateway.config.problem import ConfigError

MARKER: Final = "<!-- router-gateway review -->"
"""The first line of the comment, by which it is found again and replaced."""
MOST: Final = 60_000
"""Characters of a comment; GitHub takes 65,536."""


class Section(msgspec.Struct, frozen=True):
    """passed: whether the change may be merged for it. said: in one line. body: Markdown."""

    name: str
    passed: bool
    said: str
    body: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """BASE [FILE] [--tests PATH...] [--strict] [--fail-on breaking|risky] [--output FILE] [--comment github|gitlab]."""
    parser.add_argument("base", metavar="BASE", help="what it is compared with: as OLD of `gateway plan`")
    parser.add_argument("file", nargs="?", default="routers.yaml", metavar="FILE", help="routers.yaml when not given")
    parser.add_argument(
        "--tests", nargs="*", type=Path, metavar="PATH", help="as of `gateway test`; absent: those beside the config"
    )
    parser.add_argument("--strict", action="store_true", help="let warnings fail, too")
    parser.add_argument("--fail-on", choices=SEVERITIES[:2], help="fail for a change of this severity or a graver one")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the comment here, too")
    parser.add_argument(
        "--comment", choices=("github", "gitlab"), help="put it to the pull or merge request that the job is for"
    )


def run(args: argparse.Namespace) -> int:
    """1 when the check or a test fails, a side cannot be read, or the comment cannot be put; 2 for --fail-on."""
    sections = [_checked(Path(args.file), strict=args.strict), _tested(Path(args.file), args.tests)]
    planned, stopped = _planned(args.base, args.file, args.fail_on)
    sections.append(planned)
    text = _comment(sections)
    sys.stdout.write(text)
    status = 1 if not all(section.passed for section in sections) else 2 if stopped else 0
    try:
        if args.output is not None:
            args.output.write_text(text, "utf-8")
        if args.comment is not None:
            print(destination(args.comment, os.environ).put(MARKER, text), file=sys.stderr)
    except OSError as error:
        print(f"{args.output}: it cannot be written: {(error.strerror or '').lower()}", file=sys.stderr)
        return 1
    except CommentError as error:
        print(error, file=sys.stderr)
        return status or int(not error.is_refusal)
    return status


def _checked(file: Path, *, strict: bool) -> Section:
    _, problems = examine(file, now=time.time())
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    said = ", ".join(_count(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number)
    body = _fenced("\n".join(map(str, problems))) if problems else ""
    return Section("check", not errors and not (strict and warnings), said or "no problem", body)


def _tested(file: Path, paths: Sequence[Path] | None) -> Section:
    from gateway.cli.test import test_files
    from gateway.rehearsal.outcome import broken, perform, shown

    if not paths and not any(file.parent.glob("*.test.yaml")):
        return Section("test", True, "there are no tests")
    files, nothing = test_files(list(paths or [file.parent]))
    if nothing:
        return Section("test", False, nothing)
    told: list[str] = []
    passed = failed = 0
    for path in files:
        try:
            outcome = perform(path)
        except ConfigError as error:
            outcome = broken(path, error)
        told += [str(problem) for problem in outcome.problems]
        failures = [case for case in outcome.cases if case.failures]
        told += map(shown, failures)
        failed += len(failures) + bool(outcome.problems)
        passed += len(outcome.cases) - len(failures)
    said = f"{passed} passed" + (f", {failed} failed" if failed else "")
    return Section("test", not failed, said, _fenced("\n".join(told)) if told else "")


def _planned(base: str, file: str, fail_on: str | None) -> tuple[Section, bool]:
    """The plan, and whether something in it is as grave as must not be."""
    try:
        with opened(base, beside=file) as old, opened(file, beside=base) as new:
            changes = plan(read_side(old.file, old.shown), read_side(new.file, new.shown))
    except AbsentError as error:
        return Section("plan", True, f"everything is new: {cell(str(error))}"), False
    except SourceError as error:
        return Section("plan", False, cell(str(error))), False
    except ConfigError as error:
        body = _fenced("\n".join(map(str, error.problems)))
        return Section("plan", False, "the structure of a side is broken", body), False
    counted = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    stopped = any(change.severity in counted for change in changes)
    head, body = as_markdown(changes).split("\n\n", 2)[1:] if changes else ("", "")
    said = head.partition(": ")[2] or "no change in meaning"
    return Section("plan", True, said + (f"; `{fail_on}` must not be" if stopped else ""), body), stopped


def _comment(sections: Sequence[Section]) -> str:
    rows = [
        f"| {section.name} | {'passed' if section.passed else '**failed**'} | {section.said} |" for section in sections
    ]
    parts = [MARKER, "### Change of the gateway's config", "\n".join(["| | | |", "|---|---|---|", *rows])]
    parts += [f"#### {section.name.capitalize()}\n\n{section.body}" for section in sections if section.body]
    text = "\n\n".join(part.strip("\n") for part in parts) + "\n"
    if len(text) <= MOST:
        return text
    # A table or a fence that is cut off would take the note about it in: text without markup has neither.
    brief = "\n\n".join([*parts[:3], "The rest is too long for a comment; it is in the output of the job."])
    return brief + "\n" if len(brief) < MOST else brief[:MOST]


def _fenced(text: str) -> str:
    """As code, whatever stands in it: a fence is longer than any run of its character within."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
