"""Which targets a router has for a call, and why it has not the others.

Everything here is independent of time: breakers and keys are looked at per request, in failover.
So the answer is remembered per kind of call; the memory is bounded because clients choose model names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from sys import intern
from typing import Literal
from urllib.parse import quote

import msgspec

from gateway.core.exchange import Call, Dialect, Operation
from gateway.dialects.canonical import TargetFacts
from gateway.dialects.formats import FORMATS, Format, Wire, format_of
from gateway.dialects.translate import Way
from gateway.dialects.translate_whole import WholeWay, way_between
from gateway.pipeline.endpoint import Endpoint, Knowledge, Site
from gateway.pipeline.target import Target
from gateway.policy.load import TargetLoad
from gateway.policy.selection import Reason, Refusal
from gateway.providers.equivalents import equivalents

Reach = Literal["listed", "known", "direct"]
"""listed: a router's list, through which names that nobody knows may pass. known: only names that
somebody is known to have. direct: one provider, any name and any path, nothing rewritten."""

REMEMBERED = 2048
_NOT_THERE = frozenset(("dialect", "cannot-serve-operation"))
_RANK: Mapping[Knowledge, int] = {"knows": 0, "open": 1, "passes": 2, "refuses": 3}


class Entry(msgspec.Struct, frozen=True):
    """One line of a router's list. model: asked for whatever the client named; `` for the client's own."""

    endpoint: Endpoint
    index: int
    weight: int
    priority: int
    model: str
    region: str


class Plan(msgspec.Struct, frozen=True):
    """The targets that could serve a call, and a refusal for each entry that could not. key_hints:
    how to give a key to the providers that have none. unknown_model: nobody is known to have it. translates: some of
    the targets are of another format than the client's. estimates: tokens are to be counted, and of the providers that
    have the model none counts."""

    targets: tuple[Target, ...]
    refusals: tuple[Refusal, ...]
    key_hints: tuple[str, ...] = ()
    unknown_model: bool = False
    translates: bool = False
    estimates: Format | None = None


class Candidates:
    """The targets of one router's list, by kind of call.

    entries: the list. mappings: model name -> names elsewhere, in order of preference. owners: the
    providers whose own a bare model name is. reach: see Reach. load_of: the lasting state of an endpoint's
    model, and its label.
    """

    __slots__ = (
        "_direct",
        "_load_of",
        "_mappings",
        "_owners",
        "_plans",
        "_providers",
        "_substitutes",
        "_worst",
        "entries",
    )

    def __init__(
        self,
        entries: Sequence[Entry],
        mappings: Mapping[str, tuple[str, ...]],
        owners: Callable[[str], tuple[str, ...]],
        load_of: Callable[[Endpoint, str], tuple[TargetLoad, str]],
        reach: Reach = "listed",
    ) -> None:
        self._direct = reach == "direct"
        self._substitutes = reach == "listed"
        self._worst = _RANK["knows"] if reach == "known" else _RANK["passes"]
        self.entries = tuple(entries)
        self._mappings = mappings
        self._owners = owners
        self._load_of = load_of
        self._providers = frozenset(entry.endpoint.name for entry in entries)
        self._plans: dict[tuple[Dialect, Operation, str, str, str, bool, bool, frozenset[str] | None], Plan] = {}

    def plan(self, call: Call, allowed: frozenset[str] | None = None) -> Plan:
        """The targets for a call, remembered. allowed: the caller's providers, None for all."""
        key = (
            call.dialect, call.operation, call.model, call.suffix, call.version, call.stream, call.wants_usage, allowed,
        )  # fmt: skip
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= REMEMBERED:
                self._plans.clear()
            plan = self._plans[key] = self._decide(call, allowed)
        return plan

    def _decide(self, call: Call, allowed: frozenset[str] | None) -> Plan:
        named, model = self._split(call.model)
        owners = self._owners(model) if model else ()
        mapped = self._mappings.get(call.model) or self._mappings.get(model) or ()
        asked_in = None if self._direct else format_of(call)
        found: list[tuple[int, Entry, str, Wire | None]] = []
        refusals: list[Refusal] = []
        for entry in self.entries:
            if allowed is not None and entry.endpoint.name not in allowed:
                refusals.append(_refusal(entry, call.model, "not-allowed"))
                continue
            rank, asked = self._model_at(entry, named, model, owners, mapped)
            if rank > self._worst:
                refusals.append(_refusal(entry, call.model, "cannot-serve-model"))
                continue
            site = _site(entry.endpoint, call, asked)
            other = None
            if asked_in is not None and asked and (site is None or site.stopgap or asked_in.differs(model, asked)):
                other = _foreign_format(entry.endpoint, asked_in, model, asked)
            if site is not None or other is not None or self._direct:
                found.append((rank, entry, asked, other))
            else:
                refusals.append(_refusal(entry, asked, _surface_reason(entry.endpoint, call)))
        best = min((rank for rank, *_ in found), default=0)
        refusals.extend(_refusal(entry, asked, "cannot-serve-model") for rank, entry, asked, _ in found if rank != best)
        unknown = self._worst == 0 and not found and all(r.reason == "cannot-serve-model" for r in refusals)
        targets = tuple(
            self._target(entry, call, asked)
            if asked_in is None or other is None
            else self._foreign_target(entry, call, asked, asked_in, other)
            for rank, entry, asked, other in found
            if rank == best
        )
        hints = dict.fromkeys(t.endpoint.missing_key_hint for t in targets if t.endpoint.missing_key_hint)
        translates = any(target.way is not None for target in targets)
        estimates = None
        if isinstance(asked_in, Format) and asked_in.counts and not targets:
            # Somebody has the model, and only the counting is not there.
            uncounted = any(refusal.reason in _NOT_THERE for refusal in refusals)
            estimates = asked_in if uncounted else None
        return Plan(targets, tuple(refusals), tuple(hints), unknown, translates, estimates)

    def _split(self, model: str) -> tuple[str, str]:
        """`provider/model` when the provider is one of this list, else a bare name: aggregators
        have slashes in their model names."""
        provider, slash, rest = model.partition("/")
        if slash and rest and provider in self._providers and not self._direct:
            return provider, rest
        return "", model

    def _model_at(
        self, entry: Entry, named: str, model: str, owners: tuple[str, ...], mapped: tuple[str, ...]
    ) -> tuple[int, str]:
        """How sure the entry is of the model, and what it is called there."""
        endpoint = entry.endpoint
        if entry.model:
            return _RANK["knows"], entry.model
        if not model:
            return _RANK["knows"], ""
        if self._direct:
            return _RANK[self._named(endpoint, model, owners)], model
        if named == endpoint.name:
            return _RANK[self._named(endpoint, model, owners)], model
        if not named:
            knowledge = endpoint.knowledge_of(model, owners)
            # A mapping that names the provider means it, even where a pattern such as `*` has every name.
            if knowledge == "knows" and not any(name.startswith(f"{endpoint.name}/") for name in mapped):
                return _RANK["knows"], model
        else:
            knowledge = "refuses"
        for name in mapped:
            provider, slash, rest = name.partition("/")
            if slash and provider == endpoint.name:
                return _RANK["knows"], rest
            if endpoint.knowledge_of(name, self._owners(name)) == "knows":
                return _RANK["knows"], name
        if self._substitutes and not named and not mapped and knowledge == "refuses":
            for name in equivalents(model):
                if endpoint.knowledge_of(name, ()) == "knows":
                    return _RANK["knows"], name
        return _RANK[knowledge], model

    def _named(self, endpoint: Endpoint, model: str, owners: tuple[str, ...]) -> Knowledge:
        """A provider that is named has the model, unless its list is closed."""
        return "refuses" if endpoint.closed and endpoint.knowledge_of(model, owners) == "refuses" else "knows"

    def _foreign_target(self, entry: Entry, call: Call, model: str, asked_in: Wire, other: Wire) -> Target:
        endpoint = entry.endpoint
        site = endpoint.sites[other.dialect, other.operation]
        suffix = other.stream_suffix if call.stream else other.suffix
        known = endpoint.find_model(model) if model else None
        facts = TargetFacts(
            model=model,
            max_output=known.max_output if known else 0,
            vision=known.vision if known else None,
            tools=known.tools if known else None,
            provider=endpoint.name,
        )
        ask_usage = call.stream and endpoint.stream_usage == "ask"
        way = way_between(asked_in, other, facts, ask_usage=ask_usage)
        url = site.url(suffix, model=endpoint.deployed.get(model, model), streamed=call.stream)
        return self._made(entry, model, site, url, ask_usage=False, way=way)

    def _target(self, entry: Entry, call: Call, model: str) -> Target:
        endpoint = entry.endpoint
        site = _site(endpoint, call, model)
        asked = endpoint.deployed.get(model, model)
        if site is not None:
            url = site.url(call.suffix, call.version, asked, streamed=call.stream)
        else:
            site = next((s for s in endpoint.surfaces if s.dialect == call.dialect), endpoint.surfaces[0])
            url = site.raw_url(call.suffix.replace("{model}", quote(asked, safe="")), call.version)
        ask_usage = (
            call.stream
            and not call.wants_usage
            and call.dialect == "openai"
            and call.operation in ("chat", "completions")
            and endpoint.stream_usage == "ask"
        )
        return self._made(entry, model, site, url, ask_usage=ask_usage, way=None)

    def _made(
        self, entry: Entry, model: str, site: Site, url: str, *, ask_usage: bool, way: Way | WholeWay | None
    ) -> Target:
        endpoint = entry.endpoint
        load, label = self._load_of(endpoint, model)
        facts = endpoint.find_model(model) if model else None
        return Target(
            index=entry.index,
            weight=entry.weight,
            priority=entry.priority,
            endpoint=endpoint,
            site=site,
            url=intern(url),
            model=model,
            label=label,
            load=load,
            context=facts.context if facts else 0,
            ask_usage=ask_usage,
            region=entry.region,
            reply_headers=[
                _reply_header(b"x-gateway-provider", endpoint.name),
                *([_reply_header(b"x-gateway-model", model)] if model else []),
            ],
            way=way,
        )


def _site(endpoint: Endpoint, call: Call, model: str) -> Site | None:
    """Where the call is answered in its own dialect."""
    site = endpoint.sites.get((call.dialect, call.operation))
    return site if site is None or site.takes(model) else None


def _foreign_format(endpoint: Endpoint, asked_in: Wire, named: str, model: str) -> Wire | None:
    """The format to translate to: of the endpoint's first surface that has one, for the first is its native one."""
    for site in endpoint.surfaces:
        if not site.stopgap and site.takes(model):
            for key, other in FORMATS.items():
                same = other is asked_in and not asked_in.differs(named, model)
                if endpoint.sites.get(key) is site and asked_in.becomes(other) and not same:
                    return other
    return None


def _surface_reason(endpoint: Endpoint, call: Call) -> Reason:
    speaks = any(site.dialect == call.dialect for site in endpoint.surfaces)
    return "cannot-serve-operation" if speaks else "dialect"


def _refusal(entry: Entry, model: str, reason: Reason) -> Refusal:
    return Refusal(provider=entry.endpoint.name, model=model, reason=reason, retry_in=None)


@lru_cache(REMEMBERED)
def _reply_header(name: bytes, text: str) -> tuple[bytes, bytes]:
    """Model names come from clients: what a header cannot hold is shown as `?`. Routers share the equal ones."""
    return name, "".join(c if " " <= c <= "~" else "?" for c in text).encode("latin-1")
