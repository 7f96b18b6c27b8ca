"""A record as every database can hold it: what is absurd is cut to size, so that it keeps no other row from being
written.

What a provider reports and a client writes has no bound of its own; columns have.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import astuple

from gateway.core.record import Record
from gateway.core.usage import Usage

MOST_TOKENS: Final = 10**12
"""Of one kind in one request. Far more than any model reads, and thousands of such rows still add up in 64 bits."""
MOST_MONEY: Final = 10**15
"""Nano-USD of one request: a million dollars."""
LONGEST: Final = 256
"""Characters of what clients write."""
LATEST: Final = 4_102_444_800.0
"""Unix seconds of the year 2100. No clock that is right tells more."""
_LONGEST_LIST: Final = 64
_MOST_SECONDS: Final = 1e9

Change = dict[str, object]


def fitted(record: Record) -> Record:
    """The record itself when it fits, else one that does."""
    r, u, cost = record, record.usage, record.cost
    # One look, for what is nearly always so.
    if (
        0 <= u.input <= MOST_TOKENS
        and 0 <= u.output <= MOST_TOKENS
        and 0 <= u.cached <= MOST_TOKENS
        and 0 <= u.reasoning <= MOST_TOKENS
        and not (
            (
                u.cache_write_5m
                or u.cache_write_1h
                or u.audio_input
                or u.audio_output
                or u.audio_cached
                or u.image_input
                or u.image_output
                or u.image_cached
            )
            and _is_absurd(u)
        )
        and (cost is None or 0 <= cost <= MOST_MONEY)
        and 0 <= r.saved <= MOST_MONEY
        and 0 <= r.max_tokens <= MOST_TOKENS
        and 0.0 <= r.time <= LATEST
        and 0.0 <= r.seconds < _MOST_SECONDS
        and 0.0 <= r.first_byte < _MOST_SECONDS
        and len(r.losses) <= _LONGEST_LIST
        and len(r.attempts) <= _LONGEST_LIST
        and len(texts := f"{r.asked}{r.user}{r.request_id}{r.model}{r.project}{r.team}{r.caller}") <= LONGEST
        and texts.isprintable()
    ):
        return record
    return _cut(record)


def is_clamped(given: Record, written: Record) -> bool:
    """Whether numbers were cut, not only text."""
    return (given.usage, given.cost, given.saved) != (written.usage, written.cost, written.saved)


def _cut(record: Record) -> Record:
    change: Change = {}
    if _is_absurd(record.usage):
        change["usage"] = Usage(*(min(max(count, 0), MOST_TOKENS) for count in astuple(record.usage)))
    cost = record.cost
    if cost is not None and not 0 <= cost <= MOST_MONEY:
        change["cost"] = min(max(cost, 0), MOST_MONEY)
    if not 0 <= record.saved <= MOST_MONEY:
        change["saved"] = min(max(record.saved, 0), MOST_MONEY)
    if not 0 <= record.max_tokens <= MOST_TOKENS:
        change["max_tokens"] = min(max(record.max_tokens, 0), MOST_TOKENS)
    if not 0.0 <= record.time <= LATEST:
        change["time"] = min(max(record.time, 0.0), LATEST)
    if not (0.0 <= record.seconds < _MOST_SECONDS and 0.0 <= record.first_byte < _MOST_SECONDS):
        change["seconds"] = min(max(record.seconds, 0.0), _MOST_SECONDS)
        change["first_byte"] = min(max(record.first_byte, 0.0), _MOST_SECONDS)
    for name in ("asked", "user", "request_id", "model", "project", "team", "caller"):
        text: str = getattr(record, name)
        clean = _clean(text)
        if clean != text:
            change[name] = clean
    if len(record.losses) > _LONGEST_LIST:
        change["losses"] = record.losses[:_LONGEST_LIST]
    if len(record.attempts) > _LONGEST_LIST:
        change["attempts"] = record.attempts[:_LONGEST_LIST]
    return msgspec.structs.replace(record, **change) if change else record


def _is_absurd(usage: Usage) -> bool:
    counts = astuple(usage)
    return bool(max(counts) > MOST_TOKENS or min(counts) < 0)


def _clean(text: str) -> str:
    # Lone surrogates and control characters become visible ones; PostgreSQL's text holds no NUL.
    sound = text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else "\ufffd" for character in sound)
