"""The OpenAPI 3.1 document of the admin API, made from its operations and the structs that it takes and answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

import msgspec

from gateway import __version__
from gateway.core.errors import CODES
from gateway.ingress.admin.answers import Failure
from gateway.ingress.admin.operations import OPERATIONS, Operation, Parameter

_ALWAYS: Final = ("invalid_request", "invalid_api_key", "access_denied", "rate_limited", "internal_error")
_OF_BODIES: Final = ("malformed_body", "request_timeout", "body_too_large")
_FAILURE: Final = {"$ref": "#/components/schemas/Failure"}


def openapi() -> dict[str, object]:
    """The document."""
    types = {operation.answer for operation in OPERATIONS}
    types |= {operation.body for operation in OPERATIONS if operation.body is not None}
    ordered = [Failure, *sorted(types, key=lambda kind: kind.__name__)]
    _, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, object]] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/admin/api{operation.path}", {})[operation.method.lower()] = _operation(operation)
    paths["/admin/api/openapi.json"] = {
        "get": {
            "operationId": "openapi",
            "summary": "This document.",
            "responses": {
                "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}},
                **_failures(_ALWAYS),
            },
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "router-gateway admin API",
            "version": __version__,
            "description": "Usage, quotas and live state. Needs `admin` in routers.yaml.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8080"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": dict(sorted(components.items())),
        },
    }


@cache
def openapi_text() -> str:
    """As its file in schemas/ has it."""
    return msgspec.json.format(msgspec.json.encode(openapi()), indent=2).decode() + "\n"


def _operation(operation: Operation) -> dict[str, object]:
    answered: dict[str, object] = {"application/json": {"schema": _ref(operation.answer)}}
    if operation.tables:
        answered["text/csv"] = {"schema": {"type": "string"}}
    codes = (*_ALWAYS, *(_OF_BODIES if operation.method == "POST" else ()), *operation.fails)
    made: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs an admin key of the role `{operation.role}`.",
    }
    if operation.parameters:
        made["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(operation.body)}}}
    success = {"description": operation.summary, "content": answered}
    made["responses"] = {"200": success, **_failures(codes)}
    return made


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _failures(codes: Iterable[str]) -> dict[str, object]:
    """By status, each with the codes that it may have."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code].status, []).append(f"`{code}`")
    return {
        str(status): {
            "description": ", ".join(names),
            "content": {"application/json": {"schema": _FAILURE}},
        }
        for status, names in sorted(by_status.items())
    }


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
