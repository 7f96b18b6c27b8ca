"""Replies on their way into the cache and out of it: what of them is kept, and how they are given."""

from __future__ import annotations

from typing import Final, Literal

from gateway.core.exchange import Call, Exchange, Headers, Reply, Spared
from gateway.core.usage import NOTHING_USED, Usage
from gateway.dialects.replay.forms import CONTENT_TYPES, Form, in_wanted_form, wanted_form
from gateway.dialects.replay.pieces import Unfoldable
from gateway.pipeline.cache_question import Question
from gateway.store.cache_entry import Entry
from gateway.telemetry.metrics import Metrics

Result = Literal["hit", "shared", "stale", "miss", "bypass", "refresh"]
"""What the cache did. shared: gave the answer of another request that was under way; the client is told `hit`. refresh:
fetched anew what was given though stale; no client is told of it."""

_WORDS: Final[tuple[tuple[Result, bytes], ...]] = (
    ("hit", b"hit"), ("shared", b"hit"), ("stale", b"stale"), ("miss", b"miss"), ("bypass", b"bypass"),
    ("refresh", b"miss"),
)  # fmt: skip
SAID: Final = {result: word.decode() for result, word in _WORDS}
TOLD: Final[dict[Result, tuple[bytes, bytes]]] = {result: (b"x-gateway-cache", word) for result, word in _WORDS}
_KEPT: Final = frozenset((b"content-type", b"x-gateway-provider", b"x-gateway-model", b"x-gateway-dropped"))


def kept_of(headers: Headers) -> Headers:
    """The headers that are as true of the next reply."""
    return [header for header in headers if header[0] in _KEPT]


def spared_by(headers: Headers, usage: Usage | None) -> Spared:
    """What a kept answer has used when it was fetched. headers: those kept with it."""
    said = dict(headers)
    return Spared(said.get(b"x-gateway-provider", b"").decode(), said.get(b"x-gateway-model", b"").decode(), usage)


def form_of(call: Call, reply: Reply) -> Form | None:
    """The form of a reply, by what it says it is; None when it is encoded in a way that cannot be read."""
    kind = b""
    for name, value in reply.headers:
        if name == b"content-encoding" and value != b"identity":
            return None
        if name == b"content-type":
            kind = value
    if kind.startswith(b"text/event-stream"):
        return "events" if call.stream else None
    if call.stream and call.framing == "json-array" and reply.first.lstrip()[:1] == b"[":
        return "array"
    return "whole"


class Answers:
    """Gives kept answers, and counts what the cache of a route has done."""

    __slots__ = ("_metrics",)

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def give(self, exchange: Exchange, entry: Entry, question: Question, result: Result, age: float) -> Reply | None:
        """As `given`, and counted when it is."""
        reply = given(exchange, entry, question, result, age)
        if reply is not None:
            self.count(exchange, result)
        return reply

    def count(self, exchange: Exchange, result: Result) -> None:
        exchange.cache = SAID[result]
        self._metrics.count_cache(exchange.router, result)


def given(exchange: Exchange, entry: Entry, question: Question, result: Result, age: float) -> Reply | None:
    """A kept answer as this request wants it, which uses nothing of anybody's; None when it cannot be made of what was
    kept. age: seconds."""
    call = exchange.call
    form = wanted_form(call)
    try:
        body = in_wanted_form(call, entry.form, entry.body, entry.usage, told=entry.told)
    except Unfoldable:
        return None
    kept = entry.headers
    if form != entry.form:
        kept = [header for header in kept if header[0] != b"content-type"]
        kept.append((b"content-type", CONTENT_TYPES[form]))
    exchange.usage = NOTHING_USED
    exchange.spared = spared_by(entry.headers, entry.usage)
    return Reply(200, [*kept, TOLD[result], question.told, (b"age", b"%d" % age)], body)
