from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.config.reference import configuration_page
from gateway.config.schema import routers_schema, schema_text

ROOT = Path(__file__).parents[3]
PAGES = sorted((Path(__file__).parent / "pages").glob("*.yaml"))


def test_the_schema_in_the_tree_is_the_one_of_the_spec() -> None:
    assert (ROOT / "schemas" / "routers.schema.json").read_text("utf-8") == schema_text(), "run: make schema"


def test_the_reference_in_the_tree_is_the_one_of_the_spec() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert page == configuration_page(), "run: gateway schema --docs > docs/configuration.md"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("path", [ROOT / "routers.yaml", *PAGES], ids=lambda path: path.name)
def test_it_judges_files_as_the_gateway_does(path: Path) -> None:
    errors = list(Draft202012Validator(routers_schema()).iter_errors(yaml.safe_load(path.read_text("utf-8"))))
    expected = ["'frontend-team' does not match '^[A-Za-z0-9_-]{1,12}$'"] if path.stem == "teams" else []
    assert [error.message for error in errors] == expected


def test_every_key_is_described_and_nothing_unknown_is_let_in() -> None:
    schema = routers_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    mappings = {"routers.yaml": schema, **definitions}
    bare = [
        f"{name}.{key}"
        for name, mapping in mappings.items()
        for key, rule in mapping["properties"].items()
        if not rule.get("description")
    ]
    assert bare == []
    assert all(mapping["additionalProperties"] is False for mapping in mappings.values())
