"""LiteLLM's proxy: a flat list of models, each with its places, becomes one router that `/v1/` goes to.

Clients keep the names of models that they write: each is a model mapping. Places with an address of their own become
providers of their own, and those that share one become its pool of keys. A credential that is typed into the file is
not carried: an environment variable takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.documents import read_foreign
from gateway.config.imports.parity import Imported, Parity, child, items, members, number, text
from gateway.config.tree import Mark, Node
from gateway.providers.catalog import CATALOG, detect

ROUTER: Final = "litellm"
_PROVIDERS: Final = {
    "vertex_ai": "vertex", "vertex_ai_beta": "vertex", "cohere_chat": "cohere", "together_ai": "together",
    "fireworks_ai": "fireworks", "ollama_chat": "ollama", "hosted_vllm": "vllm", "nvidia_nim": "nvidia",
    "text-completion-openai": "openai", "lm_studio": "lmstudio", "dashscope": "qwen", "zai": "zhipu",
    "azure_ai": "azure", "custom_openai": "openai", "openai_like": "openai",
}  # fmt: skip
_STRATEGIES: Final = {
    "simple-shuffle": ("weighted", ""),
    "least-busy": ("least-busy", ""),
    "latency-based-routing": ("latency", ""),
    "usage-based-routing": ("least-busy", "fewest requests in flight, instead of fewest tokens this minute"),
    "usage-based-routing-v2": ("least-busy", "fewest requests in flight, instead of fewest tokens this minute"),
}
_VARIABLE: Final = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
_DIALECTS: Final = ("openai", "anthropic", "gemini", "cohere", "bedrock", "ollama")
_WEIGHTS: Final = ("weight", "rpm", "tpm")
"""What LiteLLM draws by: the first of these that is given."""
_OF_THE_PLACE: Final = ("model", "api_key", "api_base", "base_url", "rpm", "tpm", "weight", "order")
_OF_THE_ACCOUNT: Final = {
    ("azure", "api_version"): "api-version",
    ("bedrock", "aws_region_name"): "region",
    ("vertex", "vertex_project"): "project",
    ("vertex", "vertex_location"): "region",
}
"""By provider and what LiteLLM calls it, the key of a provider here."""
Said = dict[str, object]


class _Place(msgspec.Struct):
    """One entry of `model_list`. provider: the name that it gets here. sizes: what may serve as its weight."""

    group: str
    provider: str
    model: str
    sizes: Mapping[str, float]
    order: float
    mark: Mark


def import_litellm(path: Path) -> Imported:
    """ConfigError for a file that is no mapping in YAML."""
    return _Reader(read_foreign(path)).imported()


class _Reader:
    def __init__(self, root: Node) -> None:
        self._root: Final = root
        self._parity: Final = Parity()
        self._providers: Final[dict[str, Said]] = {}
        self._names: Final[dict[tuple[str, str], str]] = {}
        self._places: Final[list[_Place]] = []
        self._policies: Final[Said] = {}
        self._retries: Final[Said] = {}
        self._timeouts: Final[Said] = {}
        self._breaker: Final[Said] = {}
        self._rest: Final[Said] = {}
        self._strategy = "weighted"
        self._fallbacks: Final[list[tuple[str, list[str], Mark]]] = []
        self._aliases: Final[dict[str, str]] = {}

    def imported(self) -> Imported:
        for key, node, mark in members(self._root):
            if key == "model_list":
                for entry in items(node):
                    self._place(entry)
            elif key == "router_settings":
                self._settings(node, key, {**_SHARED, **_ROUTER})
            elif key == "litellm_settings":
                self._settings(node, key, {**_SHARED, **_LIBRARY})
            elif key == "general_settings":
                self._settings(node, key, _GENERAL)
            elif key == "environment_variables":
                self._parity.missing(mark, key, "set them where the gateway is started")
            else:
                self._parity.missing(mark, key)
        return Imported(self._document(), self._parity)

    def _place(self, node: Node) -> None:
        group, said = text(child(node, "model_name")), child(node, "litellm_params")
        path = f"model_list: {group}"
        written = text(child(said, "model"))
        vendor, slash, model = written.partition("/")
        known = _PROVIDERS.get(vendor, vendor)
        if not slash or (known not in CATALOG and detect(written)):
            known, model = (detect(written) or ("openai",))[0], written
        if not written or known not in CATALOG:
            self._parity.missing(node.mark, path, f"no provider `{vendor}` is known; define it under `providers`")
            return
        address = text(child(said, "api_base")) or text(child(said, "base_url"))
        dated = text(child(said, "api_version")) if known == "azure" else ""
        provider = self._provider(known, address, path, node.mark, dated)
        self._key(provider, known, said, path)
        self._settle(provider, known, model, said, path)
        order = child(said, "order")
        if order is not None:
            self._parity.approximated(
                order.mark, f"{path}.order", "the order of its mapping; `strategy: priority` for a rank"
            )
        sizes = {name: found for name in _WEIGHTS if (found := number(child(said, name))) is not None}
        self._places.append(_Place(group, provider, model, sizes, number(order) or 0, node.mark))
        self._parity.carried(node.mark, path, f"{provider}/{model}")
        for key, _, mark in members(said):
            if key not in _OF_THE_PLACE and (known, key) not in _OF_THE_ACCOUNT:
                self._parity.missing(mark, f"{path}.{key}", _PARAMETERS.get(key, "clients may say it"))
        for key, _, mark in members(node):
            if key not in ("model_name", "litellm_params"):
                self._parity.missing(mark, f"{path}.{key}", "the catalog knows models and prices")

    def _provider(self, known: str, address: str, path: str, mark: Mark, dated: str) -> str:
        """The name of the provider at an address; a new one for an address that has none yet. dated: the version of
        Azure's API, which the catalog's own provider alone speaks by dates."""
        if (known, address) in self._names:
            return self._names[known, address]
        name = known
        if address and dated and known not in self._providers:
            self._providers[name] = {"base-url": _referred(address).removesuffix("/openai/v1").removesuffix("/openai")}
        elif address:
            row = CATALOG[known]
            count = sum(vendor == known for vendor, _ in self._names) + 1
            name = f"{known}-{count}"
            dialect = row.surfaces[0].dialect if row.surfaces[0].dialect in _DIALECTS else "openai"
            self._providers[name] = {
                "dialect": dialect, "base-url": _address(address, known), "auth": row.auth, "models": []
            }  # fmt: skip
            self._parity.approximated(mark, f"{path}.api_base", f"`providers.{name}`; is its version segment right?")
        self._names[known, address] = name
        return name

    def _settle(self, provider: str, known: str, model: str, said: Node | None, path: str) -> None:
        """What an account of a cloud is told: versions, regions, projects. A provider has one of each."""
        for (vendor, key), name in _OF_THE_ACCOUNT.items():
            node = child(said, key)
            if vendor != known or node is None:
                continue
            if vendor == "azure" and provider != known:
                self._parity.approximated(node.mark, f"{path}.{key}", "the v1 API is spoken, which has no dates")
                continue
            tuned = self._providers.setdefault(provider, {})
            value = _referred(text(node))
            if tuned.setdefault(name, value) != value:
                words = f"`providers.{provider}` has another `{name}` already; define a second one for this"
                self._parity.missing(node.mark, f"{path}.{key}", words)
                continue
            self._parity.carried(node.mark, f"{path}.{key}", f"`providers.{provider}.{name}`")
            if vendor == "azure":
                deployments = tuned.setdefault("deployments", {})
                assert isinstance(deployments, dict)
                deployments[model] = model

    def _key(self, provider: str, known: str, said: Node | None, path: str) -> None:
        node = child(said, "api_key")
        tuned = self._providers.get(provider, {})
        keys = _list(tuned.get("keys"))
        if node is not None:
            variable = _VARIABLE.fullmatch(text(node))
            name = variable[1] if variable else f"{provider.upper().replace('-', '_')}_API_KEY"
            if variable is None:
                self._parity.approximated(node.mark, f"{path}.api_key", f"typed into the file: set {name} to it")
            value = f"${{env:{name}}}"
            entry = next((key for key in keys if key["value"] == value), None)
            if entry is None:
                entry = {"value": value}
                keys.append(entry)
            self._room(entry, said, path)
            self._providers.setdefault(provider, tuned)["keys"] = keys
        else:
            for name in ("rpm", "tpm"):
                if (limit := child(said, name)) is not None:
                    self._parity.missing(limit.mark, f"{path}.{name}", "without a key there is none to limit")

    def _room(self, entry: Said, said: Node | None, path: str) -> None:
        for name, key in (("rpm", "requests-per-minute"), ("tpm", "tokens-per-minute")):
            amount, node = number(child(said, name)), child(said, name)
            if node is not None and amount is not None and amount >= 1:
                limit = entry.setdefault("limit", {})
                assert isinstance(limit, dict)
                limit[key] = limit.get(key, 0) + int(amount)
                self._parity.approximated(node.mark, f"{path}.{name}", f"`{key}` of the key, over all its models")

    def _settings(self, node: Node, section: str, fates: Mapping[str, str]) -> None:
        for key, value, mark in members(node):
            path = f"{section}.{key}"
            if not self._setting(key, value, mark, path) and not self._reliability(key, value, mark, path):
                self._parity.missing(mark, path, fates.get(key, "nothing here does that"))

    def _setting(self, key: str, node: Node, mark: Mark, path: str) -> bool:
        if key == "routing_strategy" and text(node) in _STRATEGIES:
            self._strategy, doubt = _STRATEGIES[text(node)]
            (self._parity.approximated if doubt else self._parity.carried)(mark, path, doubt or f"`{self._strategy}`")
        elif key == "fallbacks":
            for entry in items(node):
                for group, to, where in members(entry):
                    self._fallbacks.append((group, [text(one) for one in items(to)], where))
        elif key == "model_group_alias":
            for alias, target, where in members(node):
                self._aliases[alias] = text(child(target, "model")) or text(target)
                self._parity.carried(where, f"{path}.{alias}", "a model mapping")
        elif key == "drop_params":
            self._policies["on-loss"] = "allow" if node.value is True else "reject"
            self._parity.carried(mark, path, f"`on-loss: {self._policies['on-loss']}`")
        elif key == "cache":
            if node.value is True:
                self._policies.setdefault("cache", {"directive": "max-age=3600"})
                self._parity.approximated(mark, path, "each caller has a cache of its own; `scope: router` shares")
        elif key == "cache_params":
            ttl = number(child(node, "ttl"))
            if ttl is not None and ttl >= 1:
                self._policies["cache"] = {"directive": f"max-age={int(ttl)}"}
            self._parity.approximated(mark, path, "`ttl` alone; where it is kept is `store`")
        elif key in ("redis_host", "redis_url"):
            self._rest["store"] = {"url": "${env:REDIS_URL:-memory://}"}
            self._parity.approximated(mark, path, "set REDIS_URL to its address")
        elif key == "master_key":
            self._parity.missing(mark, path, "`auth: {mode: keys}`, and a key for each: `gateway keys new`")
        else:
            return False
        return True

    def _reliability(self, key: str, node: Node, mark: Mark, path: str) -> bool:
        amount = number(node)
        if amount is None or amount < 0:
            return False
        if key == "num_retries":
            self._retries["max-retries"] = min(int(amount), 20)
            self._parity.carried(mark, path, "`retries.max-retries`")
        elif key == "retry_after":
            self._retries["min-delay"] = _seconds(amount)
            self._parity.approximated(mark, path, "`retries.min-delay`; a provider's own word goes before it")
        elif key in ("timeout", "request_timeout"):
            self._timeouts["total"] = _seconds(amount)
            self._parity.approximated(mark, path, "`timeouts.total`, retries included")
        elif key == "stream_timeout":
            self._timeouts["first-token"] = _seconds(amount)
            self._parity.approximated(mark, path, "`timeouts.first-token`")
        elif key == "allowed_fails":
            self._breaker["consecutive-failures"] = int(amount) + 1
            self._parity.approximated(mark, path, "`breaker.consecutive-failures`: in a row, not in a minute")
        elif key == "cooldown_time":
            self._breaker["open-for"] = _seconds(amount)
            self._parity.approximated(mark, path, "`breaker.open-for`, doubled while probes fail")
        else:
            return False
        return True

    def _document(self) -> Said:
        names = list(dict.fromkeys(place.provider for place in self._places))
        for name in names:
            tuned = self._providers.get(name)
            if tuned is not None and "models" in tuned:
                models = [place.model for place in self._places if place.provider == name]
                tuned["models"] = list(dict.fromkeys(models))
            if self._breaker:
                self._providers.setdefault(name, {})["breaker"] = self._breaker
        document: Said = dict(self._rest)
        if self._providers:
            document["providers"] = self._providers
        if names:
            mappings = self._mappings()
            router: Said = {
                "load-balance": {"default": {"strategy": self._strategy, "providers": self._targets(names)}}
            }
            router |= {"model-mappings": mappings} if mappings else {}
            router |= {"retries": self._retries} if self._retries else {}
            router |= {"timeouts": self._timeouts} if self._timeouts else {}
            document |= {"default-router": ROUTER, "routers": {ROUTER: {**router, **self._policies}}}
        return document

    def _targets(self, names: list[str]) -> list[object]:
        if self._strategy != "weighted":
            return list(names)
        by = next((name for name in _WEIGHTS if any(name in place.sizes for place in self._places)), "")
        weights = dict.fromkeys(names, 0.0)
        shares: dict[str, dict[str, float]] = {}
        for place in self._places:
            weight = place.sizes.get(by, 1.0)
            weights[place.provider] += weight
            shares.setdefault(place.group, {})[place.provider] = weight
        if not any(weights.values()):
            return list(names)
        if len(set(weights.values())) > 1 or any(len(set(share.values())) > 1 for share in shares.values()):
            mark = self._places[0].mark
            self._parity.approximated(mark, "model_list: weights", "one weight for each provider, over all models")
        return [
            {"provider": name, "weight": f"{weight:.6f}".rstrip("0").rstrip(".")} for name, weight in weights.items()
        ]

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(place.group for place in self._places))

    def _mappings(self) -> Said:
        targets = {group: list(self._of(group)) for group in self._groups()}
        for group, others, mark in self._fallbacks:
            known = [target for other in others for target in targets.get(other, [])]
            path = f"fallbacks: {group}"
            if group not in targets or not known:
                self._parity.missing(mark, path, "it names no model of the list")
                continue
            targets[group] = list(dict.fromkeys((*targets[group], *known)))
            self._parity.approximated(mark, path, "these answer beside the others, not only after them")
        for alias, group in self._aliases.items():
            targets[alias] = targets.get(group, [])
        mappings: Said = {name: found for name, found in targets.items() if found and "*" not in name}
        for place in self._places:
            if "*" in place.group:
                self._parity.approximated(
                    place.mark, f"model_list: {place.group}", "every model that the provider knows"
                )
        return mappings

    def _of(self, group: str) -> Iterator[str]:
        """The places of a group, in their order."""
        for place in sorted((place for place in self._places if place.group == group), key=lambda one: one.order):
            yield f"{place.provider}/{place.model}"


def _list(value: object) -> list[Said]:
    return value if isinstance(value, list) else []


def _seconds(amount: float) -> str:
    return f"{amount:g}s" if amount == int(amount) else f"{round(amount * 1000)}ms"


def _referred(written: str) -> str:
    """A value, or the reference that stands for one."""
    variable = _VARIABLE.fullmatch(written)
    return f"${{env:{variable[1]}}}" if variable else written.rstrip("/")


def _address(written: str, known: str) -> str:
    """With the version segment that LiteLLM puts there by itself."""
    address = _referred(written)
    if address.startswith("${") or re.search(r"/v[0-9][a-z0-9]*$", address):
        return address
    return f"{address}{'/openai/v1' if known == 'azure' else '/v1beta' if known == 'gemini' else '/v1'}"


_PARAMETERS: Final = {
    "timeout": "`timeouts` of the router",
    "stream_timeout": "`timeouts` of the router",
    "max_retries": "`retries` of the router",
    "organization": "`headers` of the provider: `openai-organization`",
}
_SHARED: Final = {
    "context_window_fallbacks": "`model-mappings` to a model with more room",
    "content_policy_fallbacks": "`retries.on-content-policy: failover`",
    "default_fallbacks": "`model-mappings`",
}
_ROUTER: Final = {
    "routing_strategy": "one of `weighted`, `latency`, `priority`, `least-busy`",
    "redis_port": "part of REDIS_URL",
    "redis_password": "part of REDIS_URL",
    "enable_pre_call_checks": "limits of keys are kept to before a call is made: `limit` of a key",
}
_LIBRARY: Final = {
    "success_callback": "metrics at /metrics, and `server.logging.requests`",
    "failure_callback": "metrics at /metrics, and `server.logging.requests`",
    "callbacks": "metrics at /metrics, and `server.logging.requests`",
    "set_verbose": "`server.logging.level: debug`",
    "json_logs": "`server.logging.format: json`",
    "max_budget": "`rate-limit` with `unit: usd`",
}
_GENERAL: Final = {
    "database_url": "keys stand in the config or in `auth.keys-file`",
    "alerting": "alerts are made of metrics",
}
