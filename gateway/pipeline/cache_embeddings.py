"""Embeddings are kept input by input: of a batch, only what is not kept yet goes upstream.

For OpenAI's format, whose `input` is a text, a list of texts, or tokens in either form. The tokens that a provider
counts for a batch are shared out over its inputs by their length, so that a reply put together of kept ones still
says how many tokens it stands for; the sum over the inputs of one batch is exactly what the provider said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Exchange, Handler, Headers, Reply, Spared
from gateway.core.usage import NOTHING_USED, Usage
from gateway.dialects.cache_key import key_of, stored_name
from gateway.dialects.replay.pieces import Members
from gateway.pipeline.cache_errors import is_upstreams
from gateway.pipeline.cache_question import Asked
from gateway.pipeline.cache_reply import TOLD, Result, kept_of, spared_by
from gateway.policy.cache_control import Directive, Wish, decide, usable_after_error
from gateway.runtime import Runtime
from gateway.store.cache_entry import Entry, decode, encode
from gateway.store.protocol import CacheStore

MOST: Final = 2048
"""Inputs of one batch; OpenAI takes no more."""
_AT_ONCE: Final = 64
_RawMembers = dict[str, msgspec.Raw]
Keep = Callable[[], Awaitable[None]]


class _Counted(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """One embedding. item: as the provider wrote it, without its index. rest: what stood around the list."""

    item: _RawMembers
    rest: _RawMembers
    tokens: int


_RAW_MEMBERS: Final = msgspec.json.Decoder(_RawMembers)
_ITEMS: Final = msgspec.json.Decoder(list[_RawMembers])
_USAGE: Final = msgspec.json.Decoder(_Counted)
_KEPT: Final = msgspec.json.Decoder(_Kept)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, ValueError)


class EmbeddingCache:
    """The item-by-item half of a route's cache. ttl: seconds. largest: bytes of one kept embedding."""

    __slots__ = ("_directive", "_largest", "_router", "_runtime", "_store", "_ttl")

    def __init__(
        self, router: str, directive: Directive, ttl: float, largest: int, store: CacheStore, runtime: Runtime
    ) -> None:
        self._router = router
        self._directive = directive
        self._ttl = ttl
        self._largest = largest
        self._store = store
        self._runtime = runtime

    def takes(self, call: Call, members: Members) -> bool:
        """Whether a request is one that is kept input by input."""
        return call.dialect == "openai" and 0 < len(_inputs(members.get("input"))) <= MOST

    async def __call__(
        self,
        exchange: Exchange,
        wish: Wish,
        asked: Asked,
        inner: Handler,
    ) -> tuple[Reply, Result, Keep | None]:
        """The reply; what the cache did, `miss` as soon as one input had to be fetched; and how to keep what was
        fetched, for whoever has the time."""
        inputs = _inputs(asked.members["input"])
        names = [self._name(asked, one) for one in inputs]
        wall = self._runtime.clock.wall
        values = [None] * len(names) if wish.no_cache else await self._store.get(names)
        found: dict[int, tuple[Entry, _Kept]] = {}
        spare: dict[int, tuple[Entry, _Kept]] = {}
        stale = False
        for index, value in enumerate(values):
            kept = _read(value) if value is not None else None
            if kept is not None:
                age = max(0.0, wall() - kept[0].created)
                verdict = decide(age, self._directive, wish)
                if verdict in ("fresh", "stale"):
                    found[index] = kept
                    stale = stale or verdict == "stale"
                elif usable_after_error(age, self._directive, wish):
                    spare[index] = kept
        missing = [index for index in range(len(inputs)) if index not in found]
        if not missing:
            exchange.usage = NOTHING_USED
            exchange.spared = _spared(found)
            return self._put_together(found, [], stale=stale), "stale" if stale else "hit", None
        # An input that is there twice is asked for once.
        places = sorted({names[index]: index for index in reversed(missing)}.values())
        original = exchange.body
        if len(places) < len(inputs):
            exchange.body = _asking_for(original, [inputs[index] for index in places])
        try:
            reply = await inner(exchange)
        except GatewayError as error:
            exchange.body = original
            if len(spare) < len(missing) or not is_upstreams(error):
                raise
            exchange.usage = NOTHING_USED
            exchange.spared = _spared(found | spare)
            return self._put_together(found | spare, [], stale=True), "stale", None
        exchange.body = original
        fetched = _fetched(reply, [inputs[index] for index in places])
        if fetched is None:
            if len(places) < len(inputs):
                # Nothing that the kept ones could be joined with: the whole is asked for.
                reply = await inner(exchange)
            reply.headers.append(TOLD["bypass"])
            return reply, "bypass", None
        now = wall()
        headers = kept_of(reply.headers)
        wanted = [names[index] for index in places]
        keep = partial(self._keep, wanted, fetched, headers, now) if self._ttl > 0 else None
        if len(places) == len(inputs):
            reply.headers.append(TOLD["miss"])
            return reply, "miss", keep
        exchange.spared = _spared(found)
        got = dict(zip(wanted, fetched, strict=True))
        for index in missing:
            found[index] = Entry(now, "whole", headers, b""), got[names[index]]
        return self._put_together(found, reply.headers, stale=stale), "miss", keep

    def _name(self, asked: Asked, one: object) -> str:
        key = key_of(asked.scope, asked.around, {**asked.members, "input": one})
        assert key is not None, "the body has been put in order before"
        return stored_name(self._router, key, 0)

    async def _keep(self, names: Sequence[str], fetched: Sequence[_Kept], headers: Headers, now: float) -> None:
        for start in range(0, len(names), _AT_ONCE):
            puts = []
            for name, kept in zip(names[start : start + _AT_ONCE], fetched[start : start + _AT_ONCE], strict=True):
                body = msgspec.json.encode(kept)
                if len(body) <= self._largest:
                    entry = Entry(now, "whole", headers, body, None, told=True)
                    puts.append(self._store.put(name, encode(entry), self._ttl))
            await asyncio.gather(*puts)

    def _put_together(self, found: dict[int, tuple[Entry, _Kept]], headers: Headers, *, stale: bool) -> Reply:
        """headers: of the reply that some of it came with; empty where all was kept."""
        tokens = sum(kept.tokens for _, kept in found.values())
        first_entry, first = found[0]
        data = [
            {"object": msgspec.Raw(b'"embedding"'), "index": msgspec.Raw(b"%d" % index), **found[index][1].item}
            for index in range(len(found))
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        body = msgspec.json.encode({**first.rest, "data": data, "usage": usage})
        if headers:
            headers.append(TOLD["miss"])
            return Reply(200, headers, body)
        age = max(0.0, self._runtime.clock.wall() - min(entry.created for entry, _ in found.values()))
        told = TOLD["stale" if stale else "hit"]
        return Reply(200, [*first_entry.headers, told, (b"age", b"%d" % age)], body)


def _spared(found: dict[int, tuple[Entry, _Kept]]) -> Spared | None:
    """What the kept embeddings have used. All of them are one model's, for that is a part of their names."""
    for entry, _ in found.values():
        return spared_by(entry.headers, Usage(sum(kept.tokens for _, kept in found.values())))
    return None


def _inputs(given: object) -> list[object]:
    """The inputs of a batch; one text or one list of tokens is a batch of one."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        return []
    return [given] if isinstance(given[0], int) else given


def _asking_for(body: bytes, inputs: Sequence[object]) -> bytes:
    """The client's body, asking for some of its inputs."""
    members = _RAW_MEMBERS.decode(body)
    members["input"] = msgspec.Raw(msgspec.json.encode(inputs))
    return msgspec.json.encode(members)


def _fetched(reply: Reply, inputs: Sequence[object]) -> list[_Kept] | None:
    """What a reply brings for these inputs, in their order; None when it is not one embedding for each."""
    if reply.status != 200 or reply.rest is not None:
        return None
    try:
        rest = _RAW_MEMBERS.decode(reply.first)
        items = _ITEMS.decode(rest.pop("data"))
        usage = _USAGE.decode(rest.pop("usage", msgspec.Raw(b"{}")))
        ordered: dict[int, _RawMembers] = {}
        for place, item in enumerate(items):
            ordered[int(bytes(item.pop("index", msgspec.Raw(b"%d" % place))))] = item
        if sorted(ordered) != list(range(len(inputs))) or any("embedding" not in item for item in items):
            return None
    except _UNREADABLE:
        return None
    tokens = _shared_out(max(usage.prompt_tokens or usage.total_tokens or 0, 0), inputs)
    return [_Kept(ordered[index], rest, tokens[index]) for index in range(len(inputs))]


def _shared_out(total: int, inputs: Sequence[object]) -> list[int]:
    """Whole numbers that add up to the total, in proportion to the inputs' lengths."""
    lengths = [len(one) if isinstance(one, str | list) else 1 for one in inputs]
    whole = sum(lengths) or 1
    shares: list[int] = []
    seen = given = 0
    for length in lengths:
        seen += length
        until = total * seen // whole
        shares.append(until - given)
        given = until
    if shares:
        shares[-1] += total - given
    return shares


def _read(value: bytes) -> tuple[Entry, _Kept] | None:
    entry = decode(value)
    if entry is None:
        return None
    try:
        return entry, _KEPT.decode(entry.body)
    except _UNREADABLE:
        return None
