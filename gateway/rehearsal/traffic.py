"""The requests of a case: when each comes, and what it says."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import count as counting
from typing import Any, Final

import msgspec
from starlette.types import Scope

from gateway.core.units import seconds
from gateway.rehearsal.asgi import http_scope
from gateway.rehearsal.cases import Traffic

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


class Arrival(msgspec.Struct, frozen=True, order=True):
    """at: seconds. kind: which traffic of the case. turn: which request of that traffic, from 0."""

    at: float
    kind: int
    turn: int


def arrivals(traffics: Sequence[Traffic]) -> Iterator[Arrival]:
    """Every request in the order of time; of those at one moment, in the order of the case."""
    return heapq.merge(*(_arrivals_of(traffic, kind) for kind, traffic in enumerate(traffics)))


def _arrivals_of(traffic: Traffic, kind: int) -> Iterator[Arrival]:
    start = seconds(traffic.start)
    if traffic.rate is not None:
        number, _, unit = traffic.rate.partition("/")
        period = Fraction(_UNITS[unit], int(number))
        length = None if traffic.for_ is None else Fraction(seconds(traffic.for_)).limit_denominator(1_000_000)
        for turn in counting() if traffic.count is None else range(traffic.count):
            if length is not None and turn * period >= length:
                return
            yield Arrival(float(Fraction(start) + turn * period), kind, turn)
        return
    moments = [start] if traffic.at is None else sorted(map(seconds, traffic.at))
    turns = counting()
    for moment in moments:
        for _ in range(traffic.count or 1):
            yield Arrival(moment, kind, next(turns))


class Requests:
    """Makes the requests of one traffic. keys: credentials of the gateway's keys, by name."""

    def __init__(self, traffic: Traffic, keys: Mapping[str, str]) -> None:
        prefix = "" if traffic.router is None else f"/router/{traffic.router}"
        path = traffic.path or ("/chat/completions" if traffic.router is not None else "/v1/chat/completions")
        self._target = f"{prefix}{path}".encode()
        self._address = traffic.address
        headers = {"host": "gateway.test", "content-type": "application/json"}
        if traffic.key is not None:
            headers["authorization"] = f"Bearer {keys[traffic.key]}"
        headers |= {name.lower(): value for name, value in traffic.headers.items()}
        self._headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        texts = [traffic.text, *(f"{traffic.text} ({number})" for number in range(2, traffic.distinct + 1))]
        self._bodies = [msgspec.json.encode(_body(path, traffic, text)) for text in texts]

    def scope_and_body(self, turn: int) -> tuple[Scope, bytes]:
        body = self._bodies[turn % len(self._bodies)]
        headers = [*self._headers, (b"content-length", b"%d" % len(body))]
        return http_scope("POST", self._target, headers, self._address), body


def _body(path: str, traffic: Traffic, text: str) -> dict[str, Any]:
    said = [{"role": "user", "content": text}]
    body: dict[str, Any]
    if path.endswith("/messages"):
        body = {"max_tokens": 64, "messages": said}
    elif path.endswith(("/responses", "/embeddings")):
        body = {"input": text}
    elif "enerateContent" in path:
        return {"contents": [{"role": "user", "parts": [{"text": text}]}], **traffic.body}
    else:
        body = {"messages": said}
    if traffic.model is not None:
        body["model"] = traffic.model
    if traffic.stream:
        body["stream"] = True
    if traffic.user is not None:
        body["user"] = traffic.user
    return {**body, **traffic.body}
