"""A change, judged by recorded traffic: the file is read twice, once for what it knows, once to be replayed.

Lives here: the two passes and what they are made of. The first learns who asks, since when, and how each target
answers; the second sends each request through both configs (reenactment.py). Law: what is held does not grow with the
file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.change.side import is_of_this_machine
from gateway.config.check import examine
from gateway.config.load import Loaded
from gateway.config.problem import ConfigError
from gateway.rehearsal.audit_file import Counts, in_time, lines_of
from gateway.rehearsal.effects import Effects
from gateway.rehearsal.reading import made_up_environment
from gateway.rehearsal.recorded import Known
from gateway.rehearsal.reenactment import reenact

CALLERS: Final = 100_000
"""Names of callers that are remembered."""

Tell = Callable[[float], object]
"""Told how much is done, from 0 to 1."""


class TrafficError(Exception):
    """There is nothing to replay; the message says why."""


class Traffic(msgspec.Struct, frozen=True, eq=False):
    """counts: of the lines. left_out: requests that cannot be made anew from a record. logged: what a gateway logged as
    an error meanwhile. began: Unix seconds of the first request."""

    counts: Counts
    effects: Effects
    left_out: int
    logged: tuple[str, ...]
    began: float


def replay(old: Path, new: Path, file: Path, tell: Tell = lambda done: None) -> Traffic:
    """ConfigError where a config could not serve, TrafficError where the file has nothing, OSError."""
    size = max(file.stat().st_size, 1)
    counts = Counts()
    known = Known()
    callers: dict[str, str] = {}
    began = 0.0
    for line in lines_of(file, counts, lambda position: tell(position / size * 0.1)):
        moment = line.time
        began = moment if not began or moment < began else began
        if line.caller and len(callers) < CALLERS:
            callers[line.caller] = line.team
        known.learn(line)
    if not counts.read:
        raise TrafficError(
            f"{file}: no line of it is a line of the audit log "
            f"({counts.broken} broken, {counts.foreign} of something else)"
        )
    effects = Effects()
    lines = in_time(lines_of(file, Counts(), lambda position: tell(0.1 + position / size * 0.9)))
    left_out, logged = reenact(served(old, began), served(new, began), lines, known, callers, began, effects.add)
    return Traffic(counts, effects, left_out, tuple(logged[:5]), began)


def served(config: Path, now: float) -> tuple[Loaded, Mapping[str, str]]:
    """A config as it would be served at that time, with made-up credentials. A keys file need not be there.
    ConfigError."""
    env = made_up_environment(config, {})
    loaded, problems = examine(config, env, now)
    errors = [problem for problem in problems if problem.level == "error" and not is_of_this_machine(problem)]
    if loaded is None or errors:
        raise ConfigError(errors or problems)
    return loaded, env
