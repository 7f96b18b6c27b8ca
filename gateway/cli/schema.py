"""`gateway schema`: what editors and readers are told about routers.yaml."""

from __future__ import annotations

import argparse
import sys

from gateway.config.reference import configuration_page
from gateway.config.schema import schema_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--docs: the reference instead."""
    parser.add_argument("--docs", action="store_true", help="print docs/configuration.md instead of the schema")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(configuration_page() if args.docs else schema_text())
    return 0
