"""`gateway version`."""

from __future__ import annotations

import argparse

from gateway import __version__


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(args: argparse.Namespace) -> int:
    """Print the version."""
    print(f"router-gateway {__version__}")
    return 0
