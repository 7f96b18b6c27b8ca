"""What the semantic rules are asked about: a loaded config, seen through the catalog.

A rule is a function from a Subject to the problems it finds. Rules stand in the modules named
check_*.py, by what they are about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from gateway.config.load import Loaded
from gateway.config.price_book import price_book
from gateway.config.problem import Path, Problem
from gateway.config.spec import Balance, Policies, Provider, Router, Spec, Target
from gateway.config.virtual import lists_of, policies_of, virtual_names, virtual_rules
from gateway.core.exchange import GROUP_OF, Group, Operation
from gateway.providers.catalog import CATALOG, GENERIC_SURFACES
from gateway.providers.row import Row

GROUPS: Final[tuple[Group, ...]] = ("chat", "embeddings", "images", "audio", "moderations", "rerank", "default")
MODEL_STRATEGIES: Final = ("model-weighted", "model-latency", "model-cost")
_VARIABLE: Final = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


class Entry(msgspec.Struct, frozen=True):
    """One target of a router's list. model: empty where the entry names none."""

    path: Path
    provider: str
    model: str
    target: Target


class Listed(msgspec.Struct, frozen=True):
    """A balance with its entries, from `providers` or `models`, whichever was given. route: where the route stands
    that has it. virtual: the virtual model whose rules lead to it, or ``."""

    path: Path
    group: Group
    balance: Balance
    entries: tuple[Entry, ...]
    route: Path
    virtual: str = ""


class Known(msgspec.Struct, frozen=True):
    """A provider that exists: by the catalog, by the file, or by both."""

    name: str
    row: Row | None
    tuned: Provider

    def operations(self) -> frozenset[Operation]:
        """What it can be asked for."""
        if self.tuned.operations is not None:
            return frozenset(self.tuned.operations)
        if self.row is not None and self.tuned.dialect is None:
            return frozenset(name for surface in self.row.surfaces for name in surface.operations)
        surface = GENERIC_SURFACES.get(self.tuned.dialect or "openai")
        return frozenset(surface.operations) if surface else frozenset()

    def serves(self, group: Group) -> bool:
        """Whether any operation of the group is among its own; `default` takes whatever comes."""
        return group == "default" or any(GROUP_OF[operation] == group for operation in self.operations())

    def needs_key(self) -> bool:
        """A provider that only the file knows may well be a server of one's own, and need none."""
        auth = self.tuned.auth or (self.row.auth if self.row else "none")
        return self.row is not None and not self.row.local and auth != "none"

    def variables(self) -> tuple[str, ...]:
        """The environment variables that its key is read from, or a token is had with, when the file gives none."""
        names = self.row.env if self.row else ()
        plurals = tuple(f"{name}S" for name in names if name.endswith("_API_KEY"))
        return (*names, *plurals, *(self.row.lent_by if self.row else ()))

    def origin_variables(self) -> tuple[tuple[str, ...], ...]:
        """What its address depends on and the file does not say: of each the environment variables, any of which
        will do."""
        if self.row is None or self.tuned.base_url:
            return ()
        places = {place.variable: place for place in self.row.places}
        stated = {"project": self.tuned.project, "region": self.tuned.region}
        wanted: list[tuple[str, ...]] = []
        for variable in dict.fromkeys(_VARIABLE.findall(self.row.origin)):
            place = places.get(variable)
            if place is None:
                wanted.append((variable,))
            elif not stated.get(place.setting) and not place.default:
                wanted.append((variable, *place.others))
        return tuple(wanted)


class Subject:
    """A loaded config with its look-ups made once."""

    def __init__(self, loaded: Loaded, now: float | None = None) -> None:
        self.loaded: Final = loaded
        self.now: Final = now
        self.spec: Final[Spec] = loaded.spec
        self.origins: Final = loaded.origins
        self.prices: Final = price_book(loaded.spec)
        self.providers: Final[Mapping[str, Known]] = _known(loaded.spec)
        self.routes: Final[tuple[tuple[Path, Router], ...]] = (
            (("unified-api",), loaded.spec.unified_api),
            *((("routers", name), router) for name, router in loaded.spec.routers.items()),
        )
        """`unified-api` and every router, with where each stands."""
        self.lists: Final[tuple[Listed, ...]] = tuple(
            listed for path, router in self.routes for listed in _lists(path, router)
        ) + tuple(_virtual_lists(loaded.spec))
        self.policies: Final[tuple[tuple[Path, Policies], ...]] = ((("global",), loaded.spec.global_), *self.routes)


Rule = Callable[[Subject], Iterator[Problem]]


def split_target(name: str) -> tuple[str, str]:
    """`openai/gpt-4o` -> (`openai`, `gpt-4o`); `openai` -> (`openai`, ``)."""
    provider, _, model = name.partition("/")
    return provider, model


def listed_providers(spec: Spec) -> set[str]:
    """The providers in routers' lists, by name."""
    routes: list[tuple[Path, Router]] = [(("routers", name), router) for name, router in spec.routers.items()]
    lists = [listed for path, router in routes for listed in _lists(path, router)]
    return {entry.provider for listed in (*lists, *_virtual_lists(spec)) for entry in listed.entries}


def _known(spec: Spec) -> dict[str, Known]:
    known = {name: Known(name, row, Provider()) for name, row in CATALOG.items()}
    for name, tuned in spec.providers.items():
        known[name] = Known(name, CATALOG.get(name), tuned or Provider())
    return known


def _lists(path: Path, router: Router) -> Iterator[Listed]:
    if router.load_balance is None:
        return
    for group in GROUPS:
        balance: Balance | None = getattr(router.load_balance, group)
        if balance is None:
            continue
        here = (*path, "load-balance", group)
        key, targets = ("models", balance.models) if balance.models is not None else ("providers", balance.providers)
        entries = tuple(_entry((*here, key, index), target) for index, target in enumerate(targets or ()))
        yield Listed(here, group, balance, entries, path)


def _virtual_lists(spec: Spec) -> Iterator[Listed]:
    """What rules lead to, but for other virtual models. They are about chat."""
    for path, policies in policies_of(spec):
        if not policies.virtual_models:
            continue
        names = virtual_names(spec, policies)
        for name, at, rule in virtual_rules(path, policies):
            for listing in lists_of(at, rule, names):
                entries = tuple(_entry(place, target) for place, target in listing.entries)
                yield Listed(listing.path, "chat", listing.balance, entries, path, name)


def _entry(path: Path, target: Target | str) -> Entry:
    if isinstance(target, str):
        target = Target(provider=target)
    provider, model = split_target(target.provider)
    return Entry(path, provider, target.model or model, target)
