"""The one statement that writes a batch in PostgreSQL, rows that are new and the totals of their days, and its
parameters.

Each parameter is a column, as an array in PostgreSQL's own text: of what each row has of its own, and of what a group
of rows shares. Bound value by value they would cost the gateway three times as much, and rows as JSON cost the server
twice. Being one statement it is one round trip and one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from gateway.store.ledger.columns import COLUMNS
from gateway.store.ledger.grouped import NO_PARTS, OWN, PARTS, SHARED, GroupedRecords, Value
from gateway.store.ledger.queries import FAILED, UNPRICED
from gateway.store.ledger.totals import KEYS, SUMS, TEAM_KEYS

_ROWS: Final = (*OWN, *PARTS, "part")
"""Of each row. part: the number of its group, from 1."""
_GROUPS: Final = (*SHARED, "head")
"""Of each group."""
_TEXTS: Final = {"id", "request_id", "end_user", "attempts"} | {*_GROUPS} - {"stream", "metered", "status"}
_TYPES: Final = {
    **dict.fromkeys(_ROWS, "bigint"), **dict.fromkeys(_TEXTS, "text"), "status": "integer", "stream": "boolean",
    "metered": "boolean", "time": "float8", "seconds": "float8", "first_byte": "float8",
}  # fmt: skip
_GIVEN: Final = {
    "time": "to_timestamp(r.time)", "attempts": "(g.head || r.attempts)::jsonb", "losses": "g.losses::jsonb",
}  # fmt: skip
"""The columns that are not as they are sent."""
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
_encode: Final = msgspec.json.Encoder().encode


def parameters(records: GroupedRecords) -> list[str]:
    """Of INSERT. ValueError (also as UnicodeError) where a text cannot be sent."""
    own: list[list[Value]] = [[] for _ in OWN]
    parts: list[tuple[int, ...]] = []
    numbers: list[Value] = []
    groups: list[list[Value]] = []
    has_parts = any(group.parts for group in records.groups())
    for number, group in enumerate(records.groups(), 1):
        size = len(group)
        if size == 1:
            # Where rows have little in common, most of them are alone.
            for column, value in zip(own, group.own(), strict=True):
                column.append(value)
        else:
            for column, values in zip(own, group.columns(), strict=True):
                column.extend(values)
        if has_parts:
            parts += group.parts or [NO_PARTS] * size
        numbers += [number] * size
        groups.append([*group.shared(), group.head()])
    of_parts = zip(*parts, strict=True) if has_parts else [[0] * len(records)] * len(PARTS)
    of_groups = zip(*groups, strict=True) if groups else [()] * len(_GROUPS)
    return [
        _texts(cast("Sequence[str]", values)) if _TYPES[name] == "text" else _array(values)
        for name, values in zip((*_ROWS, *_GROUPS), (*own, *of_parts, numbers, *of_groups), strict=True)
    ]


def _array(values: Sequence[Value]) -> str:
    """Numbers, booleans and nulls, which are written as in JSON."""
    return f"{{{_encode(values).decode()[1:-1]}}}"


def _texts(values: Sequence[str]) -> str:
    if not values:
        return "{}"
    joined = "\0".join(values)
    if joined.count("\0") >= len(values):
        raise ValueError("a text with a NUL")
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{quoted}"}}'


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


def _unnested(names: Sequence[str], first: int) -> str:
    return ", ".join(f"${number}::text::{_TYPES[name]}[]" for number, name in enumerate(names, first))


def _value(column: str) -> str:
    return _GIVEN.get(column, f"g.{column}" if column in _GROUPS else f"r.{column}")


INSERT: Final = f"""
WITH fresh AS (
    INSERT INTO ledger_rows ({", ".join(COLUMNS)})
    SELECT {", ".join(map(_value, COLUMNS))}
    FROM unnest({_unnested(_ROWS, 1)}) AS r ({", ".join(_ROWS)})
    JOIN unnest({_unnested(_GROUPS, len(_ROWS) + 1)}) WITH ORDINALITY AS g ({", ".join(_GROUPS)}, part) USING (part)
    ORDER BY r.time, r.id
    ON CONFLICT DO NOTHING
    RETURNING {", ".join(_NEEDED)}
), days AS ({_add("ledger_days", KEYS)}
), teams AS ({_add("ledger_team_days", TEAM_KEYS)}
)
SELECT COUNT(*) FROM fresh
"""  # noqa: S608  # names of columns alone
"""The result: how many were new. Rows and totals are taken in the same order by every writer, so that two of them
seldom wait for each other crosswise."""
