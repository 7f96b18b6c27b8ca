"""The document of the admin API: fresh, sound, and about the routes that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from gateway.ingress.admin.openapi import openapi, openapi_text
from gateway.ingress.admin.operations import OPERATIONS
from gateway.ingress.admin.query import DIMENSIONS

ROOT = Path(__file__).parents[4]
KEPT = ROOT / "schemas" / "admin.openapi.json"
DOCUMENT: dict[str, Any] = msgspec.json.decode(openapi_text())
PAGE = (ROOT / "docs" / "admin-api.md").read_text("utf-8")


def test_the_document_that_is_kept_is_that_of_now() -> None:
    assert KEPT.read_text("utf-8") == openapi_text()


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    def references(part: object) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(value) for value in part.values()))
        return set().union(*(references(value) for value in part)) if isinstance(part, list) else set()

    names = {reference.removeprefix("#/components/schemas/") for reference in references(openapi())}
    assert names == set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    seen = set()
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"]
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert {"200", "400", "401", "403", "429"} <= set(operation["responses"]), (path, method)
    assert seen == {operation.name for operation in OPERATIONS} | {"openapi"}


def test_usage_can_be_filtered_by_every_dimension() -> None:
    named = {parameter["name"] for parameter in DOCUMENT["paths"]["/admin/api/usage"]["get"]["parameters"]}
    assert named >= {f"where.{name}" for name in DIMENSIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_page_names_every_operation(operation: Any) -> None:
    assert f"`{operation.method} /admin/api{operation.path}`" in PAGE


def test_the_page_names_every_dimension() -> None:
    assert all(f"`{name}`" in PAGE for name in DIMENSIONS)
