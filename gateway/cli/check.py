"""`gateway check`: every problem of a config, without starting anything."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.problem_formats import FORMATS, Report
from gateway.config.check import examine
from gateway.config.problem import Problem
from gateway.config.spec import Spec
from gateway.config.subject import listed_providers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FILE... [--format text|json|github|sarif] [--strict]."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="routers.yaml when none is given")
    parser.add_argument("--format", choices=("text", *FORMATS), default="text", help="how problems are printed")
    parser.add_argument("--strict", action="store_true", help="let warnings fail, too")


def run(args: argparse.Namespace) -> int:
    """1 when any file has an error, or with --strict a warning."""
    status = 0
    reports: list[Report] = []
    for path in args.files or [Path("routers.yaml")]:
        loaded, problems = examine(path, now=time.time())
        spec = loaded.spec if loaded is not None else None
        errors = sum(problem.level == "error" for problem in problems)
        failed = errors > 0 or (args.strict and bool(problems))
        status = max(status, int(failed))
        if args.format != "text":
            reports.append(Report(str(path), not failed, tuple(problems)))
            continue
        sys.stdout.write("".join(f"{problem}\n" for problem in problems))
        prefix = f"{path}: " if len(args.files) > 1 else ""
        sys.stdout.write(f"{prefix}{_summary(spec, problems, failed=failed)}\n")
    if args.format != "text":
        sys.stdout.write(FORMATS[args.format](reports))
    return status


def _summary(spec: Spec | None, problems: Sequence[Problem], *, failed: bool) -> str:
    errors = sum(problem.level == "error" for problem in problems)
    counts = [] if spec is None or failed else [(len(spec.routers), "router"), (len(_providers(spec)), "provider")]
    counts += [(number, noun) for number, noun in ((errors, "error"), (len(problems) - errors, "warning")) if number]
    return f"{'failed' if failed else 'ok'}: {', '.join(_count(number, noun) for number, noun in counts)}"


def _providers(spec: Spec) -> set[str]:
    """The providers that the file names, in `providers` or in a router's list."""
    return set(spec.providers) | listed_providers(spec)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
