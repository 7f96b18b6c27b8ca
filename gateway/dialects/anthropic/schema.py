"""A JSON Schema made into one that Anthropic's structured output accepts.

It wants every object closed, and refuses constraints on numbers, lengths and most counts. What it refuses is moved into
the description, where the model still reads it. Pure; a schema that cannot be read is passed on as it is.

Source: platform.claude.com/docs/en/build-with-claude/structured-outputs, JSON Schema limitations; 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

_REFUSED: Final = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "minProperties", "maxProperties", "contains", "minContains", "maxContains",
    }
)  # fmt: skip
_DEPTH: Final = 64


def closed(schema: msgspec.Raw) -> tuple[msgspec.Raw, bool]:
    """The schema as it is accepted, and whether anything had to be changed."""
    try:
        tree: object = msgspec.json.decode(schema)
        changed = _close(tree, 0)
        return (msgspec.Raw(msgspec.json.encode(tree)), True) if changed else (schema, False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return schema, False


def _close(node: object, depth: int) -> bool:
    if depth > _DEPTH:
        return False
    if isinstance(node, list):
        return _close_all(node, depth)
    if not isinstance(node, dict):
        return False
    changed = False
    if _is_object(node) and node.get("additionalProperties") is not False:
        node["additionalProperties"] = False
        changed = True
    refused = {name: node.pop(name) for name in list(node) if name in _REFUSED}
    if isinstance(node.get("minItems"), int) and node["minItems"] > 1:
        refused["minItems"] = node.pop("minItems")
    if refused:
        said = ", ".join(f"{name}: {value}" for name, value in refused.items())
        described = node.get("description")
        node["description"] = f"{described} ({said})" if isinstance(described, str) and described else said
        changed = True
    for name in ("items", "not", "anyOf", "oneOf", "allOf", "prefixItems"):
        changed = _close(node.get(name), depth + 1) or changed
    for name in ("properties", "$defs", "definitions"):
        inner = node.get(name)
        if isinstance(inner, dict):
            changed = _close_all(inner.values(), depth) or changed
    return changed


def _close_all(nodes: Iterable[object], depth: int) -> bool:
    changed = False
    for node in nodes:
        changed = _close(node, depth + 1) or changed
    return changed


def _is_object(node: dict[object, object]) -> bool:
    kind = node.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or ("properties" in node and kind is None)
