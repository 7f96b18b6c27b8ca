"""What the documented streams of every dialect cost, against genai-prices, which is given the counts that they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.canonical import End
from gateway.providers.prices import SHIPPED_BOOK
from tests.golden.matrix import Case, chunks, headers_of, load
from tests.support.fold import fold
from tests.unit.dialects.test_usage_oracle import GOLDEN, MOMENT, SPOKEN, Reply, cost_of, counts, counts_of
from tools.make_prices import OURS


def said_in(case: Case) -> list[dict[str, Any]]:
    """What a stream says, event by event, whatever its framing."""
    if case.encoding == "eventstream":
        found = [one["body"] for one in json.loads(bytes(case.input))]
    else:
        lines = b"".join(chunks(case)).decode("utf-8", "replace").splitlines()
        found = [_read(line[5:]) for line in lines if line.startswith("data:")]
    return [event for event in found if isinstance(event, dict)]


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def whole_of(events: list[dict[str, Any]]) -> Reply:
    """The reply of which a stream is the parts, as far as the oracle looks: later counts stand for earlier ones."""
    reply: Reply = {}
    for event in events:
        for holder in (event, *(event.get(name) for name in ("message", "response", "delta"))):
            for name in ("usage", "usageMetadata"):
                if isinstance(holder, dict) and isinstance(holder.get(name), dict):
                    known = {key: value for key, value in holder[name].items() if value is not None}
                    reply[name] = {**reply.get(name, {}), **known}
    return reply


def streamed_usage(dialect: str, case: Case) -> Usage | None:
    """As the dialect's own reader has it; None where the stream broke, or said nothing."""
    reader = SPOKEN[dialect][2].stream_reader(headers_of(case))
    try:
        seen = [event for chunk in chunks(case) for event in reader.feed(chunk)] + list(reader.end())
    except UpstreamFault:
        return None
    return fold(seen).usage if any(isinstance(event, End) for event in seen) else None


STREAMS: Final = [
    pytest.param(dialect, case, id=f"{dialect}-{path.stem}")
    for dialect in SPOKEN
    for path in sorted((GOLDEN / dialect).glob("stream-*.json"))
    if ".to." not in path.name
    if whole_of(said_in(case := load(Path(path)))) and streamed_usage(dialect, case) is not None
]


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
def test_a_documented_stream_is_counted_and_costs_as_the_oracle_says(dialect: str, case: Case) -> None:
    usage = streamed_usage(dialect, case)
    assert usage is not None
    provider, flavor, _, models = SPOKEN[dialect]
    reply = whole_of(said_in(case))
    assert counts(usage) == counts_of(provider, flavor, reply)
    for model in models:
        found = SHIPPED_BOOK.cost(OURS[provider], model, usage, MOMENT.timestamp())
        assert found == cost_of(provider, flavor, reply, model), model


def test_the_documented_streams_are_of_every_dialect() -> None:
    assert {param.values[0] for param in STREAMS} == set(SPOKEN)
    assert len(STREAMS) > 60
