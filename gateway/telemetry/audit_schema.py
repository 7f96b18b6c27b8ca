"""The JSON Schema of a line of the audit log, generated from its structs. On no request's path."""

from __future__ import annotations

from typing import Final, cast

from gateway.config.schema import Schema, schema_of
from gateway.telemetry.audit_line import SCHEMA, AuditLine

ID: Final = "urn:router-gateway:audit.schema.json"
_MOMENT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"


def audit_schema() -> Schema:
    """Draft 2020-12. Members that it does not name are allowed: later versions add some."""
    schema = schema_of(AuditLine, ID, "A line of the audit log", "One exchange, as one line of JSON.")
    members = cast("dict[str, Schema]", schema["properties"])
    members["schema"] = {"const": SCHEMA}
    members["timestamp"] |= {"format": "date-time", "pattern": _MOMENT}
    return schema
