"""A list of models in each dialect's shape, as the vendors document it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.core.exchange import Dialect

# Clients demand a time of creation and nobody knows one for every model.
_CREATED = 1_700_000_000
_CREATED_TEXT = "2023-11-14T22:13:20Z"


def render_models(dialect: Dialect, models: Mapping[str, str], *, single: bool = False) -> bytes:
    """models: name -> provider. single: one model's own object, not a list of one."""
    if dialect == "anthropic":
        items: list[dict[str, object]] = [
            {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_TEXT} for name in models
        ]
        listed: dict[str, object] = {
            "data": items,
            "has_more": False,
            "first_id": items[0]["id"] if items else None,
            "last_id": items[-1]["id"] if items else None,
        }
    elif dialect == "gemini":
        items = [
            {
                "name": f"models/{name}",
                "displayName": name,
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
            }
            for name in models
        ]
        listed = {"models": items}
    else:
        items = [
            {"id": name, "object": "model", "created": _CREATED, "owned_by": provider}
            for name, provider in models.items()
        ]
        listed = {"object": "list", "data": items}
    return msgspec.json.encode(items[0] if single else listed)
