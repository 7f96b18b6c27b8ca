"""`gateway usage`: what was used and what it cost, out of the ledger of a config or from a gateway's admin API.

The question is read, and refused, as the admin API does it; here it is only asked and shown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.moments import instant_text
from gateway.ingress.admin.answers import UsageAnswer, UsageLine
from gateway.ingress.admin.csv_text import csv_pieces
from gateway.ingress.admin.query import Question, question_of
from gateway.ingress.admin.tables import USAGE_NAMES, usage_cells, usage_line
from gateway.store.ledger.protocol import LedgerDatabase, LedgerDown, UsageQuery, UsageRow

SHOWN: Final = 1_000
"""Rows of a table for people."""

_FETCHED: Final = 1_000
_SHORT: Final = ("requests", "failed", "input", "output", "cached", "cost USD", "unpriced", "saved USD")
"""The columns for people."""


class _Refused(Exception):
    """Why there is nothing to show, for people."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--by NAMES] [--since WHEN] [--until WHEN] [--where NAME=VALUE] [--csv|--json] [--config FILE | --url URL]."""
    parser.add_argument(
        "--by", default="team", help="what rows are grouped by, with commas between (default: team); `` for one row"
    )
    parser.add_argument("--since", default="30d", help="a day, a moment or so long ago (default: 30d)")
    parser.add_argument("--until", help="a day, a moment or so long ago, not included (default: now)")
    parser.add_argument(
        "--where", action="append", default=[], metavar="NAME=VALUE", help="only where it is so; may be given again"
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--csv", action="store_true", help="print CSV, every row")
    forms.add_argument("--json", action="store_true", help="print JSON, every row")
    parser.add_argument(
        "--config", type=Path, default=Path("routers.yaml"), help="the config that says where the ledger is"
    )
    parser.add_argument("--url", help="ask the admin API of a gateway instead: http://127.0.0.1:8080")
    parser.add_argument(
        "--admin-key-env",
        default="GATEWAY_ADMIN_KEY",
        metavar="NAME",
        help="the environment variable with the admin key (default: GATEWAY_ADMIN_KEY)",
    )


def run(args: argparse.Namespace) -> int:
    """1 when there is a problem, which is told."""
    pairs = [("by", args.by), ("since", args.since)]
    if args.until is not None:
        pairs.append(("until", args.until))
    for text in args.where:
        name, equals, value = text.partition("=")
        if not equals:
            print(f"--where {text}: write it as team=ml.", file=sys.stderr)
            return 2
        pairs.append((f"where.{name}", value))
    try:
        question = question_of(pairs, time.time(), groups=True)
        if args.url is not None:
            return _from_gateway(args, pairs)
        return asyncio.run(_from_ledger(args, question))
    except GatewayError as error:
        where = "" if error.param is None else f"--{error.param.replace('where.', 'where ')}: "
        print(f"{where}{error.message}", file=sys.stderr)
    except LedgerDown as down:
        print(f"The ledger cannot be asked: {down}", file=sys.stderr)
    except _Refused as problem:
        print(problem, file=sys.stderr)
    return 1


async def _from_ledger(args: argparse.Namespace, question: Question) -> int:
    database = _database(args.config)
    query = question.query
    try:
        if args.csv:
            cells = (usage_cells(row) async for row in _rows(database, query))
            async for piece in csv_pieces((*query.by, *USAGE_NAMES), cells):
                sys.stdout.buffer.write(piece)
        else:
            most = None if args.json else SHOWN + 1
            lines = [usage_line(query.by, row) async for row in _rows(database, query, most)]
            _show(args, query.since, query.until, query.by, lines)
    finally:
        await database.close()
    return 0


async def _rows(database: LedgerDatabase, query: UsageQuery, most: int | None = None) -> AsyncIterator[UsageRow]:
    after = ""
    seen = 0
    while True:
        page = await database.usage(msgspec.structs.replace(query, limit=_FETCHED, after=after))
        for row in page.rows:
            yield row
        seen += len(page.rows)
        after = page.cursor
        if not after or (most is not None and seen >= most):
            return


def _database(config: Path) -> LedgerDatabase:
    """Of a config. It is only read: a ledger that is not there is not made, nor brought up to date."""
    from gateway.assemble.ledger import ledger_database
    from gateway.config.check import loaded_and_checked
    from gateway.config.ledger_url import read_ledger_url
    from gateway.config.problem import ConfigError

    try:
        loaded, _ = loaded_and_checked(config)
    except ConfigError as error:
        raise _Refused("\n".join(str(problem) for problem in error.problems)) from None
    settings = loaded.spec.ledger
    if settings is None:
        raise _Refused(f"{config} keeps no ledger: it has no `ledger`. Of a gateway elsewhere: --url.")
    url = read_ledger_url(settings.url)
    if url.dsn is None and not Path(url.path).is_file():
        raise _Refused(f"There is no ledger at {url.place} yet (a path from the folder the gateway is started in).")
    return ledger_database(settings)


def _from_gateway(args: argparse.Namespace, pairs: Sequence[tuple[str, str]]) -> int:
    # No redirect is followed: the key is for this address alone.
    import httpx2

    key = os.environ.get(args.admin_key_env, "")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    address = f"{args.url.rstrip('/')}/admin/api/usage"
    try:
        with httpx2.Client(headers=headers, timeout=60.0) as client:
            if args.csv:
                with client.stream("GET", address, params=[*pairs, ("format", "csv")]) as reply:
                    if reply.status_code != 200:
                        reply.read()
                        raise _Refused(_said(args, reply.status_code, reply.content))
                    for piece in reply.iter_bytes():
                        sys.stdout.buffer.write(piece)
                return 0
            lines: list[UsageLine] = []
            asked = dict(pairs)
            while True:
                reply = client.get(address, params=asked)
                if reply.status_code != 200:
                    raise _Refused(_said(args, reply.status_code, reply.content))
                answer = msgspec.json.decode(reply.content, type=UsageAnswer)
                lines += answer.rows
                if not answer.cursor or (not args.json and len(lines) > SHOWN):
                    break
                asked = {"cursor": answer.cursor}
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _Refused(f"{args.url} cannot be asked: {str(error) or type(error).__name__}") from None
    except msgspec.MsgspecError:
        raise _Refused(f"{args.url} answers otherwise than an admin API does.") from None
    _print(args, UsageAnswer(answer.since, answer.until, answer.by, "USD", lines, ""))
    return 0


def _said(args: argparse.Namespace, status: int, content: bytes) -> str:
    try:
        said = msgspec.json.decode(content, type=dict[str, dict[str, str | None]])["error"]["message"]
    except (msgspec.MsgspecError, KeyError):
        said = "that is no admin API"
    hint = f" The key is read from {args.admin_key_env}." if status in (401, 403) else ""
    return f"{args.url} answers {status}: {said}{hint}"


def _show(args: argparse.Namespace, since: float, until: float, by: Sequence[str], lines: list[UsageLine]) -> None:
    _print(args, UsageAnswer(instant_text(since), instant_text(until), list(by), "USD", lines, ""))


def _print(args: argparse.Namespace, answer: UsageAnswer) -> None:
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n")
        return
    table = [[*answer.by, *_SHORT]]
    for line in answer.rows[:SHOWN]:
        counts = (line.requests, line.failed, line.input_tokens, line.output_tokens, line.cached_tokens)
        cells = [*map(str, counts), line.cost, str(line.unpriced), line.saved]
        table.append([*(_plain(line.group[name]) for name in answer.by), *cells])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print(f"{answer.since} to {answer.until}\n")
    for row in table:
        cells = [
            cell.ljust(width) if index < len(answer.by) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    if len(answer.rows) > SHOWN:
        print(f"\n... and more: these are the first {SHOWN}; --csv and --json have them all.")
    if any(line.unpriced for line in answer.rows):
        print("\nUnpriced requests are not in the cost: the price of what they used is not known.")


def _plain(value: str) -> str:
    """A value that a terminal shows and does not obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in value) or "-"
