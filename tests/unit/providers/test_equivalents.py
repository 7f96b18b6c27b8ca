from __future__ import annotations

import pytest

from gateway.providers.catalog import CATALOG, detect
from gateway.providers.equivalents import CLASSES, equivalents


def test_every_name_is_one_that_the_catalog_knows_of_that_provider() -> None:
    for class_ in CLASSES:
        for provider, names in class_.items():
            known = {model.name: model for model in CATALOG[provider].models}
            for name in names:
                assert name in known, f"{provider}/{name}"
                assert provider in detect(name)
                # What has another output than text is in no class.
                assert known[name].tools, f"{provider}/{name} is not for chat with tools"


def test_a_model_is_in_one_class() -> None:
    names = [name for class_ in CLASSES for listed in class_.values() for name in listed]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("model", "stands_in"),
    [
        ("gpt-4o", "claude-sonnet-5-5"),
        ("gpt-4o-2024-08-06", "claude-sonnet-5-5"),
        ("claude-haiku-4-5-20251001", "gpt-6.1-terra"),
        ("gemini-4-argon", "claude-opus-5-5"),
    ],
)
def test_a_model_of_the_same_class_stands_in(model: str, stands_in: str) -> None:
    assert stands_in in equivalents(model)


def test_one_model_of_each_vendor_stands_in() -> None:
    owners = [detect(name)[0] for name in equivalents("gpt-4o")]
    assert len(owners) == len(set(owners))


@pytest.mark.parametrize("model", ["text-embedding-3-small", "gpt-image-2", "gpt-99", "llama3:8b", ""])
def test_nothing_stands_in_for_what_is_in_no_class(model: str) -> None:
    assert equivalents(model) == ()
