"""Google's OpenAPI subset of a schema as JSON Schema.

Requests carry schemas in two ways: `parametersJsonSchema` and `responseJsonSchema` are JSON Schema and pass as they
came; `parameters` and `responseSchema` have upper-case types, `nullable`, 64-bit integers as strings and members in
either spelling. Only this way is needed: what is written for Gemini is always JSON Schema.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from gateway.dialects.gemini.fields import camel

_COUNTS: Final = frozenset(
    ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
)  # fmt: skip
_NAMED: Final = {"defs": "$defs", "ref": "$ref", "example": "examples"}


def json_schema(raw: msgspec.Raw) -> msgspec.Raw:
    """The schema as JSON Schema. Raises msgspec.ValidationError where it is no object, RecursionError where it is
    nested beyond reason."""
    return msgspec.Raw(msgspec.json.encode(_converted(msgspec.json.decode(raw, type=dict[str, object]))))


def _converted(schema: dict[str, object]) -> dict[str, object]:
    out: dict[str, object] = {}
    order: list[str] = []
    nullable = False
    for name, value in schema.items():
        key = camel(name)
        key = _NAMED.get(key, key)
        match key:
            case "type":
                if isinstance(value, str) and value != "TYPE_UNSPECIFIED":
                    out[key] = value.lower()
                elif isinstance(value, list):
                    out[key] = [one.lower() if isinstance(one, str) else one for one in value]
            case "nullable":
                nullable = value is True
            case "propertyOrdering":
                order = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
            case "items" | "additionalProperties":
                out[key] = _one(value)
            case "anyOf" | "oneOf" | "allOf" | "prefixItems":
                out[key] = [_one(one) for one in value] if isinstance(value, list) else value
            case "properties" | "$defs":
                out[key] = {inner: _one(one) for inner, one in value.items()} if isinstance(value, dict) else value
            case "examples":
                out[key] = value if isinstance(value, list) else [value]
            case _:
                out[key] = int(value) if key in _COUNTS and isinstance(value, str) and value.isdecimal() else value
    properties = out.get("properties")
    if order and isinstance(properties, dict):
        # A model writes the members of an object in the order of the schema.
        ranked = {name: properties[name] for name in order if name in properties}
        out["properties"] = {**ranked, **properties}
    return _with_null(out) if nullable else out


def _one(value: object) -> object:
    return _converted(cast("dict[str, object]", value)) if isinstance(value, dict) else value


def _with_null(schema: dict[str, object]) -> dict[str, object]:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
        values = schema.get("enum")
        if isinstance(values, list) and None not in values:
            schema["enum"] = [*values, None]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*cast("list[object]", schema["anyOf"]), {"type": "null"}]
    return schema
