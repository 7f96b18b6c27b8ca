"""From `ledger:` to a database, and to the sink that writes to it. Nothing is opened here."""

from __future__ import annotations

from pathlib import Path

from gateway.config import spec as sp
from gateway.config.ledger_url import read_ledger_url
from gateway.core.exchange import Layer
from gateway.core.units import seconds, size_in_bytes
from gateway.pipeline.unhurried import unhurried
from gateway.runtime import Runtime
from gateway.store.ledger.protocol import LedgerDatabase
from gateway.store.ledger.spool import Spool
from gateway.store.ledger.writer import LedgerWriter
from gateway.telemetry.sinks import Sinks


def ledger_database(settings: sp.LedgerSettings) -> LedgerDatabase:
    """The database of a ledger, not open yet. Paths are relative to the working folder."""
    url = read_ledger_url(settings.url)
    if url.dsn is None:
        from gateway.store.ledger.sqlite import SqliteLedger

        return SqliteLedger(Path(url.path))
    # For those who have a PostgreSQL: asyncpg takes a while to load.
    from gateway.store.ledger.postgres import PostgresLedger

    return PostgresLedger(url.dsn, url.place)


def ledger_for(settings: sp.LedgerSettings, runtime: Runtime) -> LedgerWriter:
    """The sink."""
    runtime.metrics.expect_ledger()
    return LedgerWriter(
        ledger_database(settings),
        Spool(Path(settings.spool), size_in_bytes(settings.max_spool), runtime.name),
        batch=seconds(settings.batch),
        queue=settings.queue,
        drops=settings.on_full == "drop",
        retention=None if settings.retention is None else seconds(settings.retention),
        monotonic=runtime.clock.monotonic,
        wall=runtime.clock.wall,
        tell=runtime.log.write,
        count=runtime.metrics.count_ledger,
    )


def ledger_layers(spec: sp.Spec, sinks: Sinks) -> list[Layer]:
    """What holds requests back while the ledger has no room; nothing where rows may be dropped, or there is none."""
    writer = sinks.get("ledger")
    if spec.ledger is None or spec.ledger.on_full == "drop" or not isinstance(writer, LedgerWriter):
        return []
    return [unhurried(writer)]


def ledger_secrets(spec: sp.Spec) -> list[str]:
    """What no log may show of `ledger:`."""
    return [] if spec.ledger is None else [secret.reveal() for secret in read_ledger_url(spec.ledger.url).secrets]
