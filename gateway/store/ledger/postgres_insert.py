"""The one statement that writes a batch in PostgreSQL: rows that are new, and the totals of their days.

The batch is one parameter, JSON as the records themselves are encoded: that costs the gateway a tenth of what binding
every column does, and the server takes it apart. Being one statement it is one round trip and one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.core.usage import Usage
from gateway.store.ledger.columns import COLUMNS
from gateway.store.ledger.queries import FAILED, UNPRICED
from gateway.store.ledger.totals import KEYS, SUMS, TEAM_KEYS

_TYPES: Final = {
    "id": "text", "time": "float8", "request_id": "text", "caller": "text", "team": "text", "project": "text",
    '"user"': "text", "router": "text", "config": "text", "dialect": "text", "operation": "text", "stream": "boolean",
    "asked": "text", "provider": "text", "model": "text", "key": "text", "rule": "text", "status": "integer",
    "outcome": "text", "error_code": "text", "usage": "jsonb", "metered": "boolean", "cost": "bigint",
    "price_source": "text", "cache": "text", "saved": "bigint", "saved_by": "text", "seconds": "float8",
    "first_byte": "float8", "max_tokens": "bigint", "attempts": "jsonb", "losses": "jsonb",
}  # fmt: skip
"""A record's members as JSON has them."""

_GIVEN: Final = {
    "time": "to_timestamp(r.time)", "end_user": 'r."user"', "provider_key": "r.key",
    **{f"{name}_tokens": f"(r.usage ->> '{name}')::bigint" for name in Usage.__struct_fields__},
}  # fmt: skip
_OF_ROW: Final = {
    "day": "(time AT TIME ZONE 'UTC')::date", "requests": "COUNT(*)", "failed": f"SUM({FAILED})",
    "input": "SUM(input_tokens)", "output": "SUM(output_tokens)", "cached": "SUM(cached_tokens)",
    "cache_write": "SUM(cache_write_5m_tokens + cache_write_1h_tokens)", "reasoning": "SUM(reasoning_tokens)",
    "cost": "SUM(COALESCE(cost, 0))", "unpriced": f"SUM({UNPRICED})", "saved": "SUM(saved)", "seconds": "SUM(seconds)",
}  # fmt: skip
_NEEDED: Final = (
    "time", "team", "caller", "project", "router", "provider", "model", "operation", "status", "outcome",
    "input_tokens", "output_tokens", "cached_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "cost", "saved", "seconds",
)  # fmt: skip
_MOST: Final = 2**63 - 1


def _added(name: str) -> str:
    if name == "seconds":
        return "seconds = d.seconds + excluded.seconds"
    return f"{name} = LEAST(d.{name}::numeric + excluded.{name}, {_MOST})::bigint"


def _add(table: str, keys: Sequence[str]) -> str:
    places = ", ".join(str(place + 1) for place in range(len(keys)))
    return f"""
    INSERT INTO {table} AS d ({", ".join((*keys, *SUMS))})
    SELECT {", ".join(_OF_ROW.get(name, name) for name in (*keys, *SUMS))}
    FROM fresh GROUP BY {places} ORDER BY {places}
    ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {", ".join(map(_added, SUMS))}"""  # noqa: S608  # columns alone


INSERT: Final = f"""
WITH fresh AS (
    INSERT INTO ledger_rows ({", ".join(COLUMNS)})
    SELECT {", ".join(_GIVEN.get(column, f"r.{column}") for column in COLUMNS)}
    FROM jsonb_to_recordset($1::jsonb) AS r ({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
    ORDER BY r.time, r.id
    ON CONFLICT DO NOTHING
    RETURNING {", ".join(_NEEDED)}
), days AS ({_add("ledger_days", KEYS)}
), teams AS ({_add("ledger_team_days", TEAM_KEYS)}
)
SELECT COUNT(*) FROM fresh
"""  # noqa: S608  # names of columns alone
"""$1: an array of records as JSON. The result: how many were new. Rows and totals are taken in the same order by every
writer, so that two of them seldom wait for each other crosswise."""
