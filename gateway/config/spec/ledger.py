"""`ledger`: where one row for each exchange is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Confidential, Duration, Size


class LedgerSettings(Confidential, frozen=True):
    """One row for each exchange: who asked, who answered, what it used and what it cost. `ledger: {}` keeps it in a file
    of this machine."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(sqlite|postgres|postgresql)://",
            description="Where it is kept: `sqlite:///gateway.db` (a file, relative to the folder that the gateway is started in; four slashes begin an absolute path), or `postgresql://user:${env:PASSWORD}@host:5432/name`.",
            examples=["sqlite:////var/lib/router-gateway/gateway.db", "${env:LEDGER_URL}"],
        ),
    ] = "sqlite:///gateway.db"
    batch: Annotated[
        Duration,
        Meta(description="How long rows are gathered before they are written together: what `kill -9` may lose."),
    ] = "100ms"
    queue: Annotated[
        int, Meta(ge=100, le=1_000_000, description="So many rows wait in memory at most, in each worker.")
    ] = 10_000
    on_full: Annotated[
        Literal["block", "drop"],
        Meta(
            description="When memory and spool are full: `block` lets new requests wait, and refuses them after 10 s with 503; `drop` loses rows and counts them."
        ),
    ] = "drop"
    spool: Annotated[
        str,
        Meta(
            min_length=1,
            description="The folder where rows wait while the database is away, relative to the folder that the gateway is started in. Workers of one machine share it.",
        ),
    ] = "ledger-spool"
    max_spool: Annotated[Size, Meta(description="So many bytes the spool may hold, about.")] = "1GiB"
    retention: Annotated[
        Duration | None,
        Meta(
            description="Rows are deleted when they are older. Totals by day stay, and so do balances. Absent: nothing is deleted.",
            examples=["90d"],
        ),
    ] = None
