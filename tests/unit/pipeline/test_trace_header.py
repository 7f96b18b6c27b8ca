from __future__ import annotations

import json

import pytest

from gateway.core.exchange import Attempt, Call, Exchange
from gateway.core.trace import CacheNote, LimitNote, RefusalNote, TargetNote, Trace
from gateway.core.usage import Estimate
from gateway.pipeline.trace_header import LARGEST, header_of


def an_exchange(model: str = "gpt-4o", attempts: int = 1) -> Exchange:
    return Exchange(
        id="x",
        method="POST",
        path="/chat/completions",
        query=b"",
        headers=[],
        body=b"",
        call=Call("openai", "chat", "/chat/completions", model=model),
        router="r",
        started=0.0,
        wall=0.0,
        attempts=[Attempt("alpha", model, model, "one", 0.0) for _ in range(attempts)],
    )


def test_what_was_not_noted_is_not_said() -> None:
    said = json.loads(header_of(Trace(Estimate(1, 1, 2)), an_exchange(attempts=0)))
    assert said == {
        "router": "r",
        "dialect": "openai",
        "operation": "chat",
        "model": "gpt-4o",
        "tokens": {"input": 1, "output": 2},
    }


def test_notes_are_written_short() -> None:
    trace = Trace(
        Estimate(1, 1, 2),
        limits=[
            LimitNote("total", "requests", 10, 60.0, "{r}total", 1, 9, path=("routers", "r", "rate-limit", "total"))
        ],
        cache=CacheNote("max-age=60", "caller", bypass="why"),
        targets=(TargetNote("alpha", "m", "openai", share=0.5),),
    )
    said = json.loads(header_of(trace, an_exchange()))
    assert said["limits"][0]["path"] == "routers.r.rate-limit.total"
    assert "shadow" not in said["limits"][0]
    assert said["cache"] == {"directive": "max-age=60", "scope": "caller", "bypass": "why"}
    assert said["targets"] == [{"provider": "alpha", "model": "m", "dialect": "openai", "share": 0.5}]


@pytest.mark.parametrize("model", ["m" * 60, "ü\r\n\x00" * 40, "\U0001f600" * 100])
def test_it_is_ascii_of_bounded_length_whatever_clients_name(model: str) -> None:
    trace = Trace(
        Estimate(),
        limits=[LimitNote("per-end-user", "usd", 1, 1.0, model, 0, 0) for _ in range(30)],
        targets=tuple(TargetNote("alpha", model, "openai") for _ in range(50)),
        refused=tuple(RefusalNote("beta", model, "no-key", "no key") for _ in range(50)),
    )
    header = header_of(trace, an_exchange(model, attempts=63))
    assert len(header) <= LARGEST
    assert header.isascii()
    assert all(byte >= 32 for byte in header)
    said = json.loads(header)
    kept = sum(len(said.get(name, ())) for name in ("limits", "targets", "refused", "attempts"))
    assert said["left_out"] + kept == 30 + 50 + 50 + 63
