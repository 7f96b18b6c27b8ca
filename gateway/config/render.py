"""The effective config: includes joined, `global` handed down, defaults filled in, and where each value is from.

It is made from what the files say, with references as they were written: no value of the environment or of a file of
secrets is ever in it, and a credential that was typed into the file is masked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Final

import msgspec

from gateway.config.check_secrets import is_secret
from gateway.config.load import Loaded
from gateway.config.problem import Path
from gateway.config.scalars import Scalar
from gateway.config.spec import Policies, Provider, Retries, Spec, Timeouts
from gateway.config.tree import Mark, Node

DEFAULT: Final = "default"
MASK: Final = "***"
_FILE: Final = re.compile(r"(?<!\$)\$\{file:([^/}][^}]*)\}")
_HANDED_DOWN: Final = ("cache", "retries", "timeouts", "on_disconnect", "on_loss", "prompt_cache", "privacy")
_NAMED: Final = (("model_mappings", "model-mappings"), ("virtual_models", "virtual-models"))
"""What a route has beside that of `global`, name by name: field and key."""
_UNSAID: Final[Mapping[str, object]] = {
    "retries": Retries(), "timeouts": Timeouts(), "on_disconnect": "cancel", "on_loss": "allow", "prompt_cache": "none",
}  # fmt: skip
"""What holds where neither a route nor `global` says anything. Without `cache` there is none."""


class Value(msgspec.Struct, frozen=True):
    """A scalar, a list or a mapping. origin: `file:line`, or `default`. quoted: text that is not to be read as anything
    else, as in the file."""

    value: Scalar | list[Value] | dict[str, Value]
    origin: str
    quoted: bool = False

    def plain(self) -> object:
        """The values alone."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def effective(loaded: Loaded) -> Value:
    """What `loaded` comes to, as a document that means the same by itself.

    `include` and `auth.keys-file` are gone: what they name is in it. It is to be kept in the folder of the main file,
    where relative paths in it start.
    """
    return _Rendering(loaded).document()


class _Rendering:
    def __init__(self, loaded: Loaded) -> None:
        self._spec: Final = loaded.spec
        self._root: Final = loaded.origins.root
        self._folder: Final = FilePath(self._root.mark.file).parent

    def document(self) -> Value:
        spec, root = self._spec, self._root
        made: dict[str, Value] = {}
        for field, name in _fields(Spec):
            if field == "include":
                continue
            node, value = _member(root, name), getattr(spec, field)
            if field == "global_":
                made[name] = self._route(Policies(), None, (name,))
            elif field == "unified_api":
                made[name] = self._route(spec.unified_api, node, (name,))
            elif field == "routers":
                routers = {key: self._route(one, _member(node, key), (name, key)) for key, one in value.items()}
                made[name] = Value(routers, _origin(node))
            elif field == "providers":
                tuned = {
                    key: self._struct(one or Provider(), _member(node, key), (name, key)) for key, one in value.items()
                }
                if tuned:
                    made[name] = Value(tuned, _origin(node))
            elif (rendered := self._any(value, node, (name,))) is not None:
                made[name] = rendered
        return Value(made, _origin(root))

    def _route(self, route: Policies, node: Node | None, path: Path) -> Value:
        outer, above = self._spec.global_, _member(self._root, "global")
        made = self._struct(route, node, path).value
        assert isinstance(made, dict)
        for field, name in _fields(Policies):
            if name in made:
                continue
            if field in _HANDED_DOWN or path == ("global",):
                said = getattr(outer, field)
                value = _UNSAID.get(field) if said is None else said
                rendered = self._any(value, _member(above, name), ("global", name))
                if rendered is not None:
                    made[name] = rendered
        for field, name in _NAMED:
            meanings = getattr(outer, field)
            if meanings and path != ("global",):
                inherited = self._any(meanings, _member(above, name), ("global", name))
                own = made.get(name)
                assert inherited is not None
                assert isinstance(inherited.value, dict)
                more = own.value if own is not None and isinstance(own.value, dict) else {}
                made[name] = Value({**inherited.value, **more}, (own or inherited).origin)
        order = [name for _, name in _fields(type(route))]
        return Value({name: made[name] for name in order if name in made}, _origin(node))

    def _struct(self, value: msgspec.Struct, node: Node | None, path: Path) -> Value:
        made: dict[str, Value] = {}
        for field, name in _fields(type(value)):
            if (*path, name) == ("auth", "keys-file"):
                continue
            rendered = self._any(getattr(value, field), _member(node, name), (*path, name))
            if rendered is not None:
                made[name] = rendered
        return Value(made, _origin(node))

    def _any(self, value: object, node: Node | None, path: Path) -> Value | None:
        """None for what is not there: a default of nothing, or an empty one."""
        if isinstance(value, msgspec.Struct):
            return self._struct(value, node if node is not None and isinstance(node.value, dict) else None, path)
        if node is not None:
            return self._written(node, path, value)
        if value is None or value == () or value == {}:
            return None
        return _default(value)

    def _written(self, node: Node, path: Path, value: object) -> Value | None:
        """What the file says. value: what became of it, for the defaults of what is in it."""
        inside = node.value
        if isinstance(inside, dict):
            known = value if isinstance(value, dict) else {}
            members = {key: self._any(known.get(key), child, (*path, key)) for key, child in inside.items()}
            return Value({key: child for key, child in members.items() if child is not None}, _origin(node))
        if isinstance(inside, list):
            # Entries whose credential is not there are left out of what became of a list: then none can be told.
            entries = value if isinstance(value, tuple) and len(value) == len(inside) else (None,) * len(inside)
            items = [
                self._any(entry, child, (*path, index))
                for index, (entry, child) in enumerate(zip(entries, inside, strict=True))
            ]
            return Value([item for item in items if item is not None], _origin(node))
        if inside is None:
            return None
        if not isinstance(inside, str):
            return Value(inside, _origin(node))
        if is_secret(path, inside):
            return Value(MASK, _origin(node), quoted=True)
        return Value(self._from_here(inside, node.mark), _origin(node), node.quoted)

    def _from_here(self, text: str, mark: Mark) -> str:
        """With the files that an included file refers to as the main file would."""
        folder = FilePath(mark.file).parent
        if folder == self._folder or "${file:" not in text:
            return text
        return _FILE.sub(lambda found: f"${{file:{os.path.relpath(folder / found[1], self._folder)}}}", text)


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """Of each field its name here and in the file."""
    return tuple((field.name, field.encode_name) for field in msgspec.structs.fields(kind))


def _default(value: object) -> Value:
    plain = msgspec.to_builtins(value)
    if isinstance(plain, dict):
        return Value({key: _default(child) for key, child in plain.items()}, DEFAULT)
    if isinstance(plain, list | tuple):
        return Value([_default(child) for child in plain], DEFAULT)
    assert plain is None or isinstance(plain, str | int | float)
    return Value(plain, DEFAULT)


def _member(node: Node | None, key: str) -> Node | None:
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _origin(node: Node | None) -> str:
    return DEFAULT if node is None else f"{node.mark.file}:{node.mark.line}"
