"""The JSON Schema of routers.yaml, generated from the Spec: what editors complete and explain, and
what `gateway check` finds all problems with."""

from __future__ import annotations

from typing import cast

import msgspec

from gateway.config.spec import Spec

Schema = dict[str, object]

ID = "urn:router-gateway:routers.schema.json"


def routers_schema() -> Schema:
    """Draft 2020-12. Definitions are sorted by name, so that the file has one text."""
    generated = msgspec.json.schema(Spec)
    definitions = cast("dict[str, Schema]", generated["$defs"])
    root = definitions.pop("Spec")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        **root,
        "title": "routers.yaml",
        "description": "The configuration of router-gateway.",
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """As it stands in schemas/routers.schema.json."""
    return msgspec.json.format(msgspec.json.encode(routers_schema()), indent=2).decode() + "\n"
