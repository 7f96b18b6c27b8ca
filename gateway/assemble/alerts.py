"""From `alerts:` to webhooks and the sink before them; and from what is noticed to events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from gateway.assemble.ledger import ledger_database
from gateway.config import spec as sp
from gateway.core.events import EventKind
from gateway.core.money import NANO
from gateway.core.secret import Secret
from gateway.core.units import seconds
from gateway.policy.anomaly import HOUR, AnomalyPolicy
from gateway.runtime import Runtime
from gateway.store.ledger.protocol import LedgerDown, UsageQuery
from gateway.store.protocol import StoreDown
from gateway.telemetry.alert_hours import Sums
from gateway.telemetry.alert_request import Headers
from gateway.telemetry.alerts import AlertPolicy, Alerts
from gateway.telemetry.webhook import PostError, Webhook, WebhookSettings
from gateway.upstream.fetch import FetchError, post

Noticed = Callable[[str, Mapping[str, str | int | float]], None]

_KINDS: Final[Mapping[str, EventKind]] = {
    "breaker opened": "provider-outage",
    "breaker closed": "provider-recovered",
    "provider key quarantined": "key-quarantined",
    "provider keys exhausted": "keys-exhausted",
}
"""What an attempt notices, and the event that it is."""
_OF_TARGETS: Final = frozenset(("provider-outage", "provider-recovered"))


def alerts_for(settings: sp.Alerts, ledger: sp.LedgerSettings | None, runtime: Runtime) -> Alerts:
    """The sink; it listens when it is opened."""
    unusual = settings.anomalies
    return Alerts(
        AlertPolicy(
            window=seconds(settings.dedupe),
            limits_at=settings.limits_at,
            spend=None if unusual is None else _anomalies(unusual, unusual.min_spend),
            errors=None if unusual is None else _anomalies(unusual, unusual.min_errors),
        ),
        webhooks_for(settings, runtime),
        name=runtime.name,
        clock=runtime.clock,
        events=runtime.events,
        metrics=runtime.metrics,
        troubles=partial(_troubles, runtime),
        claim=partial(_claim, runtime),
        sums_of=None if ledger is None else partial(sums_of_hour, ledger),
    )


def webhooks_for(settings: sp.Alerts, runtime: Runtime) -> list[Webhook]:
    return [
        Webhook(
            WebhookSettings(
                name=webhook.name,
                url=Secret(f"url of {webhook.name}", webhook.url),
                secret=Secret(f"secret of {webhook.name}", webhook.secret) if webhook.secret else None,
                events=webhook.events,
                form=webhook.format,
                retry_for=seconds(settings.retry_for),
                timeout=seconds(settings.timeout),
                queue=settings.queue,
            ),
            partial(_post, runtime),
            runtime.clock,
            runtime.log,
            runtime.metrics,
        )
        for webhook in settings.webhooks
    ]


def noticing(runtime: Runtime) -> Noticed:
    """What endpoints tell of their targets and keys: a line of the log, and an event for those who listen."""
    write, events = runtime.log.write, runtime.events

    def notice(what: str, fields: Mapping[str, str | int | float]) -> None:
        write("warning", what, fields)
        kind = _KINDS.get(what)
        if kind is not None and events:
            about = fields.get("model") if kind in _OF_TARGETS else fields.get("key")
            events.tell(kind, f"{fields['provider']}/{about}" if about else str(fields["provider"]), dict(fields))

    return notice


def _anomalies(settings: sp.Anomalies, least: float) -> AnomalyPolicy:
    return AnomalyPolicy(settings.days, settings.deviations, settings.factor, least)


async def sums_of_hour(ledger: sp.LedgerSettings, begins: float) -> Sums | None:
    """What the ledger has of the hour that begins at a Unix second; None when it cannot be asked."""
    # Connected to for each look: there is one in five minutes, and the writer's connection is not to wait for it.
    database = ledger_database(ledger)
    found: dict[str, tuple[float, float]] = {}
    query = UsageQuery(begins, begins + HOUR, by=("router", "provider", "status", "outcome"), limit=10_000)
    try:
        while True:
            page = await database.usage(query)
            for row in page.rows:
                router, provider, status, outcome = row.group
                errors = row.requests if outcome == "broken" or status >= "500" else 0
                for subject in (router and f"router:{router}", provider and f"provider:{provider}"):
                    spent, failed = found.get(subject, (0.0, 0.0))
                    if subject:
                        found[subject] = spent + row.cost / NANO, failed + errors
            if not page.cursor:
                return found
            query = msgspec.structs.replace(query, after=page.cursor)
    except LedgerDown:
        return None
    finally:
        await database.close()


def _troubles(runtime: Runtime) -> Mapping[str, str]:
    found = runtime.sinks.troubles()
    store = runtime.stores.trouble() if runtime.stores is not None else None
    return found if store is None else {**found, "store": store}


async def _claim(runtime: Runtime, name: str, seconds_: float) -> bool:
    stores = runtime.stores
    if stores is None or stores.link is None:
        return True
    try:
        return await stores.nonces.add(f"alert:{name}", seconds_)
    except StoreDown:
        # Told by each replica is better than by none.
        return True


async def _post(runtime: Runtime, url: str, headers: Headers, body: bytes, limit: float) -> int:
    try:
        return await post(runtime.transport, url, headers, body, limit)
    except FetchError as failure:
        raise PostError(str(failure)) from None
