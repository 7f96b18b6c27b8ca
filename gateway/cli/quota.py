"""`gateway quota`: what consumers have paid in advance, in the ledger of a config.

A running gateway needs not be told: whoever is refused for want of a balance is looked up again within a second, and
everybody who asks within ten.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.config.spec import Spec
    from gateway.store.ledger.protocol import Balance, Consumer, LedgerDatabase

_KINDS: Final = ("key", "team", "project")


class _Refused(Exception):
    """Why nothing was done, for people."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """add|set CONSUMER AMOUNT [--note TEXT] | show CONSUMER | list [--kind KIND]; each [--config FILE] [--json]."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("add", "pay in; an amount below zero takes away"),
        ("set", "make the balance an amount, whatever was spent before"),
        ("show", "say what is left to a consumer"),
        ("list", "say what is left to everybody who ever paid in"),
    ):
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name != "list":
            action.add_argument("consumer", metavar="CONSUMER", help="who pays: key:NAME, team:NAME or project:NAME")
        else:
            action.add_argument("--kind", choices=_KINDS, help="only these")
        if name in ("add", "set"):
            action.add_argument("amount", metavar="AMOUNT", help="US dollars: 50, 12.50")
            action.add_argument("--note", default="", help="why, for whoever reads it later")
            action.add_argument(
                "--unlisted", action="store_true", help="though the config names no such consumer (bearers of tokens)"
            )
        action.add_argument("--json", action="store_true", help="print JSON")
        action.add_argument("--config", metavar="FILE", default="routers.yaml", help="the configuration")


def run(args: argparse.Namespace) -> int:
    """1 when there is a problem, which is told; 2 for what cannot be meant."""
    from gateway.config.check import loaded_and_checked
    from gateway.config.problem import ConfigError
    from gateway.store.ledger.grants import NotGranted, granted_amount
    from gateway.store.ledger.protocol import LedgerDown

    try:
        try:
            loaded, _ = loaded_and_checked(Path(args.config))
        except ConfigError as error:
            raise _Refused("\n".join(str(problem) for problem in error.problems)) from None
        spec = loaded.spec
        if spec.ledger is None:
            raise _Refused(f"{args.config} keeps no ledger, where balances are. `ledger: {{}}` keeps one in a file.")
        if args.action == "list":
            return asyncio.run(_list(spec, args))
        consumer = _consumer(args.consumer)
        if args.action == "show":
            return asyncio.run(_show(spec, args, consumer))
        amount = granted_amount(args.action, args.amount)
        if not args.note.isprintable() or len(args.note) > 500:
            raise _Refused("--note: at most 500 characters, all of which can be shown.")
        if not args.unlisted:
            _check_known(spec, consumer)
        return asyncio.run(_change(spec, args, consumer, amount))
    except (_Refused, NotGranted) as problem:
        print(problem, file=sys.stderr)
    except LedgerDown as down:
        print(f"The ledger cannot be asked: {down}", file=sys.stderr)
    return 1


def _consumer(text: str) -> Consumer:
    from gateway.store.ledger.protocol import Consumer, ConsumerKind

    kind, colon, name = text.partition(":")
    if not colon or not name or kind not in _KINDS:
        raise _Refused(f"{text!r} is no consumer: write it as key:NAME, team:NAME or project:NAME.")
    if len(name) > 256 or not name.isprintable():
        raise _Refused("A consumer's name has at most 256 characters, all of which can be shown.")
    found: ConsumerKind = next(one for one in get_args(ConsumerKind) if one == kind)
    return Consumer(found, name)


def _check_known(spec: Spec, consumer: Consumer) -> None:
    """That the config knows who is to pay: a balance under a name with a typing error bounds nobody."""
    from gateway.config.consumers import may_be_named, names_of

    if may_be_named(spec, consumer.kind, consumer.name):
        return
    near = get_close_matches(consumer.name, names_of(spec, consumer.kind), 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise _Refused(
        f"The config knows no {consumer.kind} {consumer.name!r}.{hint} `--unlisted` pays in for one it does not name."
    )


async def _change(spec: Spec, args: argparse.Namespace, consumer: Consumer, amount: int) -> int:
    from gateway.store.ledger.grants import check_balance
    from gateway.store.ledger.protocol import QuotaEntry

    database = _database(spec)
    try:
        await database.open()
        check_balance(args.action, amount, await database.balance(consumer))
        entry_id = f"cli:{os.urandom(16).hex()}"
        kind: Literal["add", "set"] = "set" if args.action == "set" else "add"
        entry = QuotaEntry(entry_id, consumer, kind, amount, time.time(), f"cli:{_user()}", args.note)
        await database.enter(entry)
        after = await database.balance(consumer)
    finally:
        await database.close()
    if after is None:
        raise _Refused("What was entered is not there: ask `gateway quota show`.")
    _print(args, [after])
    quotas = spec.quotas
    if quotas is None or consumer.kind not in quotas.consumers:
        print(
            f"It bounds nobody yet: {args.config} has no `quotas` with `consumers: [{consumer.kind}]`.", file=sys.stderr
        )
    return 0


async def _show(spec: Spec, args: argparse.Namespace, consumer: Consumer) -> int:
    database = _database(spec)
    try:
        await database.open()
        balance = await database.balance(consumer)
    finally:
        await database.close()
    if balance is None:
        raise _Refused(f"Nothing was ever paid in for {args.consumer}: it has no quota.")
    _print(args, [balance])
    return 0


async def _list(spec: Spec, args: argparse.Namespace) -> int:
    database = _database(spec)
    try:
        await database.open()
        balances = await database.balances(args.kind)
    finally:
        await database.close()
    _print(args, balances)
    return 0


def _database(spec: Spec) -> LedgerDatabase:
    from gateway.assemble.ledger import ledger_database

    assert spec.ledger is not None
    return ledger_database(spec.ledger)


def _print(args: argparse.Namespace, balances: Collection[Balance]) -> None:
    from gateway.ingress.admin.tables import quota_line

    lines = [quota_line(balance) for balance in balances]
    if args.json:
        text = msgspec.json.format(msgspec.json.encode({"currency": "USD", "quotas": lines}), indent=2).decode()
        print(text)
        return
    rows = [("consumer", "left USD", "paid in USD", "spent USD", "since")]
    rows += [(f"{line.kind}:{line.name}", line.left, line.granted, line.spent, line.since) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(widths[at + 1]) for at, cell in enumerate(row[1:4])), row[4]]
        print("  ".join(cells))
    if not lines:
        print("Nobody has paid in.", file=sys.stderr)


def _user() -> str:
    """Who did it, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
