"""What a config of sound structure means, and whether that can be served: all problems at once.

The rules stand in check_*.py; here they are only put together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.check_access import ACCESS_RULES
from gateway.config.check_admin import ADMIN_RULES
from gateway.config.check_alerts import ALERT_RULES
from gateway.config.check_audit import AUDIT_RULES
from gateway.config.check_balance import BALANCE_RULES
from gateway.config.check_budgets import BUDGET_RULES
from gateway.config.check_cache import CACHE_RULES
from gateway.config.check_ceilings import CEILING_RULES
from gateway.config.check_credentials import CREDENTIAL_RULES
from gateway.config.check_keys import KEY_RULES
from gateway.config.check_ledger import LEDGER_RULES
from gateway.config.check_limits import LIMIT_RULES
from gateway.config.check_meaning import MEANING_RULES
from gateway.config.check_policies import POLICY_RULES
from gateway.config.check_prices import PRICE_RULES
from gateway.config.check_providers import PROVIDER_RULES
from gateway.config.check_reach import REACH_RULES
from gateway.config.check_secrets import SECRET_RULES
from gateway.config.check_store import STORE_RULES
from gateway.config.check_tls import TLS_RULES
from gateway.config.check_traces import TRACE_RULES
from gateway.config.check_virtual import VIRTUAL_RULES
from gateway.config.check_when import WHEN_RULES
from gateway.config.load import Loaded, read
from gateway.config.problem import ConfigError, Problem, dotted, in_order
from gateway.config.problem import Path as DocumentPath
from gateway.config.subject import Rule, Subject

RULES: Final[tuple[Rule, ...]] = (
    *ACCESS_RULES,
    *KEY_RULES,
    *ADMIN_RULES,
    *AUDIT_RULES,
    *TLS_RULES,
    *PROVIDER_RULES,
    *CREDENTIAL_RULES,
    *BALANCE_RULES,
    *POLICY_RULES,
    *MEANING_RULES,
    *REACH_RULES,
    *SECRET_RULES,
    *CACHE_RULES,
    *LIMIT_RULES,
    *PRICE_RULES,
    *BUDGET_RULES,
    *CEILING_RULES,
    *STORE_RULES,
    *VIRTUAL_RULES,
    *WHEN_RULES,
    *LEDGER_RULES,
    *TRACE_RULES,
    *ALERT_RULES,
)


_WHOLE: Final = {"providers": ("provider-unknown", "mapping-inert"), "routers": ("router-unknown",)}
"""Codes of problems elsewhere that leaving out a whole provider, or a whole router, may bring about."""
_PART: Final = ("target-unable", "key-missing", "address-unset")
"""Codes of problems elsewhere that leaving out a part of a provider may bring about."""

_FAR: Final = {
    "auth": ("router-unreachable", "provider-unreachable"),
    "routers": ("provider-unreachable", "key-without-router"),
    "global": ("ceiling-limit",),
}
"""Codes of problems elsewhere that leaving out any part of a section may bring about."""
_BESIDE: Final = {
    "strategy": ("weight-ignored", "priority-ignored", "models-unused", "model-missing", "no-targets"),
}
"""Codes of problems in the same mapping that leaving out one of its keys, which has a default, may bring about."""


def check(loaded: Loaded, now: float | None = None) -> list[Problem]:
    """Every problem of meaning, and the warnings of the load, in the order of the file. now: Unix seconds, for what
    expires; None to ask nothing of the time."""
    subject = Subject(loaded, now)
    return in_order([*loaded.warnings, *(problem for rule in RULES for problem in rule(subject))])


def examine(
    path: Path, env: Mapping[str, str] = os.environ, now: float | None = None, host: str | None = None
) -> tuple[Loaded | None, list[Problem]]:
    """Every problem of a file, of structure and of meaning. A config that has an error comes back
    too when any of it could be read, for what can be said about it, not to be served. host: what is listened on in
    place of `server.host`."""
    try:
        reading = read(path, env)
    except ConfigError as error:
        return None, list(error.problems)
    if reading.loaded is None:
        return None, in_order(reading.problems)
    loaded = reading.loaded if host is None else _listening_on(host, reading.loaded)
    problems = check(loaded, now)
    if reading.broken:
        structural = set(reading.problems)
        problems = [found for found in problems if found in structural or not _follows(found, reading.broken)]
    return loaded, problems


def _listening_on(host: str, loaded: Loaded) -> Loaded:
    server = msgspec.structs.replace(loaded.spec.server, host=host)
    return msgspec.structs.replace(loaded, spec=msgspec.structs.replace(loaded.spec, server=server))


def loaded_and_checked(
    path: Path, env: Mapping[str, str] = os.environ, now: float | None = None, host: str | None = None
) -> tuple[Loaded, list[Problem]]:
    """A config that can be served, with its warnings. ConfigError when there is any error. host: as for `examine`."""
    loaded, problems = examine(path, env, now, host)
    if loaded is None or any(problem.level == "error" for problem in problems):
        raise ConfigError(problems)
    return loaded, problems


def _follows(found: Problem, broken: tuple[DocumentPath, ...]) -> bool:
    """Whether a problem of meaning may only be there because a part was left out."""
    for path in broken:
        if len(path) <= 2 and found.code in _WHOLE.get(str(path[0]) if path else "", ()) and _may_be_of(found, path):
            return True
        if path[:1] == ("providers",) and found.code in _PART:
            return True
        if path and found.code in _FAR.get(str(path[0]), ()):
            return True
        if path and found.code in _BESIDE.get(str(path[-1]), ()) and _is_within(found.path, dotted(path[:-1])):
            return True
        # Of a list, all that stands beside it is in doubt as well, but for the entries in front.
        indices = [index for index, part in enumerate(path) if isinstance(part, int)]
        if indices and _is_in_front(found.path, path[: indices[0] + 1]):
            continue
        left_out = dotted(path[: max(indices[0] - 1, 1)] if indices else path)
        if _is_within(found.path, left_out) or _is_within(left_out, found.path):
            return True
    return False


def _is_in_front(found: str, entry: DocumentPath) -> bool:
    *of_list, index = entry
    return any(_is_within(found, dotted((*of_list, earlier))) for earlier in range(int(index)))


def _may_be_of(found: Problem, path: DocumentPath) -> bool:
    """Whether what left out a whole section, or one of its members by name, may be why a name is unknown."""
    return len(path) < 2 or not found.code.endswith("-unknown") or f"`{path[1]}`" in found.message


def _is_within(inner: str, outer: str) -> bool:
    return not outer or inner == outer or inner.startswith((f"{outer}.", f"{outer}["))
