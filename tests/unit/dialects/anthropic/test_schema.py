from __future__ import annotations

import json

import msgspec

from gateway.dialects.anthropic.schema import closed


def _closed(schema: object) -> tuple[object, bool]:
    raw, changed = closed(msgspec.Raw(json.dumps(schema).encode()))
    return json.loads(bytes(raw)), changed


def test_a_schema_that_is_accepted_is_not_touched() -> None:
    raw = msgspec.Raw(b'{"type" : "object","properties":{"minimum":{"type":"string"}},"additionalProperties":false}')
    found, changed = closed(raw)
    assert found is raw
    assert not changed


def test_objects_are_closed_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    found, changed = _closed(
        {"type": "object", "properties": {"x": {"type": "array", "items": inner}}, "$defs": {"D": {"anyOf": [inner]}}}
    )
    assert changed
    assert json.dumps(found).count('"additionalProperties": false') == 3


def test_what_is_refused_is_told_in_the_description() -> None:
    found, changed = _closed({"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"})
    assert changed
    assert found == {"type": "integer", "description": "A number (minimum: 1, maximum: 10)"}


def test_a_count_of_one_stays_and_a_greater_one_is_described() -> None:
    assert _closed({"type": "array", "minItems": 1}) == ({"type": "array", "minItems": 1}, False)
    assert _closed({"type": "array", "minItems": 3})[0] == {"type": "array", "description": "minItems: 3"}


def test_what_is_no_schema_is_passed_on() -> None:
    assert _closed([1, "a", None]) == ([1, "a", None], False)


def test_a_schema_without_end_is_passed_on() -> None:
    deep = b'{"items":' * 5000 + b"{}" + b"}" * 5000
    raw = msgspec.Raw(deep)
    assert closed(raw) == (raw, False)
