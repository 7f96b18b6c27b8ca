"""Records of exchanges: one to begin with, and any that there can be."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
from hypothesis import strategies as st

from gateway.core.exchange import Dialect, Operation, Outcome
from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage

SERVED: Final = Record(
    id="0011223344556677-1",
    time=1_763_722_800.123456,
    request_id="req-1",
    caller="ml-ci",
    team="ml",
    project="search",
    user="user-456",
    router="prod",
    config="3f2a",
    dialect="openai",
    operation="chat",
    stream=True,
    asked="gpt-4o",
    provider="openai",
    model="gpt-4o-2024-08-06",
    key="main",
    rule="",
    status=200,
    outcome="ok",
    error_code="",
    usage=Usage(input=150, output=230, cached=100),
    metered=True,
    cost=3_800_000,
    price_source="table",
    cache="miss",
    saved=0,
    saved_by="",
    seconds=1.25,
    first_byte=0.4,
    max_tokens=500,
    attempts=(
        AttemptRecord("azure", "gpt-4o", "spare", 503, "unavailable", 0.2),
        AttemptRecord("openai", "gpt-4o-2024-08-06", "main", 200, "", 1.0),
    ),
    losses=("seed",),
)
"""A stream, answered by the second of two."""


def served(**changes: Any) -> Record:
    """SERVED with other values."""
    return msgspec.structs.replace(SERVED, **changes)


def _seconds(most: int) -> st.SearchStrategy[float]:
    return st.integers(0, most * 1_000_000).map(lambda micro: micro / 1e6)


_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_tokens = st.integers(0, 2**40)
_money = st.integers(0, 4_000_000 * 10**9)
"""What a number of JSON, which is a double, has to the billionth."""
_attempts = st.builds(
    AttemptRecord, _texts, _texts, _texts, st.integers(0, 599), st.sampled_from(("", "timeout")), _seconds(900)
)
records: Final[st.SearchStrategy[Record]] = st.builds(
    Record,
    time=_seconds(4_000_000_000),
    dialect=st.sampled_from(get_args(Dialect)),
    operation=st.sampled_from(get_args(Operation)),
    outcome=st.sampled_from(get_args(Outcome)),
    stream=st.booleans(),
    metered=st.booleans(),
    status=st.integers(0, 599),
    usage=st.builds(Usage, *[_tokens] * 8),
    cost=st.none() | _money,
    saved=_money,
    saved_by=st.sampled_from(("", "cache", "target", "free-key")),
    seconds=_seconds(900),
    first_byte=_seconds(900),
    max_tokens=_tokens,
    attempts=st.lists(_attempts, max_size=3).map(tuple),
    losses=st.lists(_texts, max_size=3).map(tuple),
    **dict.fromkeys(
        (
            "id", "request_id", "caller", "team", "project", "user", "router", "config", "asked", "provider", "model",
            "key", "rule", "error_code", "price_source", "cache",
        ),
        _texts,
    ),
)  # fmt: skip
"""Any: times in whole microseconds."""
