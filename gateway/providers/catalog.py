"""The providers that are known without a line of configuration, and the questions asked about names.

The rows stand in the modules beside this one; here they are put together and indexed. The indices are
built once, at import. No I/O, and nothing here knows of a configuration file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import translate
from types import MappingProxyType
from typing import Final

from gateway.core.exchange import Dialect
from gateway.providers import rows_china, rows_hosts, rows_labs, rows_local, rows_majors, rows_media
from gateway.providers.row import Model, Row, Surface

CATALOG: Final[Mapping[str, Row]] = MappingProxyType(
    {
        row.name: row
        for module in (rows_majors, rows_labs, rows_china, rows_hosts, rows_local, rows_media)
        for row in module.ROWS
    }
)
"""Every known provider by its name."""

GENERIC_SURFACES: Final[Mapping[Dialect, Surface]] = MappingProxyType(
    {
        "openai": Surface(
            dialect="openai",
            operations=(
                "chat", "completions", "responses", "embeddings", "images", "audio", "moderations", "rerank", "models",
            ),
        ),
        "anthropic": Surface(
            dialect="anthropic", operations=("messages", "count-tokens", "models"), auth="x-api-key"
        ),
        "gemini": Surface(
            dialect="gemini",
            operations=("generate", "count-tokens", "embeddings", "models"),
            version="v1beta",
            auth="x-goog-api-key",
        ),
        "cohere": Surface(dialect="cohere", operations=("chat", "embeddings", "rerank", "models"), version="v2"),
        "bedrock": Surface(dialect="bedrock", operations=("chat", "embeddings"), version="", auth="sigv4"),
        "ollama": Surface(dialect="ollama", operations=("chat",), version=""),
        "vertex": Surface(dialect="vertex", operations=("embeddings",)),
        "other": Surface(dialect="other", operations=("other",)),
    }
)  # fmt: skip
"""What a provider that is defined by dialect and base URL alone is taken to have: everything that the
dialect has, at the version segment and with the credential that are usual in it."""

RESERVED: Final = frozenset(
    {
        "router", "routers", "ai", "gateway", "admin", "api", "ui", "static", "assets", "docs", "schemas",
        "v1", "v1alpha", "v1beta", "v2", "openapi.json",
        "livez", "readyz", "healthz", "health", "live", "ready", "status", "metrics", "debug", "version",
        "favicon.ico", "robots.txt", ".well-known",
    }
)  # fmt: skip
"""First path segments that the gateway answers itself, or keeps for itself: no provider may be named so."""

_ALIASES: Final = {
    "alibaba": "qwen", "chatgpt": "openai", "claude": "anthropic", "dashscope": "qwen", "google": "gemini",
    "grok": "xai", "hf": "huggingface", "kimi": "moonshot", "nim": "nvidia", "z.ai": "zhipu", "zai": "zhipu",
}  # fmt: skip

_PIN: Final = re.compile(
    r"""(?: -\d{4}-\d{2}-\d{2}              # gpt-4o-2024-08-06
          | -\d{2}-\d{4}                    # command-a-03-2025
          | -(?:\d{3,4}|\d{6}|\d{8})        # gemini-2.0-flash-001, grok-4.20-0309, claude-opus-5-20260401
          | -(?:latest|preview|exp|beta)(?:-\d{2}-\d{2,4})?
          | @[^@]+ )\Z                      # claude-opus-5@20260401""",
    re.VERBOSE,
)


def _index_models() -> dict[str, tuple[str, ...]]:
    index: dict[str, tuple[str, ...]] = {}
    for row in CATALOG.values():
        for model in row.models:
            index[model.name] = (*index.get(model.name, ()), row.name)
    return index


def _index_families() -> dict[str, tuple[tuple[str, re.Pattern[str] | None, str], ...]]:
    """First character -> (literal prefix, the rest of the rule or None where the prefix is all, provider)."""
    index: dict[str, tuple[tuple[str, re.Pattern[str] | None, str], ...]] = {}
    for row in CATALOG.values():
        for family in row.families:
            prefix = re.split(r"[*?\[]", family, maxsplit=1)[0]
            rule = None if family == f"{prefix}*" else re.compile(translate(family))
            index[family[0]] = (*index.get(family[0], ()), (prefix, rule, row.name))
    return index


_MODELS: Final = _index_models()
_FAMILIES: Final = _index_families()


def detect(model: str, among: Collection[str] | None = None) -> tuple[str, ...]:
    """The providers whose own a bare model name is, in catalog order; () where nobody can say.

    A known name counts before a family. among: the providers to choose from, all where None.
    """
    known = _MODELS.get(model, ())
    if among is not None:
        known = tuple(name for name in known if name in among)
    return known or tuple(dict.fromkeys(name for name in _match_families(model) if among is None or name in among))


def _match_families(model: str) -> Iterator[str]:
    # A tag (`deepseek-r1:8b`) is how local servers and aggregators write names. A vendor's have none, but fine-tunes.
    if ":" in model and not model.startswith("ft:"):
        return
    for prefix, rule, provider in _FAMILIES.get(model[:1], ()):
        if model.startswith(prefix) and (rule is None or rule.match(model)):
            yield provider


def find_model(row: Row, model: str) -> Model | None:
    """What the row says of a model: of that very name, else of the name it is a pin of.

    `gpt-4o-2024-08-06`, `claude-sonnet-4-5-20250929` and `ft:gpt-4o-2024-08-06:org::id` are pins; a
    number that is no date (`claude-opus-5-7`) makes another model.
    """
    for name in pinned_names(model):
        for entry in row.models:
            if entry.name == name:
                return entry
    return None


def pinned_names(model: str) -> Iterator[str]:
    """The name itself, and those that it may be a pin of, the longest first."""
    name = model.split(":", 2)[1] if model.startswith("ft:") else model
    while True:
        yield name
        pin = _PIN.search(name)
        if pin is None:
            return
        name = name[: pin.start()]


def suggest_provider(name: str) -> str | None:
    """The catalog name that was probably meant by one that is not in it; None where none is near."""
    wanted = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    if wanted in CATALOG:
        return wanted
    if wanted in _ALIASES:
        return _ALIASES[wanted]
    near = get_close_matches(wanted, CATALOG, n=1, cutoff=0.6)
    return near[0] if near else None
