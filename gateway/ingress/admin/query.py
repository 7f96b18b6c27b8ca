"""What is asked of the ledger, as the query of a URL has it, and the cursors that go on from a page.

Lives here: reading and refusing. Law: a cursor holds the whole question, its times included, so that all of its pages
answer the same one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, Literal, cast, get_args

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.moments import instant_of
from gateway.ingress.admin.answers import Payer
from gateway.store.ledger.protocol import ConsumerKind, Dimension, UsageQuery

DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
PAYERS: Final[tuple[ConsumerKind, ...]] = get_args(Payer)
MOST_ROWS: Final = 10_000
"""Rows of one page."""
USUAL_ROWS: Final = 1_000
USUAL_SPAN: Final = 30 * 86_400.0
"""Seconds before `until` from which on is answered for when nothing is said."""
LONGEST_VALUE: Final = 256
"""Characters of a value that is asked for."""

_FOREIGN: Final = "It is none that this gateway gave for such a question."
_FORMATS: Final = ("json", "csv")
_LATEST: Final = 253_402_300_800.0
"""The year 10000, which no clock here shows."""

Pairs = Sequence[tuple[str, str]]
"""Names and values, in their order."""


class Question(msgspec.Struct, frozen=True):
    """A query, and how it is to be answered."""

    query: UsageQuery
    format: Literal["json", "csv"]


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    since: float
    until: float
    by: tuple[Dimension, ...]
    where: tuple[tuple[Dimension, str], ...]
    after: str


def question_of(pairs: Pairs, now: float, *, groups: bool) -> Question:
    """What a request for usage (groups: rows come in groups) or for records asks. now: Unix seconds. GatewayError."""
    given = _given(pairs, ("since", "until", "limit", "cursor", "format", *(("by",) if groups else ())))
    form = given.get("format", "json")
    if form not in _FORMATS:
        raise _refused("format", f"{form[:40]!r} is no format; there are: json, csv.")
    where = tuple((_dimension(name[6:], name), value) for name, value in pairs if name.startswith("where."))
    for name, value in where:
        if len(value) > LONGEST_VALUE or "\0" in value:
            raise _refused(f"where.{name}", f"A value has at most {LONGEST_VALUE} characters, and no NUL.")
    by = tuple(_dimension(name, "by") for name in given.get("by", "").split(",")) if given.get("by") else ()
    if len(set(by)) != len(by):
        raise _refused("by", "A dimension stands twice.")
    limit = _limit(given.get("limit"), form)
    if "cursor" in given:
        query = _resumed(given["cursor"], by, where, limit, groups=groups)
    else:
        until = _instant(given, "until", now, now)
        since = _instant(given, "since", max(until - USUAL_SPAN, 0.0), now)
        if since > until:
            raise _refused("since", "It is later than `until`.")
        query = UsageQuery(since, until, by, where, limit)
    return Question(query, cast("Literal['json', 'csv']", form))


def cursor_of(query: UsageQuery, after: str) -> str:
    """Where the page after `after` begins, `` when there is none."""
    if not after:
        return ""
    token = msgspec.json.encode(_Cursor(query.since, query.until, query.by, query.where, after))
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def kind_of(text: str) -> ConsumerKind:
    """A kind of those who pay in. GatewayError."""
    if text not in PAYERS:
        raise _refused("kind", f"{text[:40]!r} has no balance; there are: {', '.join(PAYERS)}.")
    return text


def only(pairs: Pairs, names: Iterable[str]) -> dict[str, str]:
    """The parameters, each given at most once and each known. GatewayError."""
    return _given(pairs, tuple(names), wheres=False)


def _given(pairs: Pairs, names: Sequence[str], *, wheres: bool = True) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in names and not (wheres and name.startswith("where.")):
            close = get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names) or 'none'}."
            raise _refused(name[:60], f"There is no such parameter; {hint}")
        if name in given:
            raise _refused(name[:60], "It is given twice.")
        given[name] = value
    return given


def _dimension(text: str, param: str) -> Dimension:
    if text not in DIMENSIONS:
        raise _refused(param[:60], f"{text[:40]!r} is no dimension; there are: {', '.join(DIMENSIONS)}.")
    return text


def _limit(text: str | None, form: str) -> int:
    if text is None:
        return USUAL_ROWS if form == "json" else 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_ROWS or len(text) > 9:
        raise _refused("limit", f"It is a whole number from 1 to {MOST_ROWS}; the rest comes by cursor, or as CSV.")
    return int(text)


def _instant(given: dict[str, str], name: str, unsaid: float, now: float) -> float:
    text = given.get(name)
    if text is None:
        return unsaid
    try:
        instant = instant_of(text, now)
    except (ValueError, OverflowError):
        raise _refused(name, "It is a day (2026-11-01), a moment (2026-11-01T12:00:00Z) or so long ago (7d).") from None
    if not 0 <= instant < _LATEST:
        raise _refused(name, "It is before 1970 or after the year 9999.")
    return instant


def _resumed(
    text: str, by: tuple[Dimension, ...], where: tuple[tuple[Dimension, str], ...], limit: int, *, groups: bool
) -> UsageQuery:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Cursor)
    except (UnicodeError, binascii.Error, msgspec.MsgspecError):
        raise _refused("cursor", _FOREIGN) from None
    if not 0 <= found.since <= found.until < _LATEST or not (_is_group(found) if groups else _is_place(found)):
        raise _refused("cursor", _FOREIGN)
    if (by and by != found.by) or (where and where != found.where):
        raise _refused("cursor", "It goes on with another question: leave `by` and `where.` as they were, or out.")
    return UsageQuery(found.since, found.until, found.by, found.where, limit, found.after)


def _is_group(cursor: _Cursor) -> bool:
    """Whether it ends behind a group of usage."""
    try:
        return len(msgspec.json.decode(cursor.after, type=tuple[str, ...])) == len(cursor.by) > 0
    except msgspec.MsgspecError:
        return False


def _is_place(cursor: _Cursor) -> bool:
    """Whether it ends behind a record."""
    time, _, name = cursor.after.partition(" ")
    try:
        return bool(name) and not cursor.by and cursor.since <= float(time) < cursor.until
    except ValueError:
        return False


def _refused(param: str, message: str) -> GatewayError:
    return GatewayError("invalid_request", message, param=param)
