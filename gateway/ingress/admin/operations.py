"""Every operation of the admin API: where it is, who may, what it takes and answers.

The routes and the OpenAPI document are both made from this table, so that neither can have what the other has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from gateway.ingress.admin import answers
from gateway.ingress.admin.login import Role
from gateway.ingress.admin.query import DIMENSIONS, LONGEST_VALUE, MOST_ROWS, PAYERS, USUAL_ROWS

Method = Literal["GET", "POST"]

Schema = Mapping[str, object]


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of the query, or a header."""

    name: str
    description: str
    schema: Schema
    place: Literal["query", "header"] = "query"


class Operation(msgspec.Struct, frozen=True):
    """name: of the page that answers. path: below /admin/api. tables: it answers CSV too. fails: codes of errors that
    it has beside those that all have."""

    name: str
    method: Method
    path: str
    summary: str
    answer: type[msgspec.Struct]
    parameters: tuple[Parameter, ...] = ()
    body: type[msgspec.Struct] | None = None
    tables: bool = False
    fails: tuple[str, ...] = ()

    @property
    def role(self) -> Role:
        return "read" if self.method == "GET" else "write"


_MOMENT: Final = "a day in UTC (its beginning), a moment, or so long ago: `2026-11-01`, `2026-11-01T12:00:00Z`, `7d`"
_SPAN: Final = (
    Parameter("since", f"From when on: {_MOMENT}. Absent: 30 days before `until`.", {"type": "string"}),
    Parameter("until", f"Until when, not included: {_MOMENT}. Absent: now.", {"type": "string"}),
)
_PAGE: Final = (
    Parameter(
        "limit",
        f"Rows of a page, {USUAL_ROWS} when not given. Of CSV: rows at all, every one when not given.",
        {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
    ),
    Parameter(
        "cursor",
        "Go on after a page: its `cursor`, which holds the question with its times; `since` and `until` then do not "
        "count.",
        {"type": "string"},
    ),
    Parameter("format", "`csv` for a table, as with `accept: text/csv`.", {"type": "string", "enum": ["json", "csv"]}),
)
_WHERE: Final = tuple(
    Parameter(f"where.{name}", f"Only where `{name}` is this.", {"type": "string", "maxLength": LONGEST_VALUE})
    for name in DIMENSIONS
)
_LEDGER: Final = ("ledger_off", "ledger_unavailable")
_KIND: Final = {"type": "string", "enum": list(PAYERS)}

OPERATIONS: Final = (
    Operation(
        "usage",
        "GET",
        "/usage",
        "What was used and what it cost, in groups.",
        answers.UsageAnswer,
        (
            *_SPAN,
            Parameter(
                "by",
                f"What rows are grouped by, with commas between: {', '.join(DIMENSIONS)}. Absent: one row of it all.",
                {"type": "string", "examples": ["team,day"]},
            ),
            *_WHERE,
            *_PAGE,
        ),
        tables=True,
        fails=_LEDGER,
    ),
    Operation(
        "records",
        "GET",
        "/records",
        "Requests one by one, the oldest first.",
        answers.RecordsAnswer,
        (*_SPAN, *_WHERE, *_PAGE),
        tables=True,
        fails=_LEDGER,
    ),
    Operation(
        "quotas",
        "GET",
        "/quotas",
        "Prepaid balances: all, those of a kind, or one.",
        answers.QuotasAnswer,
        (
            Parameter("kind", "Whose: of keys, teams or projects.", _KIND),
            Parameter("name", "The one of this name; `kind` is then needed.", {"type": "string"}),
        ),
        fails=_LEDGER,
    ),
    Operation(
        "change_quota",
        "POST",
        "/quotas",
        "Add to a balance, or set it.",
        answers.QuotaChanged,
        (
            Parameter(
                "idempotency-key",
                "A name for this change: sent twice, it counts once. Absent: each request is a change.",
                {"type": "string", "pattern": "^[!-~]{1,128}$"},
                "header",
            ),
        ),
        answers.QuotaChange,
        fails=(*_LEDGER, "idempotency_conflict"),
    ),
    Operation("keys", "GET", "/keys", "The keys of callers, none of them shown.", answers.KeysAnswer),
    Operation("targets", "GET", "/targets", "Breakers, latencies and keys of providers, now.", answers.TargetsAnswer),
    Operation(
        "restore",
        "POST",
        "/targets/restore",
        "Close breakers and end quarantines of a provider, in the process that answers.",
        answers.Restored,
        body=answers.Restoring,
        fails=("not_found",),
    ),
    Operation("config", "GET", "/config", "The config that serves, masked.", answers.ConfigAnswer),
    Operation(
        "reload",
        "POST",
        "/reload",
        "Read the config again, as on SIGHUP, in every worker.",
        answers.Reloaded,
        fails=("config_rejected",),
    ),
    Operation("sinks", "GET", "/sinks", "Where records go, and what is wrong there.", answers.SinksAnswer),
)
