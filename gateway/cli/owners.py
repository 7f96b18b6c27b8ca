"""`gateway owners`: which file defines what, and who approves a change of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.config.check import loaded_and_checked
from gateway.config.load import Loaded
from gateway.config.ownership import codeowners, definitions, owners_of
from gateway.config.problem import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE] [--codeowners] [--root FOLDER]."""
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("routers.yaml"), metavar="FILE", help="routers.yaml when not given"
    )
    parser.add_argument("--codeowners", action="store_true", help="print a CODEOWNERS file instead")
    parser.add_argument(
        "--root", type=Path, default=Path(), metavar="FOLDER", help="the repository's folder; absent: this one"
    )


def run(args: argparse.Namespace) -> int:
    """Print it; the problems instead when the config cannot be served."""
    try:
        loaded, _ = loaded_and_checked(args.file)
    except ConfigError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return 1
    sys.stdout.write(codeowners(loaded, args.root) if args.codeowners else _table(loaded))
    return 0


def _table(loaded: Loaded) -> str:
    main = Path(loaded.origins.root.mark.file).name
    lines = []
    for one in definitions(loaded):
        names = [name for owner in owners_of(one.file or main, loaded.spec.owners) for name in owner.names]
        owned_by = " ".join(dict.fromkeys(names)) or "-"
        lines.append(f"{one.section}.{one.name}\t{one.mark.file}:{one.mark.line}\t{owned_by}\n")
    return "".join(lines)
