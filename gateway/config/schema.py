"""The JSON Schema of routers.yaml, generated from the Spec: what editors complete and explain, and
what `gateway check` finds all problems with."""

from __future__ import annotations

from typing import cast

import msgspec

from gateway.config.spec import Spec

Schema = dict[str, object]

ID = "urn:router-gateway:routers.schema.json"


def routers_schema() -> Schema:
    """Draft 2020-12."""
    return schema_of(Spec, ID, "routers.yaml", "The configuration of router-gateway.")


def schema_of(root: type[msgspec.Struct], name: str, title: str, description: str) -> Schema:
    """The schema of a file whose outermost mapping is `root`. Definitions are sorted by name, so that it has one text.
    name: its `$id`."""
    generated = msgspec.json.schema(root)
    definitions = cast("dict[str, Schema]", generated["$defs"])
    outermost = definitions.pop(root.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": name,
        **outermost,
        "title": title,
        "description": description,
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text(schema: Schema | None = None) -> str:
    """A schema as its file in schemas/ has it, by default that of routers.yaml."""
    return msgspec.json.format(msgspec.json.encode(schema or routers_schema()), indent=2).decode() + "\n"
