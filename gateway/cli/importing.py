"""`gateway import helicone|litellm FILE`: another gateway's config as routers.yaml, and what was lost on the way."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Final, TextIO

import yaml

from gateway.config.check import examine
from gateway.config.imports.parity import Imported
from gateway.config.problem import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """helicone|litellm FILE [--output FILE] [--report FILE]."""
    parser.add_argument("gateway", choices=("helicone", "litellm"), help="whose config it is")
    parser.add_argument("file", type=Path, metavar="FILE", help="its config, as YAML")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write routers.yaml here instead of standard output"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here instead of standard error")


def run(args: argparse.Namespace) -> int:
    """1 when the file cannot be read, or what was made of it would not pass `gateway check`."""
    try:
        imported = _read(args.gateway, args.file)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    text = _HEAD.format(name=args.file.name, gateway=_NAMES[args.gateway]) + _yaml(imported)
    try:
        _write(text, args.output, sys.stdout)
        _write(imported.parity.text(), args.report, sys.stderr)
    except OSError as error:
        print(f"{error.filename}: it cannot be written: {(error.strerror or '').lower()}", file=sys.stderr)
        return 1
    return _checked(text)


_VARIABLE: Final = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_NAMES: Final = {"helicone": "Helicone's AI Gateway", "litellm": "LiteLLM's proxy"}
_HEAD: Final = "# Made by `gateway import` from {name} of {gateway}. What was lost is in its report.\n"


def _read(gateway: str, file: Path) -> Imported:
    if gateway == "helicone":
        from gateway.config.imports.helicone import import_helicone

        return import_helicone(file)
    from gateway.config.imports.litellm import import_litellm

    return import_litellm(file)


def _yaml(imported: Imported) -> str:
    return yaml.dump(imported.document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes out what stands in several places: people edit it from here on."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _write(text: str, path: Path | None, stream: TextIO) -> None:
    if path is not None:
        path.write_text(text, "utf-8")
    else:
        stream.write(text)


def _checked(text: str) -> int:
    """The problems of what was made, if it has any, where every variable that it names is set."""
    env = {**dict.fromkeys(_VARIABLE.findall(text), "https://reference.invalid/v1"), **os.environ}
    with tempfile.TemporaryDirectory(prefix="router-gateway-") as folder:
        file = Path(folder) / "routers.yaml"
        file.write_text(text, "utf-8")
        _, problems = examine(file, env)
    errors = [problem for problem in problems if problem.level == "error"]
    for problem in errors:
        print(str(problem).replace(f"{folder}/", ""), file=sys.stderr)
    return int(bool(errors))
