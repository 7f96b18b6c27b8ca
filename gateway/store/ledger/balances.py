"""What is left of what was prepaid, as SQL for either database: every balance in one statement, however many there are.

A balance counts what was spent since a moment of its own. Of the day that this moment is in the rows are asked, or what
was kept of them before they were deleted; of the days behind it the totals. Each day's rows are read once for all whose
balance began in it. Nothing is executed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from gateway.store.ledger.protocol import Balance, Consumer, ConsumerKind, QuotaEntry
from gateway.store.ledger.queries import COLUMN_OF, Argument, Speech, Statement, mark, totals_of


def balances_statement(speech: Speech, kind: ConsumerKind | None, name: str | None) -> Statement:
    """Kind, name, granted, spent and since of each consumer with entries, or of those of a kind or a name; in the order
    of kind and name. One statement sees one moment of the ledger, whatever is written or deleted meanwhile."""
    begun, arguments = _begun(speech, kind, name)
    kinds = tuple(COLUMN_OF) if kind is None else (kind,)
    parts = ["SELECT kind, name, kept AS cost FROM begun WHERE kept IS NOT NULL"]
    for of_kind in kinds:
        parts.append(_first_days(of_kind, speech))
        first = speech.day_of.format("b.midnight")
        parts.append(
            f"SELECT b.kind, b.name, d.cost FROM begun b CROSS JOIN {totals_of(of_kind)} d "  # noqa: S608
            f"WHERE b.kind = '{of_kind}' AND d.{COLUMN_OF[of_kind]} = b.name AND d.day >= {first}"
        )
    sql = (
        f"{begun}, costs AS (SELECT kind, name, SUM(cost) AS spent FROM ({' UNION ALL '.join(parts)}) AS parts "  # noqa: S608
        "GROUP BY kind, name) SELECT b.kind, b.name, b.granted, COALESCE(c.spent, 0), b.since "
        "FROM begun b LEFT JOIN costs c ON c.kind = b.kind AND c.name = b.name ORDER BY b.kind, b.name"
    )
    return sql, arguments


def edges_statement(speech: Speech, midnight: float) -> Statement:
    """Keeps what was spent in the rest of the days in which balances began, of those that end until midnight: their
    rows may go then."""
    begun, arguments = _begun(speech, None, None)
    until = mark(arguments, int(midnight), speech)
    parts = " UNION ALL ".join(_first_days(kind, speech) for kind in COLUMN_OF)
    sql = (
        f"{begun} INSERT INTO ledger_edges SELECT b.kind, b.name, b.since, COALESCE(SUM(p.cost), 0) "  # noqa: S608
        f"FROM begun b LEFT JOIN ({parts}) AS p ON p.kind = b.kind AND p.name = b.name "
        f"WHERE b.kept IS NULL AND b.since < b.midnight AND b.midnight <= {until} "
        "GROUP BY b.kind, b.name, b.since ON CONFLICT DO NOTHING"
    )
    return sql, arguments


def balance_of(row: Sequence[object]) -> Balance:
    """A result of `balances_statement`."""
    kind, name, granted, spent, since = cast("tuple[ConsumerKind, str, int, int, float]", row)
    return Balance(Consumer(kind, name), int(granted), int(spent), since)


def entry_statement(entry_id: str, speech: Speech) -> Statement:
    """One change of a balance, for `quota_entry`."""
    arguments: list[Argument] = []
    given = mark(arguments, entry_id, speech)
    return (
        f"SELECT id, kind, name, change, amount, time, made_by, note FROM ledger_quotas WHERE id = {given}",  # noqa: S608
        arguments,
    )


def quota_entry(row: Sequence[object]) -> QuotaEntry:
    """A result of `entry_statement`."""
    entry_id, kind, name, change, amount, time, by, note = row
    plain = {"id": entry_id, "consumer": {"kind": kind, "name": name}, "kind": change, "amount": amount, "time": time}
    return msgspec.convert({**plain, "by": by, "note": note}, QuotaEntry)


def _begun(speech: Speech, kind: ConsumerKind | None, name: str | None) -> Statement:
    """Two tables that a statement goes on with. begun: what was granted since when, which is the last `set` and what
    came after it; the midnight behind that; and what was kept of its day. opened: the days whose rows are needed, from
    the first moment in each."""
    arguments: list[Argument] = []
    conditions = [
        f"{column} = {mark(arguments, value, speech)}"
        for column, value in (("kind", kind), ("name", name))
        if value is not None
    ]
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    sql = (
        "WITH marks AS (SELECT kind, name, MAX(CASE WHEN change = 'set' THEN seq ELSE 0 END) AS mark "  # noqa: S608
        f"FROM ledger_quotas {where}GROUP BY kind, name), "
        "grants AS (SELECT q.kind, q.name, SUM(q.amount) AS granted, "
        "MIN(CASE WHEN mark IN (0, q.seq) THEN q.time END) AS since FROM ledger_quotas q "
        "JOIN marks m ON m.kind = q.kind AND m.name = q.name WHERE q.seq >= mark GROUP BY q.kind, q.name), "
        f"begun AS (SELECT g.kind, g.name, g.granted, g.since, {speech.midnight.format('g.since')} AS midnight, "
        "e.amount AS kept FROM grants g LEFT JOIN ledger_edges e "
        "ON e.kind = g.kind AND e.name = g.name AND e.since = g.since), "
        "opened AS (SELECT kind, midnight, MIN(since) AS since FROM begun WHERE kept IS NULL AND since < midnight "
        "GROUP BY kind, midnight)"
    )
    return sql, arguments


def _first_days(kind: ConsumerKind, speech: Speech) -> str:
    """What each request has cost that counts for a balance of this kind and began in the same day as it. Rows that
    count for none may be there, without a name."""
    times = f"(SELECT since, midnight FROM opened WHERE kind = '{kind}')"  # noqa: S608
    since = speech.moment_of.format("b.since")
    return (
        f"SELECT b.kind, b.name, CASE WHEN r.time >= {since} THEN r.cost END AS cost "  # noqa: S608
        f"FROM {speech.rows_of.format(times=times)} AS r {speech.read_once} "
        f"(SELECT kind, name, since, midnight FROM begun WHERE kind = '{kind}' AND kept IS NULL) AS b "
        f"ON b.midnight = r.midnight AND b.name = r.{COLUMN_OF[kind]}"
    )
