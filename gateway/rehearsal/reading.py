"""From a `*.test.yaml` on disk to a play: its cases, the config they are about and the environment of each.

What is wrong with either file is told here, with its place. Nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.check import loaded_and_checked
from gateway.config.consumers import may_be_named, names_of
from gateway.config.documents import read_documents
from gateway.config.load import Loaded, read
from gateway.config.origins import Origins
from gateway.config.problem import ConfigError, Problem, in_order
from gateway.config.problem import Path as DocumentPath
from gateway.config.schema import Schema, schema_of
from gateway.config.spec import Spec
from gateway.config.structure import structure_problems
from gateway.config.subject import Subject, listed_providers
from gateway.providers.catalog import CATALOG
from gateway.rehearsal.cases import Case, CaseFile
from gateway.rehearsal.money import consumer_of, windows_of
from gateway.rehearsal.virtual_time import START, WALL

ID: Final = "urn:router-gateway:policy-test.schema.json"
_VARIABLE: Final = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_STATUS: Final = re.compile(r"[1-5](?:[0-9]{2}|xx)")


class Part(msgspec.Struct, frozen=True, eq=False):
    """A case with the config it is played in. place: where it stands."""

    case: Case
    place: str
    loaded: Loaded
    env: Mapping[str, str]


class Play(msgspec.Struct, frozen=True, eq=False):
    """The cases of a file. files: all that was read for it, for whoever watches them. config: of all parts."""

    path: Path
    config: Path
    parts: tuple[Part, ...]
    files: tuple[Path, ...]


def cases_schema() -> Schema:
    """Draft 2020-12."""
    return schema_of(CaseFile, ID, "*.test.yaml", "Unit tests of the policies of a routers.yaml.")


def read_play(path: Path) -> Play:
    """ConfigError with every problem of the file, or else of the config that it names."""
    joined = read_documents(path)
    origins = Origins(joined.root)
    document = joined.root.plain()
    problems = [problem for problem in joined.problems if not _is_status(problem)]
    try:
        file = msgspec.convert(document, CaseFile, strict=True)
    except msgspec.ValidationError as error:
        found = structure_problems(document, origins, str(error), cases_schema())
        raise ConfigError(in_order([*problems, *found.values()])) from None
    config = path.parent / file.config
    if not config.is_file():
        raise ConfigError([origins.error("file-missing", ("config",), "there is no such file")])
    loads: dict[tuple[tuple[str, str], ...], tuple[Loaded, Mapping[str, str]]] = {}
    parts: list[Part] = []
    for number, case in enumerate(file.cases):
        own = {**file.env, **case.env}
        known = tuple(sorted(own.items()))
        if known not in loads:
            named = {name for case in file.cases for name in case.providers}
            made = made_up_environment(config, own, named)
            # The config's own problems come first: nothing can be said about cases of what is not there.
            loads[known] = loaded_and_checked(config, made, START + WALL)[0], made
        loaded, env = loads[known]
        here: DocumentPath = ("cases", number)
        problems += _problems(case, here, loaded, origins)
        parts.append(Part(case, origins.place(here), loaded, env))
    problems += _repeated(file.cases, origins)
    if any(problem.level == "error" for problem in problems):
        raise ConfigError(in_order(problems))
    read_files = dict.fromkeys(file for loaded, _ in loads.values() for file in loaded.files)
    return Play(path, config, tuple(parts), (*joined.files, *read_files))


def made_up_environment(config: Path, own: Mapping[str, str], providers: Collection[str] = ()) -> dict[str, str]:
    """What a config is read with where nobody is asked: the variables that were given, and credentials made up for all
    that it refers to and for every provider that it names, or that is given here. The machine's own environment has no
    part in it."""
    text = msgspec.json.encode(read_documents(config).root.plain()).decode()
    env = {name: _made_up(name) for name in _VARIABLE.findall(text)} | dict(own)
    loaded = read(config, env).loaded
    if loaded is None:
        return env
    for name in sorted({*listed_providers(loaded.spec), *loaded.spec.providers, *providers}):
        row = CATALOG.get(name)
        known = Subject(loaded).providers.get(name)
        if row is None or known is None or known.tuned.keys:
            continue
        variables = known.variables()
        if not any(variable in env for variable in variables) and row.env:
            env[row.env[0]] = _made_up(row.env[0])
    return env


def _made_up(variable: str) -> str:
    if variable.endswith("URL"):
        return "memory://" if re.search("REDIS|STORE|VALKEY", variable) else f"http://{variable.lower()}.test"
    return f"made-up-value-of-{variable.lower().replace('_', '-')}"


def _is_status(problem: Problem) -> bool:
    """Whether it only says that a key is no text where `200` may stand for itself."""
    return problem.code == "key-not-text" and problem.path.endswith("expect.status")


def _repeated(cases: Sequence[Case], origins: Origins) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, case in enumerate(cases):
        first = seen.setdefault(case.name, number)
        if first != number:
            place = origins.place(("cases", first, "name"))
            hint = f"the first is at {place}"
            yield origins.error("defined-twice", ("cases", number, "name"), "this name is used a second time", hint)


def _problems(case: Case, here: DocumentPath, loaded: Loaded, origins: Origins) -> Iterator[Problem]:
    spec = loaded.spec
    if not _expects(case):
        yield origins.error(
            "nothing-expected",
            (*here, "expect"),
            "this case passes whatever happens",
            "say at least one thing, such as `status: {200: 1}`",
        )
    for status in case.expect.status:
        if not _STATUS.fullmatch(status):
            yield origins.error(
                "bad-format",
                (*here, "expect", "status", status),
                f"`{status[:20]}` is not a status",
                "write `200` or `5xx`",
                at_key=True,
            )
    for name, path in _named_providers(case, here):
        if name.partition("/")[0] not in CATALOG and name.partition("/")[0] not in spec.providers:
            yield origins.error("provider-unknown", path, f"there is no provider `{name[:60]}`", at_key=True)
    yield from _problems_of_traffic(case, (*here, "traffic"), spec, origins)
    yield from _problems_of_quotas(case, (*here, "quotas"), spec, origins)
    yield from _problems_of_accounts(case, (*here, "expect", "accounts"), spec, origins)


def _expects(case: Case) -> bool:
    expect = case.expect
    inner = (expect.attempts, expect.latency, expect.limited)
    whole = (
        expect.status, expect.errors, expect.share, expect.calls, expect.spend, expect.cache, expect.breakers,
        expect.keys, expect.received,
    )  # fmt: skip
    return (
        any(whole)
        or any(found is not None and found != type(found)() for found in inner)
        or any(asked.spent is not None or asked.left is not None for asked in expect.accounts)
        or any(reply != type(reply)(request=reply.request) for reply in expect.replies)
    )


def _named_providers(case: Case, here: DocumentPath) -> Iterator[tuple[str, DocumentPath]]:
    for name in case.providers:
        yield name, (*here, "providers", name)
    spent = [name for name in case.expect.spend if name != "total"]
    for section, names in (("share", case.expect.share), ("calls", case.expect.calls), ("spend", spent)):
        for name in names:
            yield name, (*here, "expect", section, name)
    for number, breaker in enumerate(case.expect.breakers):
        yield breaker.target, (*here, "expect", "breakers", number, "target")
    for number, key in enumerate(case.expect.keys):
        yield key.provider, (*here, "expect", "keys", number, "provider")
    for number, received in enumerate(case.expect.received):
        yield received.provider, (*here, "expect", "received", number, "provider")


def _problems_of_traffic(case: Case, here: DocumentPath, spec: Spec, origins: Origins) -> Iterator[Problem]:
    keys = {key.name for key in spec.auth.keys}
    for number, traffic in enumerate(case.traffic):
        path = (*here, number)
        if traffic.router is not None and traffic.router not in spec.routers:
            hint = f"the config has {', '.join(spec.routers) or 'none'}"
            yield origins.error("router-unknown", (*path, "router"), "there is no such router", hint)
        if traffic.key is not None and traffic.key not in keys:
            yield origins.error("key-unknown", (*path, "key"), "there is no gateway key of this name")
        if traffic.rate is not None and traffic.at is not None:
            yield origins.error("both", (*path, "at"), "`rate` and `at` exclude each other")
        if traffic.rate is not None and traffic.for_ is None and traffic.count is None:
            yield origins.error("endless", (*path, "rate"), "this never ends", "give `for` or `count`")
        if traffic.for_ is not None and traffic.rate is None:
            yield origins.error("without-rate", (*path, "for"), "`for` goes with `rate`", at_key=True)


def _problems_of_quotas(case: Case, here: DocumentPath, spec: Spec, origins: Origins) -> Iterator[Problem]:
    if case.quotas is None:
        return
    if spec.quotas is None:
        hint = "the config has no `quotas`"
        yield origins.error("quota-inert", here, "nobody pays in advance here", hint, at_key=True)
        return
    for name in case.quotas:
        consumer = consumer_of(name)
        path = (*here, name)
        if consumer.kind not in spec.quotas.consumers:
            hint = f"`quotas.consumers` of the config: {', '.join(spec.quotas.consumers)}"
            yield origins.error("quota-inert", path, f"no {consumer.kind}'s balance is looked at", hint, at_key=True)
        elif not may_be_named(spec, consumer.kind, consumer.name):
            hint = f"the config has {', '.join(sorted(names_of(spec, consumer.kind))) or 'none'}"
            yield origins.error(
                "consumer-unknown", path, f"there is no {consumer.kind} of this name", hint, at_key=True
            )


def _problems_of_accounts(case: Case, here: DocumentPath, spec: Spec, origins: Origins) -> Iterator[Problem]:
    for number, asked in enumerate(case.expect.accounts):
        path = (*here, number)
        windows = windows_of(spec, asked.of)
        if asked.window is not None and asked.window not in windows:
            said = f"{asked.of[:60]} has no budget of this window"
            hint = f"it has {', '.join(windows) or 'none'}"
            yield origins.error("budget-unknown", (*path, "window"), said, hint)
        elif asked.window is None and asked.of not in (case.quotas or {}):
            said = f"{asked.of[:60]} has no balance in this case"
            hint = f"give one with `quotas`{f', or say `window: {min(windows)}`' if windows else ''}"
            yield origins.error("balance-unknown", (*path, "of"), said, hint)
