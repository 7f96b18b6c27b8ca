"""Helicone's AI Gateway: named routers, much as here. What it has and this has not is reported, not guessed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.config.documents import read_foreign
from gateway.config.imports.parity import Imported, Parity, child, items, members, number, text
from gateway.config.names import router_name_problem
from gateway.config.tree import Mark, Node
from gateway.core.units import DURATION
from gateway.policy.cache_control import mistakes
from gateway.providers.catalog import CATALOG

_GROUPS: Final = {
    "chat": "chat", "embedding": "embeddings", "embeddings": "embeddings", "image": "images", "images": "images",
    "audio": "audio", "moderation": "moderations", "moderations": "moderations",
}  # fmt: skip
_STRATEGIES: Final = {
    "weighted": "weighted", "provider-weighted": "weighted", "latency": "latency", "balanced-latency": "latency",
    "provider-latency": "latency", "model-weighted": "model-weighted", "model-latency": "model-latency",
}  # fmt: skip
_PROVIDERS: Final = {"google-gemini": "gemini", "google": "gemini", "x-ai": "xai", "aws-bedrock": "bedrock"}
_SCOPES: Final = ("per-api-key", "per-team", "per-end-user", "total")
_DURATION: Final = re.compile(DURATION)
Said = dict[str, object]


def import_helicone(path: Path) -> Imported:
    """ConfigError for a file that is no mapping in YAML."""
    return _Reader(read_foreign(path)).imported()


class _Reader:
    def __init__(self, root: Node) -> None:
        self._root: Final = root
        self._parity: Final = Parity()
        self._tuned: Final[dict[str, Said]] = {}

    def imported(self) -> Imported:
        document: Said = {}
        for key, node, mark in members(self._root):
            if key == "routers":
                routers: Said = {}
                for name, router, where in members(node):
                    said = self._router(router, f"routers.{name}")
                    if "load-balance" not in said:
                        self._parity.missing(where, f"routers.{name}", "nothing is left that could serve it")
                        continue
                    routers[self._name(name, where, routers)] = said
                document[key] = routers
            elif key in ("global", "unified-api"):
                document[key] = {**self._policies(node, key), **_given(document, key)}
            elif key == "default-model-mapping":
                document["global"] = {**_given(document, "global"), "model-mappings": self._mappings(node, key)}
                self._parity.carried(mark, key, "global.model-mappings")
            elif key in ("cache-store", "rate-limit-store"):
                self._store(node, key, mark, document)
            elif key == "providers":
                self._providers(node)
            elif key == "server":
                self._server(node, document)
            else:
                self._parity.missing(mark, key, _ELSEWHERE.get(key, "nothing here does that"))
        if self._tuned:
            document["providers"] = self._tuned
        return Imported(document, self._parity)

    def _name(self, name: str, mark: Mark, taken: Said) -> str:
        path = f"routers.{name}"
        short = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:12] or "router"
        for n in range(2, 1000):
            if short not in taken:
                break
            short = f"{short[: 11 - len(str(n))]}-{n}"
        if router_name_problem(name) is None and short == name:
            self._parity.carried(mark, path)
        else:
            self._parity.approximated(mark, path, f"`{short}`: names have 12 characters here, so its URL is another")
        return short

    def _router(self, node: Node, path: str) -> Said:
        said = self._policies(node, path)
        balances: Said = {}
        for group, balance, mark in members(child(node, "load-balance")):
            here = f"{path}.load-balance.{group}"
            if group not in _GROUPS:
                self._parity.missing(mark, here, "there is no such kind of request")
            elif (found := self._balance(balance, here, mark, node, said)) is not None:
                balances[_GROUPS[group]] = found
        if balances:
            said["load-balance"] = balances
        return said

    def _balance(self, node: Node, path: str, mark: Mark, router: Node, said: Said) -> Said | None:
        written = text(child(node, "strategy"))
        strategy = _STRATEGIES.get(written)
        if strategy is None:
            self._parity.missing(mark, f"{path}.strategy", "there is no such strategy; `latency` is in its place")
            strategy = "latency"
        else:
            self._parity.carried(mark, f"{path}.strategy")
        listed = child(node, "models") if strategy.startswith("model-") else child(node, "providers")
        entries = items(listed)
        if listed is not None and isinstance(listed.value, dict):
            # By model, the places that have it: here a list of places and a mapping.
            self._parity.approximated(mark, f"{path}.models", "one list, and a model mapping for each name")
            names = {name: [text(one) for one in items(places)] for name, places, _ in members(listed)}
            said["model-mappings"] = {**_given(said, "model-mappings"), **names}
            entries = list({text(one): one for _, places, _ in members(listed) for one in items(places)}.values())
        targets = [found for entry in entries if (found := self._target(entry, path, router)) is not None]
        if not targets:
            return None
        return {"strategy": strategy, "models" if strategy.startswith("model-") else "providers": targets}

    def _target(self, node: Node, path: str, router: Node) -> object:
        named = child(node, "provider") or child(node, "model") or node
        written = text(named)
        vendor, slash, model = written.partition("/")
        provider = _PROVIDERS.get(vendor, vendor)
        said: Said = {"provider": f"{provider}{slash}{model}"}
        own = child(child(router, "providers"), vendor)
        address = text(child(own, "base-url"))
        if provider not in CATALOG and child(child(self._root, "providers"), vendor) is None:
            self._parity.missing(node.mark, f"{path}: {vendor}", "no such provider is known: define it, then list it")
            return None
        if address:
            said["base-url"] = address
            self._parity.approximated(
                node.mark, f"{path}: {vendor}", "`base-url` stands at the target; its path is the API's"
            )
        if isinstance(node.value, dict):
            for key, value, mark in members(node):
                if key == "weight":
                    said[key] = text(value)
                elif key not in ("provider", "model"):
                    self._parity.missing(mark, f"{path}.{key}")
        self._parity.carried(node.mark, f"{path}: {written}")
        return said if len(said) > 1 else said["provider"]

    def _policies(self, node: Node, path: str) -> Said:
        said: Said = {}
        for key, value, mark in members(node):
            here = f"{path}.{key}"
            if key == "cache":
                found: object = self._cache(value, here, mark)
            elif key == "rate-limit":
                found = self._rate_limit(value, here)
            elif key == "retries":
                found = self._retries(value, here, mark)
            elif key in ("model-mappings", "model-mapping"):
                key, found = "model-mappings", self._mappings(value, here)
                self._parity.carried(mark, here)
            elif key in ("load-balance", "providers"):
                continue
            else:
                self._parity.missing(mark, here)
                continue
            if found:
                said[key] = found
        return said

    def _cache(self, node: Node, path: str, mark: Mark) -> Said | None:
        said: Said = {}
        for key, value, where in members(node):
            if key == "directive":
                wrong = list(mistakes(text(value)))
                if wrong:
                    self._parity.missing(where, f"{path}.directive", wrong[0][0])
                    return None
                said[key] = text(value)
            elif key == "buckets" and (count := number(value)) is not None and 1 <= count <= 100:
                said[key] = int(count)
            elif key == "seed":
                said[key] = text(value)
            else:
                self._parity.missing(where, f"{path}.{key}")
        if "directive" not in said:
            self._parity.missing(mark, path, "without a `directive` nothing is kept")
            return None
        self._parity.approximated(mark, path, "each caller has a cache of its own; `scope: router` shares among all")
        return said

    def _rate_limit(self, node: Node, path: str) -> Said:
        said: Said = {}
        for scope, bucket, mark in members(node):
            here = f"{path}.{scope}"
            capacity = number(child(bucket, "capacity"))
            period = _duration(text(child(bucket, "refill-frequency")) or "1s")
            if scope not in _SCOPES:
                self._parity.missing(mark, here)
            elif capacity is None or capacity < 1 or period is None:
                self._parity.missing(mark, here, "it says no `capacity` and `refill-frequency` that can be counted")
            else:
                said[scope] = {"capacity": int(capacity), "refill-frequency": period}
                self._parity.carried(mark, here)
        return said

    def _retries(self, node: Node, path: str, mark: Mark) -> Said:
        said: Said = {}
        for key, value, where in members(node):
            here, amount = f"{path}.{key}", number(value)
            if key == "strategy" and text(value) in ("exponential", "constant"):
                said[key] = text(value)
            elif key in ("min-delay", "max-delay", "delay") and (delay := _duration(text(value))) is not None:
                said |= {"min-delay": delay, "max-delay": delay} if key == "delay" else {key: delay}
            elif key == "max-retries" and amount is not None and amount >= 0:
                said[key] = min(int(amount), 20)
                if amount > 20:
                    self._parity.approximated(where, here, "20, the most there are")
            elif key == "factor" and amount is not None and 1 <= amount <= 10:
                said[key] = amount
            else:
                self._parity.missing(where, here)
        if said:
            self._parity.carried(mark, path)
        return said

    def _mappings(self, node: Node, path: str) -> Said:
        return {name: [text(one) for one in items(value)] for name, value, _ in members(node)}

    def _store(self, node: Node, path: str, mark: Mark, document: Said) -> None:
        url = text(child(node, "host-url"))
        if text(child(node, "type")) != "redis" and not url:
            self._parity.carried(mark, path, "in memory, as it is by default")
        else:
            # The address of a Redis may hold its password.
            document["store"] = {"url": "${env:REDIS_URL:-memory://}"}
            self._parity.approximated(mark, path, "one store for limits and caches: set REDIS_URL to its address")

    def _providers(self, node: Node) -> None:
        for vendor, said, mark in members(node):
            name, path = _PROVIDERS.get(vendor, vendor), f"providers.{vendor}"
            tuned: Said = {}
            if address := text(child(said, "base-url")):
                tuned["base-url"] = address
            if name not in CATALOG:
                tuned = {"dialect": "openai", **tuned}
                if not address:
                    self._parity.missing(mark, path, "no such provider is known, and no `base-url` says where it is")
                    continue
            models = [text(one) for one in items(child(said, "models"))]
            if models:
                tuned["models"] = models
            self._tuned[name] = tuned
            words = "`base-url` has the version segment here, and OpenAI's dialect is assumed of unknown providers"
            (self._parity.approximated if address else self._parity.carried)(mark, path, words if address else "")
            for key, _, where in members(said):
                if key not in ("base-url", "models"):
                    self._parity.missing(where, f"{path}.{key}")

    def _server(self, node: Node, document: Said) -> None:
        for key, value, mark in members(node):
            if key == "port" and (port := number(value)) is not None and 0 <= port <= 65535:
                document["server"] = {**_given(document, "server"), "port": int(port)}
                self._parity.carried(mark, "server.port")
            elif key == "address":
                self._parity.approximated(mark, "server.address", "loopback alone until `auth.mode` is said")
            else:
                self._parity.missing(mark, f"server.{key}")


_ELSEWHERE: Final = {
    "helicone": "for keys of callers: `auth`, and `gateway keys new`; nothing is sent to Helicone",
    "telemetry": "`server.logging`, and metrics at /metrics",
    "response-headers": "`x-gateway-provider` and `x-request-id` are always there",
    "discover": "health is measured by the requests themselves: `providers.<name>.breaker`",
    "dispatcher": "`timeouts`",
}


def _given(document: Said, key: str) -> Said:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _duration(written: str) -> str | None:
    """A duration in one unit; `1h 30m` and the like are added up."""
    if _DURATION.fullmatch(written):
        return written
    parts = re.findall(r"([0-9]+)\s*(ms|s|m|h|d)", written)
    if not parts or re.sub(r"([0-9]+)\s*(ms|s|m|h|d)", "", written).strip():
        return None
    factors = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    total = sum(int(amount) * factors[unit] for amount, unit in parts)
    return f"{total // 1000}s" if total % 1000 == 0 else f"{total}ms"
