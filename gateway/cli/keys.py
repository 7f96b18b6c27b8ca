"""`gateway keys new|list|rotate|revoke`: the keys of callers, and with `--admin` those of the admin API.

A key is shown once and stored nowhere: what is kept is its hash. Where the config names a keys file, or `--file` does,
that file is changed; routers.yaml itself never is, so for a key that stands there its entry is printed, for whoever
reviews the change.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.cli.key_store import KeyStore, Refused
from gateway.config.keys_file import Entry, entry_line
from gateway.config.spec import GatewayKey
from gateway.core.key_text import BITS, key_text
from gateway.core.moments import MOMENT, end_of, moment_text
from gateway.core.units import seconds

_SOON: Final = 14 * 86400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """new NAME ..., list, rotate NAME ..., revoke NAME."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a key", description="Make a key, and show it once.")
    new.add_argument("name", type=_name, metavar="NAME", help="how logs and metrics name the caller")
    new.add_argument("--team", help="the team the caller belongs to")
    for option, what in (
        ("routers", "the routers it may use"),
        ("models", "the models it may ask for, or patterns"),
        ("providers", "the providers that may serve it"),
        ("networks", "the networks it may call from"),
    ):
        new.add_argument(f"--{option}", type=_names, help=f"{what}, with commas between; all when not given")
    new.add_argument("--expires", type=_moment, help="the last day on which it is good: 2027-01-31")
    new.add_argument(
        "--signing",
        choices=("required", "optional"),
        help="its requests are signed, with a secret that is shown once too; with `required` there is no key beside it",
    )
    new.add_argument("--admin", choices=("read", "write"), help="a key of the admin API instead, and what it may do")
    listing = actions.add_parser("list", help="list the keys", description="List the keys, none of them shown.")
    listing.add_argument("--format", choices=("text", "json"), default="text", help="how they are printed")
    rotate = actions.add_parser(
        "rotate",
        help="give a key a new secret",
        description="Make a new secret; the old one counts for a while longer.",
    )
    rotate.add_argument("name", type=_name, metavar="NAME")
    rotate.add_argument("--expires", type=_moment, help="a later end, as for `new`")
    rotate.add_argument("--grace", type=_duration, default=86400.0, help="how long the old one counts (default: 24h)")
    revoke = actions.add_parser("revoke", help="take a key away", description="Take a key away, at once.")
    revoke.add_argument("name", type=_name, metavar="NAME")
    for action in (new, listing, rotate, revoke):
        action.add_argument("--config", type=Path, help="the config: its pepper, and the keys file that it names")
        action.add_argument("--file", type=Path, help="the keys file; made when it is not there")


def run(args: argparse.Namespace) -> int:
    """1 when there is a problem, which is told."""
    try:
        if args.action == "new" and args.admin is not None:
            return _new_admin(args, KeyStore(args.config, None))
        if args.action == "new" and args.config is None and args.file is None:
            return _new(args, KeyStore(None, None))
        actions = {"new": _new, "list": _list, "rotate": _rotate, "revoke": _revoke}
        return actions[args.action](args, KeyStore.find(args.config, args.file))
    except Refused as problem:
        print(problem, file=sys.stderr)
        return 1


def _new(args: argparse.Namespace, store: KeyStore) -> int:
    if args.name in store.names():
        raise Refused(f"There is a key {args.name!r} already; `gateway keys rotate {args.name}` gives it a new secret.")
    entry: Entry = {"name": args.name}
    shown = ""
    if args.signing != "required":
        key = _random_key()
        entry["hash"] = _hash_of(key, store.pepper)
        shown += f"The key, shown this once:\n\n    {key}\n\n"
    if args.signing is not None:
        variable = f"{re.sub('[^A-Z0-9]', '_', args.name.upper())}_SIGNING_SECRET"
        entry["signing"] = args.signing
        entry["signing-secret"] = f"${{env:{variable}}}"
        shown += f"The secret for its signatures, shown this once; the gateway reads it from {variable}:\n\n"
        shown += f"    {secrets.token_urlsafe(32)}\n\n"
    for name in ("team", "routers", "models", "providers", "networks", "expires"):
        if (value := getattr(args, name)) is not None:
            entry[name] = value
    if not store.keeps:
        sys.stdout.write(
            f"{shown}Its entry in routers.yaml:\n\nauth:\n  mode: keys\n  keys:\n    - {entry_line(entry)}\n"
        )
        return 0
    entry["created"] = moment_text(time.time())
    with store.editing() as entries:
        entries.append(entry)
    sys.stdout.write(f"{shown}{store.kept()}")
    return 0


def _new_admin(args: argparse.Namespace, store: KeyStore) -> int:
    """Its entry stands in the config alone: who may change quotas is reviewed."""
    for option in ("team", "routers", "models", "providers", "networks", "signing", "file"):
        if getattr(args, option) is not None:
            raise Refused(f"--{option} is for keys of callers; one of the admin API has a role, and may expire.")
    key = _random_key()
    entry: Entry = {"name": args.name, "hash": _hash_of(key, store.pepper), "role": args.admin}
    if args.expires is not None:
        entry["expires"] = args.expires
    sys.stdout.write(
        f"The admin key, shown this once:\n\n    {key}\n\n"
        f"Its entry in routers.yaml:\n\nadmin:\n  keys:\n    - {entry_line(entry)}\n"
    )
    return 0


def _rotate(args: argparse.Namespace, store: KeyStore) -> int:
    now = time.time()
    key = _random_key()
    shown = f"The new key, shown this once:\n\n    {key}\n\n"
    entry = store.written(args.name)
    if entry is not None:
        changed = _rotated(entry.plain, key, store.pepper, args, now)
        sys.stdout.write(f"{shown}Its entry, instead of the one at {entry.place}:\n\n    - {entry_line(changed)}\n")
        return 0
    with store.editing() as entries:
        index = store.index(entries, args.name)
        entries[index] = _rotated(entries[index], key, store.pepper, args, now)
    until = f"The old one counts until {moment_text(now + args.grace)}." if args.grace else "The old one is void."
    sys.stdout.write(f"{shown}{until} {store.kept()}")
    return 0


def _rotated(entry: Entry, key: str, pepper: str | None, args: argparse.Namespace, now: float) -> Entry:
    """The entry with another secret. A secret from before the last rotation ends with it: two count at most."""
    old = entry.get("hash")
    if old is None:
        raise Refused(f"{entry['name']!r} has no key, only signatures: replace its signing-secret where that is kept.")
    changed: Entry = {}
    for name, value in entry.items():
        if name == "hash":
            changed["hash"] = _hash_of(key, pepper)
            if args.grace:
                changed["previous"] = {"hash": old, "until": moment_text(now + args.grace)}
        elif name != "previous":
            changed[name] = value
    if args.expires is not None:
        changed["expires"] = args.expires
    return changed


def _revoke(args: argparse.Namespace, store: KeyStore) -> int:
    entry = store.written(args.name)
    if entry is not None:
        raise Refused(
            f"{args.name!r} stands at {entry.place}, in a file that only people change: remove its entry there. "
            "A running gateway takes that up by itself."
        )
    with store.editing() as entries:
        del entries[store.index(entries, args.name)]
    sys.stdout.write(f"{args.name!r} is revoked. {store.kept()}")
    return 0


def _list(args: argparse.Namespace, store: KeyStore) -> int:
    now = time.time()
    rows = [_row(key, now) for key in store.known()]
    if args.format == "json":
        print(json.dumps(rows, indent=2))
        return 0
    names = ("name", "team", "routers", "created", "expires", "state")
    table = [names, *(tuple(_cell(row[name]) for name in names) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(names))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _row(key: GatewayKey, now: float) -> Mapping[str, object]:
    return {
        "name": key.name,
        "team": key.team,
        "routers": key.routers,
        "models": key.models,
        "providers": key.providers,
        "networks": key.networks,
        "created": key.created,
        "expires": key.expires,
        "signing": key.signing,
        "state": _state(key, now),
    }


def _state(key: GatewayKey, now: float) -> str:
    if key.expires is not None:
        left = end_of(key.expires) - now
        if left <= 0:
            return "expired"
        if left < _SOON:
            return f"expires in {left / 86400:.0f} days"
    if key.previous is not None and end_of(key.previous.until) > now:
        return f"two secrets until {key.previous.until}"
    return "active"


def _cell(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return "-" if value is None else str(value)


def _random_key() -> str:
    return key_text(secrets.randbits(BITS))


def _hash_of(key: str, pepper: str | None) -> str:
    if pepper is None:
        return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    return f"hmac-sha256:{hmac.digest(pepper.encode(), key.encode(), 'sha256').hex()}"


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise argparse.ArgumentTypeError("a key's name has 1 to 64 of A-Z a-z 0-9 _ . -")
    return text


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _moment(text: str) -> str:
    try:
        if not re.fullmatch(MOMENT, text):
            raise ValueError
        end_of(text)
    except ValueError:
        raise argparse.ArgumentTypeError("write 2027-01-31, or 2027-01-31T12:00Z") from None
    return text


def _duration(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
