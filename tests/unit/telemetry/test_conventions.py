"""Our names of attributes, against those that OpenTelemetry's own package has."""

from __future__ import annotations

from typing import Final, get_args

import opentelemetry.semconv._incubating.attributes.gen_ai_attributes as gen_ai
import pytest
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, service_attributes

from gateway.core.exchange import Operation
from gateway.providers.catalog import CATALOG
from gateway.telemetry import conventions

NEWER: Final = frozenset(("gen_ai.usage.cache_write.input_tokens",))
"""Names that the conventions have and that package not yet."""
NEWER_PROVIDERS: Final = frozenset(("moonshot_ai",))
OURS: Final = {value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}


def names_of(module: object) -> set[str]:
    return {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


def values_of(enumeration: str) -> set[str]:
    # The package calls all of them deprecated, because they live elsewhere by now.
    return {str(member.value) for member in vars(gen_ai)[enumeration].__members__.values()}


def test_every_name_is_one_of_the_conventions_or_plainly_ours() -> None:
    known = set[str]().union(
        *map(names_of, (gen_ai, error_attributes, http_attributes, server_attributes, service_attributes))
    )
    assert {name for name in OURS - known if not name.startswith("gateway.")} - {"service.instance.id"} == NEWER


def test_operations_go_by_the_conventions_names_where_there_are_such() -> None:
    assert set(conventions.OPERATIONS.values()) <= values_of("GenAiOperationNameValues")
    assert set(conventions.OPERATIONS) <= set(get_args(Operation))


def test_providers_go_by_the_conventions_names_where_there_are_such() -> None:
    known = values_of("GenAiProviderNameValues")
    assert set(conventions.PROVIDERS.values()) - known == NEWER_PROVIDERS
    assert set(conventions.PROVIDERS) <= set(CATALOG)


@pytest.mark.parametrize("name", ["openai", "anthropic", "cohere", "deepseek", "groq", "perplexity"])
def test_a_provider_of_the_same_name_needs_no_other(name: str) -> None:
    assert name in values_of("GenAiProviderNameValues")
    assert name in CATALOG
    assert name not in conventions.PROVIDERS
