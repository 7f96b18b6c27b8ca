from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from gateway.upstream.echo_reply import make_example


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({}, {}),
        (True, None),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "xxxxxx"),
        ({"type": "string", "enum": ["c", "f"]}, "c"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 3}, 3),
        ({"type": "integer"}, 1),
        ({"type": "number", "minimum": 2.5}, 2.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["text", "text"]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]}},
                "required": ["a"],
            },
            {"a": {"b": True}},
        ),
        (
            {
                "$defs": {"Unit": {"enum": ["c", "f"]}},
                "type": "object",
                "properties": {"unit": {"$ref": "#/$defs/Unit"}},
                "required": ["unit"],
            },
            {"unit": "c"},
        ),
    ],
)
def test_the_smallest_value_that_a_schema_allows(schema: Any, example: object) -> None:
    assert make_example(schema) == example
    jsonschema.validate(example, schema)


def test_a_schema_that_contains_itself_ends() -> None:
    schema: Any = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    depth, value = 0, make_example(schema)
    while isinstance(value, dict):
        depth, value = depth + 1, value["next"]
    assert depth > 1
    assert value is None


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/Missing"}, {"type": "array", "items": 3, "minItems": 1}])
def test_a_schema_that_is_wrong_is_no_error(schema: Any) -> None:
    make_example(schema)
