"""`gateway audit tail|query`: reading the audit log, where it was rotated and compressed too.

Lines of other programs among its own are passed over and counted, so that what a container has printed can be piped
in. Bodies that were encrypted are shown where the config has the key.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli.audit_text import line_text, sums_json, sums_text
from gateway.core.moments import instant_of
from gateway.telemetry.audit_entry import hashed_user
from gateway.telemetry.audit_line import encode
from gateway.telemetry.audit_reader import Follower, Found, Missed, Wanted, files_of, read, read_files
from gateway.telemetry.audit_sums import COLUMNS, Groups

if TYPE_CHECKING:
    from gateway.config.spec import AuditSettings
    from gateway.telemetry.audit_seal import KeyRing

_KEYS_NAMED: Final = 10
_LOOK_EVERY: Final = 0.25
"""Seconds between two looks at a file that is followed."""


class _Refused(Exception):
    """What keeps the command from running, for people."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """tail [-f] [-n N] [--json] [filters]; query [--group-by A,B] [--lines] [filters]; FILE ... or -."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    tail = actions.add_parser("tail", help="show the last lines", description="Show the last lines, and new ones.")
    tail.add_argument("-f", "--follow", action="store_true", help="go on with what is added, also after a rotation")
    tail.add_argument("-n", "--number", type=_count, default=10, metavar="N", help="how many lines (default: 10)")
    tail.add_argument("--json", action="store_true", help="lines as they stand in the file, bodies decrypted")
    query = actions.add_parser(
        "query", help="count and add up", description="Count lines and add up what they say, over all files there are."
    )
    query.add_argument(
        "--group-by", type=_columns, default=(), metavar="A,B", help=f"of {', '.join(COLUMNS)}; all together if absent"
    )
    query.add_argument("--lines", action="store_true", help="print the lines themselves, as JSON")
    query.add_argument("--format", choices=("text", "json"), default="text", help="how sums are printed")
    query.add_argument("--top", type=_count, metavar="N", help="the N groups with the most lines alone")
    for action in (tail, query):
        action.add_argument(
            "files", nargs="*", metavar="FILE", help="files instead of the config's; `-`: standard input"
        )
        action.add_argument("--config", default="routers.yaml", help="the configuration (default: routers.yaml)")
        action.add_argument("--since", metavar="WHEN", help="2026-11-01, 2026-11-01T12:00:00Z, or 2h for so long ago")
        action.add_argument("--until", metavar="WHEN", help="the same, not included")
        for name, what in (
            ("router", "the router, or the route with its slash"),
            ("team", "the caller's team"),
            ("caller", "the name of the gateway key"),
            ("user", "the end user, as the client names it, also where the log has it hashed"),
            ("model", "the model that was asked for, or that answered"),
            ("provider", "the provider that answered"),
            ("outcome", "ok, error, disconnected or broken"),
            ("request", "the request id, or the line's own"),
        ):
            action.add_argument(f"--{name}", metavar=name.upper(), help=what)
        action.add_argument("--status", type=_status, metavar="STATUS", help="200, or 5xx")


def run(args: argparse.Namespace) -> int:
    """1 when there is a problem, which is told."""
    try:
        reading = _Reading(args)
        return reading.tail() if args.action == "tail" else reading.query()
    except _Refused as problem:
        print(problem, file=sys.stderr)
        return 1


class _Reading:
    def __init__(self, args: argparse.Namespace) -> None:
        self._args: Final = args
        self._settings: Final = _settings_of(Path(args.config), needed=not args.files)
        self._missed: list[Missed] = []
        self._broken = 0
        self._foreign = 0
        self._sealed = 0
        self._keys_missing: set[str] = set()
        self._altered = 0
        self._first_altered = ""
        now = time.time()
        try:
            since = instant_of(args.since, now) if args.since else None
            until = instant_of(args.until, now) if args.until else None
        except ValueError as problem:
            raise _Refused(f"{problem}") from None
        self._wanted: Final = Wanted(
            since,
            until,
            args.router,
            args.team,
            args.caller,
            self._names_of(args.user) if args.user is not None else None,
            args.model,
            args.provider,
            args.status,
            args.outcome,
            args.request,
        )
        self._keys: Final = _keys_of(self._settings)

    def tail(self) -> int:
        args = self._args
        if args.follow and args.files:
            raise _Refused("--follow goes with the config's own file; pipe `tail -F FILE` into `gateway audit tail -`")
        path = None if args.files else self._path()
        last = deque(self._chosen(self._sources()), maxlen=args.number)
        follower = Follower(path) if args.follow and path is not None else None
        if follower is not None:
            follower.skip()
        for found in last:
            self._show(found)
        self._tell_missed()
        while follower is not None:
            for found in self._chosen(follower.read()):
                self._show(found)
            sys.stdout.flush()
            time.sleep(_LOOK_EVERY)
        return 0

    def query(self) -> int:
        args = self._args
        groups = Groups(args.group_by)
        for found in self._chosen(self._sources()):
            if args.lines:
                self._show_json(found)
            else:
                groups.add(found.line)
        if not args.lines:
            chosen = list(itertools.islice(groups, args.top))
            sys.stdout.write(
                sums_json(groups.columns, chosen) if args.format == "json" else sums_text(groups.columns, chosen)
            )
        self._tell_missed()
        return 0

    def _path(self) -> Path:
        settings = self._settings
        if settings is None:
            raise _Refused(f"{self._args.config} has no `audit`: nothing is written.")
        if settings.to != "file":
            raise _Refused(
                f"{self._args.config} sends the audit log to {settings.to}, where this command does not read. "
                "What a container has printed can be piped in: kubectl logs POD | gateway audit query -"
            )
        return Path(settings.path)

    def _sources(self) -> Iterator[Found | Missed]:
        names = self._args.files
        if not names:
            path = self._path()
            paths = files_of(path, self._wanted.since)
            if not paths:
                raise _Refused(f"There is no {path}, and nothing that was put aside of it.")
            return read_files(paths)
        for name in names:
            if name != "-" and not Path(name).is_file():
                raise _Refused(f"There is no file {name}.")
        return itertools.chain.from_iterable(
            read(sys.stdin.buffer, "-") if name == "-" else read_files([Path(name)]) for name in names
        )

    def _chosen(self, found: Iterator[Found | Missed]) -> Iterator[Found]:
        for one in found:
            if isinstance(one, Found):
                if self._wanted.has(one.line):
                    yield one
            elif one.broken:
                self._broken += 1
                if len(self._missed) < 3:
                    self._missed.append(one)
            else:
                self._foreign += 1

    def _show(self, found: Found) -> None:
        if self._args.json:
            self._show_json(found)
        else:
            print(line_text(found.line))

    def _show_json(self, found: Found) -> None:
        sys.stdout.write(self._opened(found).decode() + "\n")

    def _opened(self, found: Found) -> bytes:
        line = found.line
        if line.content is None or not line.content.sealed:
            return found.text
        from gateway.telemetry.audit_seal import Altered, Sealed

        if self._keys is None:
            self._miss_key(line.content.key)
            return found.text
        import msgspec

        try:
            return encode(msgspec.structs.replace(line, content=self._keys.open(line.content, line.id)))
        except Altered:
            self._altered += 1
            self._first_altered = self._first_altered or line.id
        except Sealed:
            self._miss_key(line.content.key)
        return found.text

    def _tell_missed(self) -> None:
        if self._broken:
            print(f"{self._broken} broken:", file=sys.stderr)
            for one in self._missed:
                print(f"  {one.place}: {one.why}", file=sys.stderr)
        if self._foreign:
            print(f"{self._foreign} lines of others were passed over.", file=sys.stderr)
        if self._altered:
            print(
                f"{self._altered} bodies are not what was written: changed, or another line's. The first is of the "
                f"line {self._first_altered!r:.80}.",
                file=sys.stderr,
            )
        if self._sealed:
            keys = ", ".join(ascii(key)[1:-1] for key in sorted(self._keys_missing))
            print(
                f"{self._sealed} bodies are encrypted with keys that the config does not have: {keys}. Keys are read "
                f"from audit.encryption-key and audit.old-encryption-keys of {self._args.config}.",
                file=sys.stderr,
            )

    def _miss_key(self, key: str) -> None:
        self._sealed += 1
        if len(self._keys_missing) < _KEYS_NAMED:
            self._keys_missing.add(f"{key:.8}")

    def _names_of(self, user: str) -> frozenset[str]:
        names = {user}
        if self._settings is not None and self._settings.hash_key is not None:
            from gateway.core.key_material import key_bytes

            names.add(hashed_user(user, key_bytes(self._settings.hash_key)))
        return frozenset(names)


def _settings_of(config: Path, needed: bool) -> AuditSettings | None:
    from gateway.config.check import loaded_and_checked
    from gateway.config.problem import ConfigError

    if not needed and not config.is_file():
        return None
    try:
        return loaded_and_checked(config)[0].spec.audit
    except ConfigError as error:
        if not needed:
            return None
        raise _Refused("\n".join(map(str, error.problems))) from None


def _keys_of(settings: AuditSettings | None) -> KeyRing | None:
    given = () if settings is None else (settings.encryption_key, *settings.old_encryption_keys)
    texts = [text for text in given if text is not None]
    if not texts:
        return None
    from gateway.core.key_material import key_bytes
    from gateway.telemetry.audit_seal import KeyRing

    return KeyRing(map(key_bytes, texts))


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in COLUMNS:
            raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(COLUMNS)}")
    return names


def _status(text: str) -> str:
    if not (len(text) == 3 and text[0].isdigit() and (text[1:] == "xx" or text.isdigit())):
        raise argparse.ArgumentTypeError("write 200, or 5xx")
    return text


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError("write a number from 1")
    return number
