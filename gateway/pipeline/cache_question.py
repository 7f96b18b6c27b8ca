"""What a request asks of the cache: whose question it is, under which key, and how much of its answer may be old.

A question that was asked before in the very same bytes is remembered with its key, because reading a body and putting
it in order is the dearest part of a hit. The memory is bounded in questions and in bytes, and all routes share it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call, Exchange
from gateway.dialects.cache_key import Members, key_of, members_of, shown_name, stored_name, surroundings
from gateway.dialects.replay.forms import has_both_forms
from gateway.pipeline.identity import identity_of
from gateway.policy.cache_control import NO_WISH, Wish, read_wish

REMEMBERED: Final = 2048
"""Questions. All are forgotten when there are more: finding one's key anew costs little."""
LONGEST: Final = 8192
"""Bytes of a body that is remembered."""

OPERATIONS: Final = frozenset(
    (
        "chat", "completions", "responses", "messages", "count-tokens", "generate", "embeddings", "moderations",
        "rerank", "images", "audio",
    )
)  # fmt: skip
"""What can be asked twice and be answered the same."""

_COUNTED_HEADERS: Final = frozenset((b"cache-control", b"anthropic-version", b"anthropic-beta", b"openai-beta"))


class Asked(msgspec.Struct, frozen=True):
    """What a key was made of: for embeddings, each of whose inputs has a key of its own."""

    scope: tuple[str, ...]
    around: tuple[str, ...]
    members: Members


class Question(msgspec.Struct, frozen=True):
    """names: of the answer's variants in the store. told: the header that shows the key. asked: of embeddings."""

    names: tuple[str, ...]
    told: tuple[bytes, bytes]
    asked: Asked | None = None


Memory = dict[tuple[object, ...], Question]


class Questions:
    """Reads requests of one route. memory: shared with the other routes of a config."""

    __slots__ = ("_buckets", "_memory", "_router", "_scope", "_seed")

    def __init__(self, router: str, scope: str, seed: str, buckets: int, memory: Memory) -> None:
        self._router = router
        self._scope = scope
        self._seed = seed
        self._buckets = buckets
        self._memory = memory

    def read(self, exchange: Exchange) -> tuple[Wish, Question | None]:
        """How old an answer may be, and the question; None for one that is not to be looked up."""
        wish = NO_WISH
        counted: tuple[tuple[bytes, bytes], ...] = ()
        for header in exchange.headers:
            if header[0] in _COUNTED_HEADERS:
                if header[0] == b"cache-control":
                    wish = read_wish(header[1])
                else:
                    counted += (header,)
        if wish.no_store:
            return wish, None
        call, body = exchange.call, exchange.body
        # Two kinds of one text must not be taken for one another: a credential is bytes, an address stands alone.
        who = exchange.caller or exchange.credential or (exchange.client,)
        at = (
            self._router, who if self._scope != "router" else "", exchange.team, exchange.access, call.dialect,
            call.operation, call.suffix, call.version, call.model, call.stream, call.multipart, exchange.query, counted,
            exchange.chosen, body,
        )  # fmt: skip
        question = self._memory.get(at)
        if question is None:
            question = self._find(exchange, counted)
            if question is not None and question.asked is None and len(body) <= LONGEST:
                if len(self._memory) >= REMEMBERED:
                    self._memory.clear()
                self._memory[at] = question
        return wish, question

    def _find(self, exchange: Exchange, counted: tuple[tuple[bytes, bytes], ...]) -> Question | None:
        call = exchange.call
        members = None if call.multipart else members_of(exchange.body)
        if members is None or (call.operation == "responses" and not _is_pure(call, members)):
            return None
        around = surroundings(call, exchange.query, counted)
        if call.stream and not has_both_forms(call):
            around += ("stream",)
        if exchange.chosen:
            around += ("chosen", exchange.chosen)
        scope = (*self._whose(exchange), self._router, self._seed)
        key = key_of(scope, around, members)
        if key is None:
            return None
        names = tuple(stored_name(self._router, key, variant) for variant in range(self._buckets))
        told = (b"x-gateway-cache-key", shown_name(self._router, key).encode())
        return Question(names, told, Asked(scope, around, members) if call.operation == "embeddings" else None)

    def _whose(self, exchange: Exchange) -> tuple[str, ...]:
        """Who may see the answer. What only some may use, only they may see."""
        scope = self._scope
        if scope == "caller" or (scope == "team" and not exchange.team):
            return (identity_of(exchange),)
        team = exchange.team if scope == "team" else ""
        access = exchange.access
        if access is None:
            return (scope, team)
        providers = "*" if access.providers is None else ",".join(sorted(access.providers))
        models = "*" if access.models is None else ",".join(access.models)
        return (scope, team, providers, models)


def bypass_of(wish: Wish, question: Question | None) -> str:
    """Why the cache is not looked in, or ``."""
    if wish.no_store:
        return "the request says `cache-control: no-store`"
    if question is None:
        return "the request is not one that can be asked twice: it acts at the provider, or its body is no JSON object"
    return "the request says `cache-control: no-cache`" if wish.no_cache else ""


def _is_pure(call: Call, members: Members) -> bool:
    """Whether a Responses request asks for an answer and changes nothing at the provider."""
    return call.suffix == "/responses" and not members.get("background") and not members.get("conversation")
