"""The command `gateway`: finds the verb and hands over to it.

Every verb is a module of this package with `add_arguments(parser)` and `run(args) -> exit status`;
only the one that was asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

VERBS: Final = {
    "serve": "serve a config",
    "check": "list every problem of a config",
    "test": "play the policy tests of a config",
    "render": "print the effective config, and where each value comes from",
    "explain": "show how a request would be decided, and why",
    "owners": "say which file defines what, and who approves a change of it",
    "schema": "print the JSON Schema of routers.yaml, or its reference",
    "keys": "make, list, rotate and revoke the keys of callers",
    "quota": "pay in, and say what is left",
    "usage": "say what was used and what it cost",
    "prices": "say what a model costs, and where that is from",
    "cache": "forget kept answers",
    "ledger": "make the tables of the ledger, or say what is in it",
    "alerts": "send webhooks a test",
    "audit": "read the audit log",
    "plan": "say what a change of the config does",
    "review": "check, test and plan a change, as one comment",
    "replay": "decide a recorded request again, under the config that decided it",
    "import": "turn another gateway's config into routers.yaml",
    "version": "print the version",
}

_MODULES: Final = {"import": "importing"}
"""Of verbs that no module may be called after."""


class Verb(Protocol):
    """What a module of this package has."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. 0 is success, 1 a problem that was reported, 2 wrong usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has left; the interpreter must not try to flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _run(given: list[str]) -> int:
    if given and given[0] in ("--version", "-V"):
        given = ["version"]
    parser = argparse.ArgumentParser(prog="gateway", description="An AI gateway with named routers.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    parsers = {name: verbs.add_parser(name, help=summary, description=summary) for name, summary in VERBS.items()}
    verb: Verb | None = None
    if given and given[0] in VERBS:
        verb = cast("Verb", importlib.import_module(f"gateway.cli.{_MODULES.get(given[0], given[0])}"))
        verb.add_arguments(parsers[given[0]])
    args = parser.parse_args(given)
    assert verb is not None, "argparse has refused every other first argument"
    return verb.run(args)
