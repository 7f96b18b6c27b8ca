"""A decision as `gateway explain` shows it: what was noted of a dry run, each part with its place in the config.

Pure data, and how it is put together. Must not: decide anything; what is looked up here is only where it was said.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.cli.dry_run import Outcome
from gateway.config import spec as sp
from gateway.config.load import Loaded
from gateway.config.origins import Origins
from gateway.config.virtual import lists_of, policies_of, virtual_names, virtual_rules
from gateway.core.exchange import GROUP_OF, Exchange
from gateway.core.trace import CacheNote, ConfigPath, LimitNote, RefusalNote, Retries, RuleNote, TargetNote, Waits

DEFAULT: Final = "default"
CATALOG: Final = "catalog"


class CallerLine(msgspec.Struct, frozen=True):
    """Who asks. None in a list: everything. asks: what the key demands that cannot be tried here."""

    name: str
    team: str
    routers: tuple[str, ...] | None
    models: tuple[str, ...] | None
    providers: tuple[str, ...] | None
    asks: tuple[str, ...]
    place: str


class TargetLine(msgspec.Struct, frozen=True):
    """A target that may be asked. turn: the how manieth it is, 0 for never. via: why it is asked for its model;
    via_place: where that is said. key: with which it is asked."""

    turn: int
    note: TargetNote
    key: str
    via: str
    via_place: str
    place: str


class RefusalLine(msgspec.Struct, frozen=True):
    note: RefusalNote
    place: str


class RuleLine(msgspec.Struct, frozen=True):
    """A rule of a virtual model that was tried."""

    note: RuleNote
    place: str


class LimitLine(msgspec.Struct, frozen=True):
    note: LimitNote
    place: str


class Told(msgspec.Struct, frozen=True):
    """What the client gets instead of an answer."""

    status: int
    code: str
    message: str
    retry_after: float | None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One request, decided. rule: of a virtual model, that chose the targets, or ``. serves: somebody would be asked,
    or the gateway answers itself. tokens: input, output. said: the client has bounded the output. cost: of the first
    target, in nano-USD. optimize_for: what the client would rather have, or the router does; heard: the router looks at
    it."""

    router: str
    router_place: str
    config: str
    dialect: str
    operation: str
    model: str
    stream: bool
    caller: CallerLine
    rule: str
    rules: tuple[RuleLine, ...]
    limits: tuple[LimitLine, ...]
    cache: CacheNote | None
    cache_place: str
    tokens: tuple[int, int]
    said: bool
    optimize_for: str
    optimize_for_place: str
    heard: bool
    strategy: str
    strategy_place: str
    waits: Waits | None
    waits_place: str
    retries: Retries | None
    retries_place: str
    on_loss: str
    on_loss_place: str
    targets: tuple[TargetLine, ...]
    refused: tuple[RefusalLine, ...]
    missing_keys: tuple[str, ...]
    assumed_keys: bool
    at_fault: dict[str, str]
    serves: bool
    error: Told | None


def decision_of(
    loaded: Loaded,
    outcome: Outcome,
    *,
    key: str,
    faults: dict[str, str],
    assumed_keys: bool,
    optimize_for: str = "",
) -> Decision:
    """faults: as they were given. optimize_for: what the arguments ask for."""
    exchange, trace, error = outcome.exchange, outcome.trace, outcome.error
    places = _Places(loaded, exchange, trace.chosen)
    estimate = trace.estimate
    allowed = places.optimize_for
    usual = (allowed.default or "") if allowed is not None else optimize_for
    wish = exchange.optimize_for or usual
    return Decision(
        router=exchange.router,
        router_place=places.at(places.base),
        config=loaded.hash,
        dialect=exchange.call.dialect,
        operation=exchange.call.operation,
        model=exchange.call.model,
        stream=exchange.call.stream,
        caller=_caller(loaded, places, key),
        rule=exchange.rule,
        rules=tuple(RuleLine(note, places.at(note.path)) for note in trace.rules),
        limits=tuple(LimitLine(note, places.at(note.path)) for note in trace.limits),
        cache=trace.cache,
        cache_place=places.policy("cache"),
        tokens=(estimate.input, estimate.output),
        said=estimate.said,
        optimize_for=wish,
        optimize_for_place=places.policy("optimize-for"),
        heard=allowed is not None,
        strategy=trace.strategy,
        strategy_place=places.policy("optimize-for")
        if wish and allowed is not None
        else places.at((*places.balance, "strategy")),
        waits=trace.waits,
        waits_place=places.policy("timeouts"),
        retries=trace.retries,
        retries_place=places.policy("retries"),
        on_loss=places.on_loss,
        on_loss_place=places.policy("on-loss"),
        targets=_targets(places, exchange, trace.targets),
        refused=tuple(RefusalLine(note, places.of_provider(note.provider, note.model)) for note in trace.refused),
        missing_keys=trace.missing,
        assumed_keys=assumed_keys,
        at_fault=faults,
        serves=error is None,
        error=None if error is None else Told(error.status, error.code, error.message, error.retry_after),
    )


class _Places:
    """Where the config says what. base: of the route; balance: of what spreads this kind of request. chosen: where the
    list stands that a rule has chosen, empty where none has."""

    def __init__(self, loaded: Loaded, exchange: Exchange, chosen: ConfigPath) -> None:
        self._origins: Final[Origins] = loaded.origins
        spec = loaded.spec
        name = exchange.router
        self._router = sp.Router() if name.startswith("/") else spec.routers[name]
        self.base: Final[ConfigPath] = ("unified-api",) if name == "/ai" else ("routers", name)
        if name == "/ai":
            self._router = spec.unified_api
        self._global = spec.global_
        self._model = exchange.call.model
        given = self._router.load_balance
        group = GROUP_OF[exchange.call.operation]
        if given is not None and getattr(given, group) is None:
            group = "default"
        self.balance: Final[ConfigPath] = chosen or (*self.base, "load-balance", group)
        listed: sp.Balance | None = None if given is None or chosen else getattr(given, group)
        self._entries: list[tuple[sp.Target, ConfigPath]] = []
        if chosen:
            self._entries += [(_as_target(item), place) for place, item in _entries_of(spec, chosen)]
        elif listed is not None:
            for kind in ("providers", "models"):
                for at, item in enumerate(getattr(listed, kind) or ()):
                    self._entries.append((_as_target(item), (*self.balance, kind, at)))
        self.optimize_for: Final = self._router.optimize_for
        self.on_loss = self._router.on_loss or self._global.on_loss or "allow"

    def at(self, path: ConfigPath) -> str:
        """`routers.yaml:12`; `default` where the config is silent."""
        if not path:
            return DEFAULT
        if self._origins.node(path) is not None:
            return self._origins.key_place(path).rpartition(":")[0]
        if path[:2] == ("auth", "keys") and self._origins.node(("auth", "keys-file")) is not None:
            # Keys of that file stand behind those of the config.
            return self.at(("auth", "keys-file"))
        return DEFAULT

    def policy(self, name: str) -> str:
        """Of a policy that a route has of its own, or from `global`."""
        own = (*self.base, name)
        return self.at(own if self._origins.node(own) is not None else ("global", name))

    def of_index(self, index: int) -> str:
        return self.at(self._entries[index][1]) if index < len(self._entries) else DEFAULT

    def of_provider(self, provider: str, model: str) -> str:
        """Of the first entry that may be meant."""
        named = [entry for entry in self._entries if entry[0].provider.partition("/")[0] == provider]
        exact = [entry for entry in named if _model_of(entry[0]) == model]
        found = exact or named
        return self.at(found[0][1]) if found else DEFAULT

    def via(self, note: TargetNote) -> tuple[str, str]:
        """Why a target is asked for its model, and where that is said."""
        if note.index < len(self._entries) and _model_of(self._entries[note.index][0]):
            return "named here", self.of_index(note.index)
        asked = self._model
        if note.model in (asked, asked.removeprefix(f"{note.provider}/")):
            return "as asked", ""
        for name in (asked, asked.partition("/")[2]):
            if name in (self._router.model_mappings or {}):
                return "mapped", self.at((*self.base, "model-mappings", name))
            if name in (self._global.model_mappings or {}):
                return "mapped", self.at(("global", "model-mappings", name))
        return "equivalent", CATALOG


def _as_target(item: sp.Target | str) -> sp.Target:
    return sp.Target(provider=item) if isinstance(item, str) else item


def _entries_of(spec: sp.Spec, chosen: ConfigPath) -> tuple[tuple[ConfigPath, sp.Target | str], ...]:
    """The targets of the list that stands there."""
    for path, policies in policies_of(spec):
        names = virtual_names(spec, policies)
        for _, at, rule in virtual_rules(path, policies):
            for listing in lists_of(at, rule, names):
                if listing.path == chosen:
                    return listing.entries
    return ()


def _model_of(target: sp.Target) -> str:
    return target.model or target.provider.partition("/")[2]


def _targets(places: _Places, exchange: Exchange, notes: tuple[TargetNote, ...]) -> tuple[TargetLine, ...]:
    """Those that are asked, in their order, then the others."""
    turns: dict[tuple[str, str], tuple[int, str]] = {}
    for attempt in exchange.attempts:
        turns.setdefault((attempt.provider, attempt.model), (len(turns) + 1, attempt.key))
    lines = []
    for note in notes:
        # Of two entries that are one target the first is meant.
        turn, key = turns.pop((note.provider, note.model), (0, ""))
        via, via_place = places.via(note)
        lines.append(TargetLine(turn, note, key, via, via_place, places.of_index(note.index)))
    return tuple(sorted(lines, key=lambda line: line.turn or len(lines) + 1))


def _caller(loaded: Loaded, places: _Places, name: str) -> CallerLine:
    auth = loaded.spec.auth
    for at, key in enumerate(auth.keys):
        if name and key.name == name:
            asks = []
            if key.networks is not None:
                asks.append(f"calls from {', '.join(key.networks)}")
            if key.signing is not None:
                asks.append(f"signatures: {key.signing}")
            if key.expires is not None:
                asks.append(f"good until {key.expires}")
            place = places.at(("auth", "keys", at))
            return CallerLine(key.name, key.team or "", key.routers, key.models, key.providers, tuple(asks), place)
    return CallerLine("", "", None, None, None, (), places.at(("auth", "mode")))
