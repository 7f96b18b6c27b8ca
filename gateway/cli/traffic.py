"""`--traffic FILE` of `gateway plan`: recorded requests, replayed under both configs, with how far it has come.

Lives here: what the terminal sees meanwhile, and the names that people know the files by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from gateway.cli.revisions import Source
from gateway.cli.traffic_formats import Report, report_of
from gateway.config.change.side import renamed
from gateway.config.problem import ConfigError
from gateway.rehearsal.recorded_traffic import TrafficError, replay


class Progress:
    """A bar in one line of a terminal; nothing anywhere else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._shown = -1

    def __call__(self, done: float) -> None:
        percent = min(int(done * 100), 100)
        if self._stream is not None and percent != self._shown:
            self._shown = percent
            self._stream.write(f"\rreplaying [{'#' * (percent // 4):25}] {percent:3}%")
            self._stream.flush()

    def end(self) -> None:
        """Leave the line as it was."""
        if self._stream is not None and self._shown >= 0:
            self._stream.write("\r" + " " * 45 + "\r")
            self._stream.flush()


def replayed(old: Source, new: Source, file: Path) -> Report:
    """ConfigError, by the names that people know files by; TrafficError for a file that cannot be replayed."""
    progress = Progress(sys.stderr)
    try:
        return report_of(replay(old.file, new.file, file, progress))
    except ConfigError as error:
        raise ConfigError([renamed(one, _shown(one.place, old, new)) for one in error.problems]) from None
    except OSError as error:
        raise TrafficError(f"{file}: it cannot be read: {(error.strerror or '').lower()}") from None
    finally:
        progress.end()


def _shown(place: str, old: Source, new: Source) -> Callable[[str], str]:
    for source in (old, new):
        if source.root is not None and place.startswith(str(source.root)):
            return source.shown
    return str
