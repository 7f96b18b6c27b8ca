"""What a config of sound structure means, and whether that can be served: all problems at once.

The rules stand in check_*.py; here they are only put together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.config.check_access import ACCESS_RULES
from gateway.config.check_balance import BALANCE_RULES
from gateway.config.check_policies import POLICY_RULES
from gateway.config.check_providers import PROVIDER_RULES
from gateway.config.load import Loaded, load
from gateway.config.problem import ConfigError, Problem, in_order
from gateway.config.subject import Rule, Subject

RULES: Final[tuple[Rule, ...]] = (*ACCESS_RULES, *PROVIDER_RULES, *BALANCE_RULES, *POLICY_RULES)


def check(loaded: Loaded) -> list[Problem]:
    """Every problem of meaning, and the warnings of the load, in the order of the file."""
    subject = Subject(loaded)
    return in_order([*loaded.warnings, *(problem for rule in RULES for problem in rule(subject))])


def loaded_and_checked(path: Path, env: Mapping[str, str] = os.environ) -> tuple[Loaded, list[Problem]]:
    """A config that can be served, with its warnings. ConfigError when there is any error."""
    loaded = load(path, env)
    problems = check(loaded)
    if any(problem.level == "error" for problem in problems):
        raise ConfigError(problems)
    return loaded, problems
