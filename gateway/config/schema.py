"""The JSON Schema of routers.yaml, generated from the Spec: what editors complete and explain, and
what `gateway check` finds all problems with."""

from __future__ import annotations

from functools import cache
from typing import Final, cast

import msgspec

from gateway.config.spec import Spec
from gateway.core.moments import MOMENT
from gateway.core.units import DURATION, SIZE

Schema = dict[str, object]

ID = "urn:router-gateway:routers.schema.json"
_SAID: Final = {
    DURATION: "Expected a duration: `250ms`, `1s`, `5m`, `1h`, `30d`.",
    SIZE: "Expected a size: `64KiB`, `32MiB`.",
    MOMENT: "Expected a day, `2027-01-31`, or a moment with its offset, `2027-01-31T12:00:00Z`.",
    r"^https?://": "Expected a URL: `https://...`.",
    r"^[0-9]+(\.[0-9]+)?$": "Expected a decimal number: `'0.7'`.",
    r"^[A-Za-z0-9_-]{1,12}$": "Expected at most 12 letters, digits, `-` and `_`.",
    r"^/": "Expected a path, with its `/` in front.",
    r"^[1-9][0-9]{0,5}/(?:s|m|h)$": "Expected so many a second, minute or hour: `10/s`.",
}
"""By pattern, what an editor says in its place: `yaml-language-server` reads `patternErrorMessage`."""


@cache
def routers_schema() -> Schema:
    """Draft 2020-12. Made once, because that takes longer than the rest of a check, and not to be changed."""
    return schema_of(Spec, ID, "routers.yaml", "The configuration of router-gateway.")


def schema_of(root: type[msgspec.Struct], name: str, title: str, description: str) -> Schema:
    """The schema of a file whose outermost mapping is `root`. Definitions are sorted by name, so that it has one text.
    name: its `$id`."""
    generated = msgspec.json.schema(root)
    definitions = cast("dict[str, Schema]", generated["$defs"])
    _explain_patterns(generated)
    outermost = definitions.pop(root.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": name,
        **outermost,
        "title": title,
        "description": description,
        "$defs": dict(sorted(definitions.items())),
    }


def _explain_patterns(node: object) -> None:
    """Add to each pattern whose words are known what it asks for."""
    if isinstance(node, dict):
        said = _SAID.get(node.get("pattern", ""))
        if said is not None:
            node["patternErrorMessage"] = said
        node = list(node.values())
    if isinstance(node, list):
        for below in node:
            _explain_patterns(below)


def schema_text(schema: Schema | None = None) -> str:
    """A schema as its file in schemas/ has it, by default that of routers.yaml."""
    return msgspec.json.format(msgspec.json.encode(schema or routers_schema()), indent=2).decode() + "\n"
