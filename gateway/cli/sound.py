"""The config of a command that does nothing with a broken one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config.load import Loaded


def sound(file: str) -> Loaded | None:
    """The config, or None where it has errors, which are told on standard error."""
    # What checks a config is loaded when one is to be checked: `--help` waits for nothing.
    from gateway.config.check import loaded_and_checked
    from gateway.config.problem import ConfigError

    try:
        return loaded_and_checked(Path(file))[0]
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return None
