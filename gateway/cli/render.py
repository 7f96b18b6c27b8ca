"""`gateway render`: the effective config, and where each value comes from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.config.check import loaded_and_checked
from gateway.config.problem import ConfigError, dotted
from gateway.config.problem import Path as DocumentPath
from gateway.config.render import Value, effective
from gateway.config.yaml_text import yaml_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE] [--origin] [--format yaml|json]."""
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("routers.yaml"), metavar="FILE", help="routers.yaml when not given"
    )
    parser.add_argument("--origin", action="store_true", help="say of each value where it is from")
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="how it is printed")


def run(args: argparse.Namespace) -> int:
    """Print it; the problems instead when the config cannot be served."""
    try:
        loaded, _ = loaded_and_checked(args.file)
    except ConfigError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return 1
    value = effective(loaded)
    if args.format == "yaml":
        sys.stdout.write(yaml_text(value, origins=args.origin))
        return 0
    shown = {"config": value.plain(), "origins": dict(_origins(value, ()))} if args.origin else value.plain()
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n")
    return 0


def _origins(value: Value, path: DocumentPath) -> Iterator[tuple[str, str]]:
    """Of each value that holds no others, by its place in the document."""
    inside = value.value
    if isinstance(inside, dict) and inside:
        for key, child in inside.items():
            yield from _origins(child, (*path, key))
    elif isinstance(inside, list) and inside:
        for index, child in enumerate(inside):
            yield from _origins(child, (*path, index))
    else:
        yield dotted(path), value.origin
