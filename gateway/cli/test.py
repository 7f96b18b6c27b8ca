"""`gateway test`: unit tests of policies, played on virtual time."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from gateway.config.problem import ConfigError
from gateway.rehearsal.outcome import FileOutcome, broken, junit, perform, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE|FOLDER...] [-k PATTERN] [--junit FILE] [--watch]."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="files, or folders of *.test.yaml; this folder if none is given",
    )
    parser.add_argument(
        "-k", dest="pattern", default="", metavar="PATTERN", help="only cases whose name has this in it"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report, too")
    parser.add_argument("--watch", action="store_true", help="run again whenever a file changes")


def run(args: argparse.Namespace) -> int:
    """1 when a case fails, a file is broken, or there is nothing to run."""
    if not args.watch:
        return _run_once(args)[0]
    from watchfiles import watch

    while True:
        began = time.time_ns()
        _, files = _run_once(args)
        seen = _stamps(files)
        folders = {path.resolve().parent for path in files} or {Path.cwd()}
        sys.stdout.write(f"waiting for a change in {', '.join(sorted(map(str, folders)))}\n")
        sys.stdout.flush()
        # What changed while the cases were played, or before the watch had begun, tells of no event: it is looked for.
        for _ in watch(*folders, recursive=False, rust_timeout=500, yield_on_timeout=True):
            now = _stamps(files)
            if now != seen or any(changed >= began for changed in now.values()):
                break


def _stamps(files: list[Path]) -> dict[Path, int]:
    """When each file was changed, 0 for one that is not there."""
    return {path: path.stat().st_mtime_ns if path.exists() else 0 for path in files}


def _run_once(args: argparse.Namespace) -> tuple[int, list[Path]]:
    files, nothing = test_files(args.paths)
    if nothing:
        sys.stderr.write(f"{nothing}\n")
        return 1, files
    started = time.monotonic()
    outcomes: list[FileOutcome] = []
    for path in files:
        try:
            outcome = perform(path, args.pattern, lambda passed: _dot(passed=passed))
        except ConfigError as error:
            outcome = broken(path, error)
            sys.stdout.write("E\n" + "".join(f"{problem}\n" for problem in error.problems))
        outcomes.append(outcome)
    read = [file for outcome in outcomes for file in outcome.files]
    errors = sum(bool(outcome.problems) for outcome in outcomes)
    cases = [case for outcome in outcomes for case in outcome.cases]
    failed = [case for case in cases if case.failures]
    sys.stdout.write("\n" if cases else "")
    sys.stdout.write("".join(f"\n{shown(case)}\n" for case in failed))
    counts = [f"{len(cases) - len(failed)} passed", f"{len(failed)} failed" if failed else ""]
    counts.append(f"{errors} file{'' if errors == 1 else 's'} broken" if errors else "")
    sys.stdout.write(f"{', '.join(filter(None, counts))} in {time.monotonic() - started:.2f} s\n")
    if args.junit is not None:
        try:
            args.junit.write_bytes(junit(outcomes))
        except OSError as error:
            sys.stderr.write(f"{args.junit}: it cannot be written: {(error.strerror or '').lower()}\n")
            return 1, read
    if not cases and not errors:
        sys.stderr.write(f"no case has `{args.pattern}` in its name\n")
    return int(bool(failed or errors or not cases)), read


def _dot(*, passed: bool) -> None:
    sys.stdout.write("." if passed else "F")
    sys.stdout.flush()


def test_files(paths: list[Path]) -> tuple[list[Path], str]:
    """The files to run, and what is wrong with that."""
    found: list[Path] = []
    for path in paths or [Path()]:
        if not path.is_dir():
            found.append(path)
            continue
        below = sorted(path.glob("*.test.yaml"))
        if not below:
            return found, f"{path}: there is no *.test.yaml in this folder"
        found += below
    return list(dict.fromkeys(found)), ""
