"""A provider that plays the phases of a case.

What lives here: which phase applies to a call, and what its answer looks like in the dialect of the path that was
asked. Chance is the case's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from gateway.core.units import seconds
from gateway.core.usage import Usage
from gateway.rehearsal.cases import Phase, Spread
from gateway.rehearsal.replies import (
    chat_reply,
    chat_stream,
    generate_reply,
    generate_stream,
    message_reply,
    message_stream,
)
from gateway.rehearsal.scripted import Script, ScriptedTransport, key_of, ok, status, stream
from gateway.upstream.transport import UpstreamRequest

WELL: Final = Phase()
"""What a provider does that nobody scripted."""
_SPOKEN: Final = ("/chat/completions", "/messages", "/embeddings")
_Z99: Final = 2.3263478740408408
"""Standard deviations from the median to the 99th percentile."""


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Asked(msgspec.Struct):
    model: str = ""
    stream: bool | None = None
    stream_options: _Options | None = None


class _Timed(msgspec.Struct):
    """A phase with its times in seconds; calls: how many it has had."""

    phase: Phase
    start: float
    end: float
    calls: int = 0

    def applies(self, now: float, key: str, model: str) -> bool:
        phase = self.phase
        return (
            self.start <= now < self.end
            and (phase.times is None or self.calls < phase.times)
            and (phase.key is None or phase.key == key)
            and (phase.model is None or phase.model == model)
        )


class Performer:
    """One provider of a case. keys: names of its keys by what is sent. transport: reaches it. used: the model and usage
    of each call, in the order of its calls; None where no model answered. unknown: paths that it has no words for."""

    def __init__(
        self, phases: Sequence[Phase], keys: Mapping[str, str], chance: Random, elapsed: Callable[[], float]
    ) -> None:
        self.transport = ScriptedTransport(otherwise=self._answer)
        self.keys = keys
        self.used: list[tuple[str, Usage | None]] = []
        self.unknown: set[str] = set()
        self._phases = [_timed(phase) for phase in phases]
        self._chance = chance
        self._elapsed = elapsed

    def _answer(self, request: UpstreamRequest, number: int) -> Script:
        asked = _read(request.body)
        now = self._elapsed()
        key = self.keys.get(key_of(dict(request.headers)), "")
        model = asked.model or _model_in(request.url)
        phase = WELL
        for timed in reversed(self._phases):
            if timed.applies(now, key, model):
                timed.calls += 1
                phase = timed.phase
                break
        answers = phase.fault is None and phase.status < 300 and phase.body is None
        usage = Usage(input=phase.tokens.input, output=phase.tokens.output) if answers else None
        self.used.append((model, usage))
        return self._script(phase, request, asked, model)

    def _script(self, phase: Phase, request: UpstreamRequest, asked: _Asked, model: str) -> Script:
        latency = phase.latency
        delay = seconds(latency) if isinstance(latency, str) else _drawn(latency, self._chance)
        if phase.fault is not None:
            return Script(fault=phase.fault, delay=delay)
        headers = tuple(phase.headers.items())
        if phase.status >= 400:
            rest = None if phase.retry_after is None else math.ceil(seconds(phase.retry_after))
            return status(phase.status, phase.body, retry_after=rest, headers=headers, delay=delay)
        reply: object = phase.body
        if reply is None:
            path = urlsplit(request.url).path
            wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
            pieces = _pieces(path, phase, model, wants_usage) if asked.stream or "streamGenerate" in path else None
            if pieces is not None:
                return stream(
                    pieces,
                    headers=headers,
                    gap=seconds(phase.gap),
                    delay=delay,
                    cut_after=phase.cut_after,
                    hang_after=phase.hang_after,
                )
            if not path.endswith(_SPOKEN) and "enerateContent" not in path:
                self.unknown.add(path)
            reply = _whole(path, phase, model)
        script = ok(reply, headers=headers, delay=delay)
        if phase.cut_after is not None:
            return replace(script, then="cut")
        return script if phase.hang_after is None else replace(script, then="hang")


def _timed(phase: Phase) -> _Timed:
    start = seconds(phase.at)
    return _Timed(phase, start, math.inf if phase.for_ is None else start + seconds(phase.for_))


def _drawn(spread: Spread, chance: Random) -> float:
    """Seconds, to the microsecond."""
    median, late = seconds(spread.p50), seconds(spread.p99)
    if median <= 0 or late <= median:
        return median
    return round(median * math.exp(math.log(late / median) / _Z99 * chance.gauss(0, 1)), 6)


def _read(body: bytes) -> _Asked:
    try:
        return msgspec.json.decode(body, type=_Asked)
    except msgspec.DecodeError:
        # A form, or nothing: it names no model that a phase could ask for.
        return _Asked()


def _model_in(url: str) -> str:
    """The model of a path such as `/v1beta/models/gemini-2.5-flash:generateContent`."""
    _, found, rest = urlsplit(url).path.rpartition("/models/")
    return rest.partition(":")[0] if found else ""


def _pieces(path: str, phase: Phase, model: str, wants_usage: bool) -> list[bytes] | None:
    words = [f" {word}" if number else word for number, word in enumerate(phase.text.split(" "))]
    tokens = phase.tokens.input, phase.tokens.output
    if path.endswith("/chat/completions"):
        return chat_stream(words, model, tokens if wants_usage else None)
    if path.endswith("/messages"):
        return message_stream(words, model, tokens)
    return generate_stream(words, tokens) if "streamGenerateContent" in path else None


def _whole(path: str, phase: Phase, model: str) -> dict[str, Any]:
    tokens = phase.tokens.input, phase.tokens.output
    if path.endswith("/messages"):
        return message_reply(phase.text, model, tokens)
    if "enerateContent" in path:
        return generate_reply(phase.text, model=model, tokens=tokens)
    if path.endswith("/embeddings"):
        vector = {"object": "embedding", "index": 0, "embedding": [0.0, 1.0]}
        usage = {"prompt_tokens": tokens[0], "total_tokens": tokens[0]}
        return {"object": "list", "model": model, "data": [vector], "usage": usage}
    return chat_reply(phase.text, model, tokens)
