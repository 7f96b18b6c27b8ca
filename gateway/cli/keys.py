"""`gateway keys new`: a key for a caller, printed once, and the entry that admits it."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """new NAME [--team T] [--routers a,b]."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser(
        "new", help="make a key", description="Print a new key, once, and its entry for auth.keys."
    )
    new.add_argument("name", type=_name, metavar="NAME", help="how logs and metrics name the caller")
    new.add_argument("--team", help="the team the caller belongs to")
    new.add_argument("--routers", help="the routers it may use, with commas between; all when not given")


def run(args: argparse.Namespace) -> int:
    """The key goes to standard output with its entry; nothing is stored anywhere."""
    key = f"gw_{secrets.token_urlsafe(32)}"
    entry = {"name": args.name, "hash": f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"}
    fields = [f"{name}: {_quoted(value)}" for name, value in entry.items()]
    if args.team:
        fields.append(f"team: {_quoted(args.team)}")
    if args.routers:
        names = [name.strip() for name in args.routers.split(",") if name.strip()]
        fields.append(f"routers: [{', '.join(map(_quoted, names))}]")
    sys.stdout.write(
        f"The key, shown this once:\n\n    {key}\n\n"
        f"Its entry in routers.yaml:\n\nauth:\n  mode: keys\n  keys:\n    - {{{', '.join(fields)}}}\n"
    )
    return 0


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise argparse.ArgumentTypeError("a key's name has 1 to 64 of A-Z a-z 0-9 _ . -")
    return text


def _quoted(text: str) -> str:
    """Text that YAML reads back as the same text; JSON strings are YAML."""
    return json.dumps(text)
