"""`gateway plan OLD NEW`: what a change of the config does, in meaning and not in text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from gateway.cli.plan_formats import as_json, as_markdown, as_text
from gateway.cli.revisions import SourceError, opened
from gateway.config.change.plan import plan
from gateway.config.change.rules import SEVERITIES
from gateway.config.change.side import read_side
from gateway.config.problem import ConfigError

_FORMATS: Final = {"text": as_text, "markdown": as_markdown, "json": as_json}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """OLD NEW [--format text|markdown|json] [--fail-on breaking|risky] [--traffic FILE]."""
    side = "a file, a folder, or a git revision: REV, REV:PATH, git:REV, git:REV:PATH"
    parser.add_argument("old", metavar="OLD", help=side)
    parser.add_argument(
        "new", metavar="NEW", nargs="?", default="routers.yaml", help="likewise (default: routers.yaml)"
    )
    parser.add_argument("--format", choices=tuple(_FORMATS), default="text", help="how changes are printed")
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES[:2],
        help="exit with 2 only for a change of this severity or a graver one",
    )
    parser.add_argument(
        "--traffic", type=Path, metavar="FILE", help="lines of the audit log: replay their requests under both configs"
    )


def run(args: argparse.Namespace) -> int:
    """0 nothing changes, 2 something does, 1 a side cannot be read. With --fail-on, 2 is for what is as grave alone."""
    try:
        with opened(args.old, beside=args.new) as old, opened(args.new, beside=args.old) as new:
            changes = plan(read_side(old.file, old.shown), read_side(new.file, new.shown))
            traffic = None
            if args.traffic is not None:
                from gateway.cli.traffic import replayed
                from gateway.rehearsal.recorded_traffic import TrafficError

                try:
                    traffic = replayed(old, new, args.traffic)
                except TrafficError as error:
                    print(error, file=sys.stderr)
                    return 1
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print("No plan: a side is broken.", file=sys.stderr)
        return 1
    sys.stdout.write(_FORMATS[args.format](changes, traffic))
    counted = SEVERITIES[: SEVERITIES.index(args.fail_on) + 1] if args.fail_on else SEVERITIES
    return 2 if any(change.severity in counted for change in changes) else 0
