"""All that changes in meaning from one config to another."""

from __future__ import annotations

from typing import Final

from gateway.config.change.access import compare_access
from gateway.config.change.admin import compare_admin
from gateway.config.change.audit import compare_audit
from gateway.config.change.comparison import At, Change, Comparison
from gateway.config.change.ledger import compare_ledger
from gateway.config.change.money import compare_money
from gateway.config.change.prices import compare_prices
from gateway.config.change.providers import compare_providers
from gateway.config.change.routers import compare_routers
from gateway.config.change.server import compare_server, compare_store
from gateway.config.change.side import Side
from gateway.config.change.telemetry import compare_alerts, compare_traces

_KNOWN: Final = (
    "include", "server", "auth", "admin", "audit", "store", "providers", "global_", "unified_api", "default_router",
    "routers",
    "ceilings", "owners", "quotas", "teams", "projects", "prices", "ledger", "traces", "alerts",
)  # fmt: skip


def plan(old: Side, new: Side) -> tuple[Change, ...]:
    """The gravest changes first; among equals routers, then access, providers and the gateway itself. Comments, order
    of keys, spelling of amounts and the file that something stands in are no change."""
    found = Comparison(old, new)
    compare_routers(found)
    compare_access(found)
    compare_admin(found)
    compare_audit(found)
    compare_providers(found)
    compare_prices(found)
    compare_server(found)
    compare_store(found)
    compare_ledger(found)
    compare_money(found)
    compare_traces(found)
    compare_alerts(found)
    _compare_rules(found)
    return found.changes()


def _compare_rules(found: Comparison) -> None:
    """What the file says about files, and whatever else it may say one day."""
    old, new = found.left.spec, found.right.spec
    at = At("gateway", (), ())
    found.plain("ceilings", at.at("ceilings"), old.ceilings, new.ceilings, secret=True)
    found.plain("owners", at.at("owners"), old.owners, new.owners, secret=True)
    found.rest(at, old, new, _KNOWN)
