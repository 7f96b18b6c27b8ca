"""`gateway replay RECORD`: decide a recorded request again, under the config that decided it, and show what differs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway.cli.decision import Decision, decision_of
from gateway.cli.dry_run import dry_run
from gateway.cli.replay_difference import Difference, differences
from gateway.cli.revisions import Source, SourceError, history
from gateway.config.load import Loaded
from gateway.config.problem import ConfigError
from gateway.core.clock import Clock
from gateway.rehearsal.audit_file import Counts, lines_of
from gateway.rehearsal.recorded_request import asked_by
from gateway.rehearsal.recorded_traffic import served
from gateway.telemetry.audit_line import AuditLine


class ReplayError(Exception):
    """It cannot be decided again; the message says why."""


class Replayed(msgspec.Struct, frozen=True):
    """found: the config that has the recorded hash, as people know it."""

    request_id: str
    router: str
    caller: str
    timestamp: str
    config: str
    found: str
    decision: Decision
    differences: tuple[Difference, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RECORD [--id ID] [--config FILE] [--repo FOLDER] [--format text|json]."""
    parser.add_argument("record", type=Path, metavar="RECORD", help="a file with lines of the audit log")
    parser.add_argument("--id", default="", help="of the request, as its client was told it; else the file's only line")
    parser.add_argument(
        "--config", "-c", default="routers.yaml", metavar="FILE", help="the config, now or in its history"
    )
    parser.add_argument("--repo", type=Path, metavar="FOLDER", help="the repository that FILE is of; absent: this one")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is printed")


def run(args: argparse.Namespace) -> int:
    """0 where it would be decided as recorded, 2 where not, 1 where that cannot be told."""
    try:
        line = _line(args.record, args.id)
        with contextlib.chdir(args.repo or Path.cwd()):
            found, loaded, env = _config(args.config, line)
            replayed = _replayed(line, found, loaded, env)
    except (ReplayError, SourceError) as error:
        print(error, file=sys.stderr)
        return 1
    except ConfigError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: it cannot be read: {(error.strerror or '').lower()}", file=sys.stderr)
        return 1
    if args.format == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(replayed), indent=2).decode() + "\n")
    else:
        sys.stdout.write(_text(replayed, line))
    return 2 if replayed.differences else 0


def _line(file: Path, wanted: str) -> AuditLine:
    counts = Counts()
    only: AuditLine | None = None
    for line in lines_of(file, counts):
        if wanted in (line.request_id, line.id):
            return line
        if not wanted and only is not None:
            raise ReplayError(f"{file}: there are several lines in it; say which with --id")
        only = line
    if wanted or only is None:
        passed = (
            f" ({counts.broken} broken, {counts.foreign} of something else)" if counts.broken + counts.foreign else ""
        )
        what = f"request {wanted}" if wanted else "line of the audit log"
        raise ReplayError(f"{file}: there is no {what} in it{passed}")
    return only


def _config(name: str, line: AuditLine) -> tuple[str, Loaded, Mapping[str, str]]:
    """The config with the hash of the record: the file itself, or a revision of it."""
    if not line.config:
        raise ReplayError(f"{line.request_id}: the record does not say which config decided")
    looked = 0
    for source in history(name):
        looked += 1
        # The gateway has served it, so it could be read; a revision that cannot is another one.
        with contextlib.suppress(ConfigError), source as opened:
            loaded, env = served(opened.file, line.time)
            if loaded.hash != line.config and _lend_keys(name, opened, loaded):
                loaded, env = served(opened.file, line.time)
            if loaded.hash == line.config:
                return opened.shown(str(opened.file)), loaded, env
    raise ReplayError(
        f"{name}: neither it nor a revision of it has the hash {line.config}; {looked} looked at. "
        "Is the history fetched, is it this file that was served, and are the keys of its keys file the same?"
    )


def _lend_keys(name: str, revision: Source, loaded: Loaded) -> bool:
    """Put the keys file beside a revision that speaks of one: it is in no repository, and its keys are part of the
    hash. Whether that was done."""
    keys = loaded.spec.auth.keys_file
    if revision.root is None or not keys:
        return False
    there, here = Path(name).parent / keys, revision.file.parent / keys
    if not there.is_file() or here.exists() or not here.parent.resolve().is_relative_to(revision.root):
        return False
    shutil.copyfile(there, here)
    return True


def _replayed(line: AuditLine, found: str, loaded: Loaded, env: Mapping[str, str]) -> Replayed:
    asked = asked_by(line)
    if asked is None:
        raise ReplayError(f"{line.request_id}: what it asked cannot be made anew from a record")
    known = any(key.name == line.caller for key in loaded.spec.auth.keys)
    clock = Clock(lambda: 0.0, lambda: line.time, lambda: 0.0)
    try:
        outcome = asyncio.run(
            dry_run(
                loaded,
                env,
                clock,
                "/ai" if line.router == "/v1" else line.router,
                asked.call,
                ("POST", asked.path, asked.body),
                key=line.caller if known else "",
            )
        )
    except LookupError as error:
        raise ReplayError(f"{line.request_id}: {error.args[0]} in {found}") from None
    decision = decision_of(loaded, outcome, key=line.caller if known else "", faults={}, assumed_keys=False)
    return Replayed(
        line.request_id,
        line.router,
        line.caller,
        line.timestamp,
        line.config,
        found,
        decision,
        tuple(differences(line, decision)),
    )


def _text(replayed: Replayed, line: AuditLine) -> str:
    tried = ", then ".join(
        f"{one.provider}/{one.model}: {one.fault or one.status}" if one.model else f"{one.provider}: {one.fault}"
        for one in line.attempts
    )
    answered = line.response.cache in ("hit", "stale")
    recorded = tried or ("the cache" if answered else f"{line.response.status} {line.response.error_code}".strip())
    eligible = ", ".join(
        _target(one.note.provider, one.note.model, one.note.share) for one in replayed.decision.targets
    )
    error = replayed.decision.error
    lines = [
        f"request   {replayed.request_id} at {replayed.timestamp}",
        f"router    {replayed.router}{f', caller {replayed.caller}' if replayed.caller else ''}",
        f"config    {replayed.config}: {replayed.found}",
        f"recorded  {recorded}",
        f"decided   {replayed.decision.strategy}: {eligible}"
        if error is None
        else f"decided   {error.status} {error.code}",
    ]
    lines += [f"differs   {one.said}" for one in replayed.differences]
    if not replayed.differences:
        lines.append("as recorded")
    return "\n".join(lines) + "\n"


def _target(provider: str, model: str, share: float | None) -> str:
    name = f"{provider}/{model}" if model else provider
    return name if share is None else f"{name} ({share:.1%})"
