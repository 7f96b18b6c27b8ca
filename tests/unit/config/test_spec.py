from __future__ import annotations

import msgspec

from gateway.config.spec import Spec


def test_no_repr_shows_a_credential() -> None:
    document = {
        "providers": {"openai": {"keys": ["sk-1", {"value": "sk-2"}], "headers": {"x-key": "sk-3"}}},
        "routers": {"a": {"load-balance": {"chat": {"providers": [{"provider": "openai", "keys": ["sk-4"]}]}}}},
    }
    spec = msgspec.convert(document, Spec)
    assert "openai" in repr(spec)
    assert "sk-" not in repr(spec)
    assert "sk-" not in str(spec)
