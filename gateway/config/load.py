"""From routers.yaml on disk to a Spec.

Structure alone is judged here: that it is YAML, that references stand for something, and that it
has the shape of the Spec. What the file means is judged in check.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.config import problem
from gateway.config.documents import read_documents
from gateway.config.origins import Origins
from gateway.config.problem import ConfigError, Problem, dotted, in_order
from gateway.config.references import References, UnresolvedError
from gateway.config.scalars import plain_scalar
from gateway.config.spec import Spec
from gateway.config.tree import Node, Plain


class Absent(msgspec.Struct, frozen=True):
    """A provider key that is not there because its environment variable is not set. path: the
    entry in the document."""

    path: problem.Path
    variable: str


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """A config whose structure is sound.

    files: every file read, those that `${file:...}`, `keys-file` and `jwks-file` name included: what a
    watcher watches. hash: 12 hex digits of the effective document, references as written, so that it
    tells configs apart and no secret. absent: keys of providers that the environment does not have; they are not in
    the spec. variables: the names of environment variables that are set and not empty. warnings:
    what was odd on the way.
    """

    spec: Spec
    files: tuple[Path, ...]
    hash: str
    origins: Origins
    absent: tuple[Absent, ...]
    variables: frozenset[str]
    warnings: tuple[Problem, ...]


class Reading(msgspec.Struct, frozen=True, eq=False):
    """What could be made of a file. loaded: of its sound parts, so that rules can be asked about
    them before the others are mended; None where nothing was left. broken: the parts left out."""

    loaded: Loaded | None
    problems: tuple[Problem, ...]
    broken: tuple[problem.Path, ...]


def load(path: Path, env: Mapping[str, str] = os.environ) -> Loaded:
    """Read `path`, its includes and its references. ConfigError with every problem of structure."""
    reading = read(path, env)
    if reading.loaded is None or any(found.level == "error" for found in reading.problems):
        raise ConfigError(in_order(reading.problems))
    return reading.loaded


def read(path: Path, env: Mapping[str, str] = os.environ) -> Reading:
    """As `load`, but what is sound survives. ConfigError where there is no YAML to speak of."""
    joined = read_documents(path)
    origins = Origins(joined.root)
    written = joined.root.plain()
    resolver = _Resolver(origins, References(env))
    document = resolver.resolve(joined.root, ())
    spec, found = converted(document, origins)
    for place in resolver.unresolved:
        found.pop(place, None)
    problems = (*joined.problems, *resolver.problems, *found.values())
    broken = (*found, *resolver.unresolved)
    if spec is None:
        spec, broken = sound(document, broken, origins)
    if spec is None:
        return Reading(None, problems, broken)
    spec, key_files = _with_key_files(spec, path.parent)
    loaded = Loaded(
        spec=spec,
        files=(*joined.files, *dict.fromkeys((*resolver.references.read_files, *key_files))),
        hash=_digest(written),
        origins=origins,
        absent=tuple(resolver.absent),
        variables=frozenset(name for name, value in env.items() if value),
        warnings=problems,
    )
    return Reading(loaded, problems, broken)


def _with_key_files(spec: Spec, folder: Path) -> tuple[Spec, list[Path]]:
    """The spec with the files of issuers' keys as they are found from anywhere, and those files."""
    files = [folder / issuer.jwks_file for issuer in spec.auth.jwt if issuer.jwks_file is not None]
    if not files:
        return spec, files
    jwt = tuple(
        issuer
        if issuer.jwks_file is None
        else msgspec.structs.replace(issuer, jwks_file=str(folder / issuer.jwks_file))
        for issuer in spec.auth.jwt
    )
    return msgspec.structs.replace(spec, auth=msgspec.structs.replace(spec.auth, jwt=jwt)), files


def converted(document: object, origins: Origins) -> tuple[Spec | None, dict[problem.Path, Problem]]:
    """A document as the spec has it, or what is wrong with its structure, by place."""
    try:
        return msgspec.convert(document, Spec, strict=True), {}
    except msgspec.ValidationError as error:
        # Only now: importing a schema validator costs more than reading most configs.
        from gateway.config.structure import structure_problems

        return None, structure_problems(document, origins, str(error))


def sound(
    document: object, broken: tuple[problem.Path, ...], origins: Origins
) -> tuple[Spec | None, tuple[problem.Path, ...]]:
    """What is left of a document without its broken parts, and all that had to go: a mapping that has lost a key that
    it must have goes with it."""
    while True:
        spec, found = converted(without(document, broken), origins)
        more = [path for path in found if path not in broken]
        if spec is not None or not more:
            return spec, broken
        broken = (*broken, *more)


def without(document: object, broken: Sequence[problem.Path]) -> object:
    """A copy of `document` without those parts. Of a list only what stands before the first of them is left, so that
    it keeps its place; none of it where that is nothing."""
    if () in broken or not isinstance(document, dict):
        return {}
    copy = dict(document)
    for key, child in document.items():
        below = [path[1:] for path in broken if path[0] == key]
        indices = [path[0] for path in below if path and isinstance(path[0], int)]
        if any(not path for path in below) or 0 in indices or (indices and not isinstance(child, list)):
            del copy[key]
        elif indices:
            copy[key] = child[: min(indices)]
        elif below:
            copy[key] = without(child, below)
    return copy


def _digest(written: Plain) -> str:
    """Splitting a file or reordering its keys changes nothing that is served, nor this."""
    if isinstance(written, dict):
        written = {key: value for key, value in written.items() if key != "include"}
    return hashlib.sha256(msgspec.json.encode(written, order="sorted")).hexdigest()[:12]


_DROPPED: Final = object()


class _Resolver:
    """Plain values with references replaced."""

    def __init__(self, origins: Origins, references: References) -> None:
        self.references: Final = references
        self.problems: Final[list[Problem]] = []
        self.unresolved: Final[list[problem.Path]] = []
        self.absent: Final[list[Absent]] = []
        self._origins: Final = origins

    def resolve(self, node: Node, path: problem.Path) -> object:
        value = node.value
        if type(value) is dict:
            return {key: self.resolve(child, (*path, key)) for key, child in value.items()}
        if type(value) is list:
            if _is_key_list(path):
                entries = (self._key_entry(child, (*path, index)) for index, child in enumerate(value))
                return [entry for entry in entries if entry is not _DROPPED]
            return [self.resolve(child, (*path, index)) for index, child in enumerate(value)]
        if type(value) is str and "${" in value:
            return self._text(node, value, path)
        return value

    def _text(self, node: Node, text: str, path: problem.Path) -> object:
        try:
            resolved = self._look_up(node, text)
        except UnresolvedError as error:
            self._report(error, node, path)
            return text
        # `port: ${env:PORT}` is the number that it would be had it been written there.
        return resolved if node.quoted or "\n" in resolved else plain_scalar(resolved.strip())

    def _look_up(self, node: Node, text: str) -> str:
        return self.references.resolve(text, Path(node.mark.file).parent)

    def _key_entry(self, node: Node, path: problem.Path) -> object:
        """A credential, or the mapping that has one: always text, and allowed to be absent."""
        if isinstance(node.value, dict) and "value" not in node.value:
            return self._lent_key_entry(node.value, path)
        holder = node.value.get("value") if isinstance(node.value, dict) else node
        if holder is None or not isinstance(holder.value, str) or "${" not in holder.value:
            return self.resolve(node, path)
        where = path if holder is node else (*path, "value")
        try:
            credential = self._look_up(holder, holder.value)
        except UnresolvedError as error:
            if not error.variable:
                self._report(error, holder, where)
                return _DROPPED
            self.absent.append(Absent(path, error.variable))
            return _DROPPED
        if not credential:
            self.problems.append(self._origins.error("key-empty", where, "the key is empty"))
            return _DROPPED
        if holder is node or not isinstance(node.value, dict):
            return credential
        others = {key: self.resolve(child, (*path, key)) for key, child in node.value.items() if key != "value"}
        return {**others, "value": credential}

    def _lent_key_entry(self, members: dict[str, Node], path: problem.Path) -> object:
        """A mapping whose credential has parts, as in `azure: {tenant: ..., secret: ...}`: each of them text, and the
        whole absent where one is."""
        found: dict[str, object] = {}
        for key, child in members.items():
            if key not in _LENT or not isinstance(child.value, dict):
                found[key] = self.resolve(child, (*path, key))
                continue
            parts: dict[str, object] = {}
            for name, part in child.value.items():
                where = (*path, key, name)
                if not isinstance(part.value, str) or "${" not in part.value:
                    parts[name] = self.resolve(part, where)
                    continue
                try:
                    parts[name] = self._look_up(part, part.value)
                except UnresolvedError as error:
                    if error.variable:
                        self.absent.append(Absent(path, error.variable))
                    else:
                        self._report(error, part, where)
                    return _DROPPED
            found[key] = parts
        return found

    def _report(self, error: UnresolvedError, node: Node, path: problem.Path) -> None:
        self.unresolved.append(path)
        self.problems.append(Problem("error", error.code, str(node.mark), dotted(path), error.message, error.hint))


_LENT: Final = ("google", "azure", "aws")


def _is_key_list(path: problem.Path) -> bool:
    return len(path) >= 3 and path[-1] == "keys" and path[0] in ("providers", "routers", "unified-api")
