"""A rendered config as YAML: block style, one value a line, its origin behind it as a comment.

Made here and not by the YAML library, whose writer has no comments and quotes by the rules of YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.render import Value
from gateway.config.scalars import Scalar, plain_scalar

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*|[0-9]+(?:\.[0-9]+)?[A-Za-z]+")
_REFERENCE: Final = re.compile(r"(?!.*(?:: | #|:$))[A-Za-z0-9_./$][^\x00-\x1f\x7f-\x9f\ufeff]*(?<! )")
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_OLD_WORDS: Final = frozenset(("y", "n", "yes", "no", "on", "off"))
"""What other readers of YAML take for `true` and `false`."""


def yaml_text(value: Value, *, origins: bool = False) -> str:
    """The document. Equal values have equal text."""
    return "".join(f"{line}\n" for line in _lines(value, "", origins=origins))


def _lines(value: Value, indent: str, *, origins: bool) -> Iterator[str]:
    if isinstance(value.value, dict):
        for key, child in value.value.items():
            name = f"{indent}{_text(key)}:"
            if _is_block(child):
                yield name
                # A list stands below its key without further indentation, as most people write it.
                deeper = indent if isinstance(child.value, list) else indent + "  "
                yield from _lines(child, deeper, origins=origins)
            else:
                yield f"{name} {_flat(child)}{_comment(child, origins=origins)}"
    elif isinstance(value.value, list):
        for child in value.value:
            if _is_block(child):
                first, *others = _lines(child, indent + "  ", origins=origins)
                yield f"{indent}- {first[len(indent) + 2 :]}"
                yield from others
            else:
                yield f"{indent}- {_flat(child)}{_comment(child, origins=origins)}"


def _is_block(value: Value) -> bool:
    return isinstance(value.value, dict | list) and bool(value.value)


def _flat(value: Value) -> str:
    if isinstance(value.value, dict):
        return "{}"
    if isinstance(value.value, list):
        return "[]"
    return _scalar(value.value, quoted=value.quoted)


def _scalar(value: Scalar, *, quoted: bool) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    # Without quotes it is read as what it stands for, which may be a number.
    if not quoted and "${" in value and _REFERENCE.fullmatch(value):
        return value
    return _text(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _OLD_WORDS and plain_scalar(text) == text:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else _ESCAPES.get(character, f"\\U{ord(character):08X}")


def _comment(value: Value, *, origins: bool) -> str:
    return f"  # {value.origin}" if origins else ""
