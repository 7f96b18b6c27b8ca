"""`gateway ledger migrate` and `gateway ledger status`: the tables of the ledger, and what is in them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.sound import sound

if TYPE_CHECKING:
    from gateway.config.spec import LedgerSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """migrate | status [--config FILE]."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("migrate", "make or change the tables, as `gateway serve` does at start"),
        ("status", "say which migrations are applied, and what is kept"),
    ):
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument(
            "--config", metavar="FILE", default="routers.yaml", help="the configuration (default: routers.yaml)"
        )


def run(args: argparse.Namespace) -> int:
    """Print what was done or is there. 1 when there is no ledger, or it does not answer, or migrations are missing."""
    from gateway.store.ledger.protocol import LedgerDown

    loaded = sound(args.config)
    if loaded is None:
        return 1
    settings = loaded.spec.ledger
    if settings is None:
        print(f"{args.config} keeps no ledger. `ledger: {{}}` keeps one in a file.", file=sys.stderr)
        return 1
    try:
        return asyncio.run(_migrate(settings) if args.action == "migrate" else _status(settings))
    except LedgerDown as down:
        print(f"The ledger cannot be asked: {down}", file=sys.stderr)
        return 1


async def _migrate(settings: LedgerSettings) -> int:
    from gateway.assemble.ledger import ledger_database

    database = ledger_database(settings)
    try:
        applied = await database.migrate()
    finally:
        await database.close()
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print("Nothing to apply: the tables are as this version needs them.")
    return 0


async def _status(settings: LedgerSettings) -> int:
    from gateway.assemble.ledger import ledger_database
    from gateway.core.units import size_in_bytes
    from gateway.store.ledger.spool import Spool

    database = ledger_database(settings)
    try:
        status = await database.status()
    finally:
        await database.close()
    spool = Spool(Path(settings.spool), size_in_bytes(settings.max_spool), "status")
    oldest = "none" if status.oldest is None else f"{datetime.fromtimestamp(status.oldest, UTC):%Y-%m-%d %H:%M:%S} UTC"
    print(
        f"place      {status.place}\n"
        f"applied    {', '.join(status.applied) or 'nothing'}\n"
        f"missing    {', '.join(status.missing) or 'nothing'}\n"
        f"requests   {status.requests} counted since it began\n"
        f"oldest row {oldest}\n"
        f"size       {status.size} bytes\n"
        f"spool      {spool.size()} bytes in {settings.spool}, {spool.set_aside()} files set aside"
    )
    return 1 if status.missing else 0
