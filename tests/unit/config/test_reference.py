from __future__ import annotations

import re

from gateway.config.reference import configuration_page
from gateway.config.schema import routers_schema

PAGE = configuration_page()


def test_every_key_stands_in_the_page() -> None:
    schema = routers_schema()
    for mapping in (schema, *schema["$defs"].values()):  # type: ignore[attr-defined]
        for key in mapping["properties"]:
            assert f"| `{key}` |" in PAGE


def test_every_link_leads_to_a_section() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    linked = set(re.findall(r"\(#([^)]+)\)", PAGE))
    assert linked
    assert linked <= anchors


def test_kinds_and_defaults_are_in_plain_words() -> None:
    assert "| `port` | whole number, 0 to 65535 | `8080` |" in PAGE
    assert "| `drain-timeout` | duration | `30s` |" in PAGE
    assert "| `max-body-size` | size | `32MiB` |" in PAGE
    assert "| `directive` | text | required |" in PAGE
