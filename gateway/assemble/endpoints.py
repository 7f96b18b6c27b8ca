"""From the catalog and routers.yaml to endpoints: every provider that can be named, with its keys.

A part of assembly: it knows both the spec and the objects, and decides only what a provider's
address, surfaces and keys are when the two sources are put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec

from gateway.assemble.address import Address
from gateway.assemble.alerts import noticing
from gateway.assemble.lenders import Lenders
from gateway.config import spec as sp
from gateway.core.exchange import Dialect, Operation
from gateway.core.secret import LentSecret, Secret
from gateway.core.units import seconds
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.proof import Proof
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool
from gateway.policy.key_room import KeyRoom
from gateway.providers.catalog import CATALOG, GENERIC_SURFACES, find_model
from gateway.providers.row import Auth, Model, Row, Surface
from gateway.providers.sigv4 import region_of
from gateway.runtime import Runtime

ANONYMOUS: Final = "none"
"""The name of the key of a provider that needs none."""

_OPERATIONS: Final = frozenset(get_args(Operation))


class Endpoints:
    """Makes endpoints, one for each name and address, out of the spec, the catalog and the environment."""

    def __init__(self, spec: sp.Spec, runtime: Runtime, env: Mapping[str, str]) -> None:
        self._spec = spec
        self._runtime = runtime
        self._env = env
        self._lenders = Lenders(runtime, env)
        self._notice = noticing(runtime)
        self.pools: dict[str, KeyPool] = {}
        self._alike: Counter[str] = Counter()
        self.by_name: dict[str, Endpoint] = {}
        for name in (*CATALOG, *(name for name in spec.providers if name not in CATALOG)):
            settings = spec.providers.get(name) or sp.Provider()
            if settings.enabled:
                self.by_name[name] = self._make(name, settings, settings.base_url, settings.keys, name)

    def of(self, entry: sp.Target) -> Endpoint | None:
        """The endpoint of a router's entry, with the address and keys that it gives; None when the
        provider is disabled."""
        name = entry.provider.partition("/")[0]
        endpoint = self.by_name.get(name)
        if endpoint is None or not (entry.base_url or entry.keys):
            return endpoint
        settings = self._spec.providers.get(name) or sp.Provider()
        base_url = entry.base_url or settings.base_url
        keys = entry.keys or settings.keys
        return self._make(name, settings, base_url, keys, f"{name} {base_url or ''} {','.join(key_names(keys))}")

    def breaker_policy(self, name: str) -> BreakerPolicy:
        settings = self._spec.providers.get(name) or sp.Provider()
        b = settings.breaker
        return BreakerPolicy(
            consecutive_failures=b.consecutive_failures,
            error_ratio=b.error_ratio,
            min_requests=b.min_requests,
            window=seconds(b.window),
            open_for=seconds(b.open_for),
            max_open=seconds(b.max_open),
        )

    def _make(
        self,
        name: str,
        settings: sp.Provider,
        base_url: str | None,
        keys: Sequence[sp.ProviderKey | str],
        pool_name: str,
    ) -> Endpoint:
        row = CATALOG.get(name) or _new_row(name, settings)
        region = settings.region or self._region()
        # A variable such as GITHUB_TOKEN is often there for other reasons: it wakes no service that has ended.
        secrets = [] if row.retired and not keys else self._secrets(row, name, keys, region)
        origin, surfaces, missing = self._address(row, settings, base_url, self._lenders.projects.get(name, ""))
        auth = settings.auth or row.auth
        keyless = auth == "none" or row.local or (row.name not in CATALOG and not keys)
        if not secrets and keyless:
            secrets = [Secret(ANONYMOUS, "")]
            auth = "none"
        if auth != row.auth:
            surfaces = tuple(msgspec.structs.replace(surface, auth=None) for surface in surfaces)
        if missing:
            secrets = []
        rooms = _rooms(secrets, keys)
        pool = KeyPool(
            secrets,
            seconds(settings.key_pool.cooldown),
            seconds(settings.key_pool.quarantine),
            rooms,
            [given for given, key in zip(key_names(keys), keys, strict=True) if is_free(key)],
        )
        # Entries of several routers may call their keys alike, and be of other accounts.
        self._alike[pool_name] += 1
        number = self._alike[pool_name]
        self.pools[pool_name if number == 1 else f"{pool_name} #{number}"] = pool
        # Without a key it knows no more than its own row: it would only stand in the way of who has one.
        vendors = tuple(CATALOG[vendor] for vendor in row.vendors) if secrets else ()
        names = (*settings.deployments, *(m for m in settings.models if not _is_pattern(m)))
        patterns = tuple(m for m in settings.models if _is_pattern(m))
        if not settings.models_closed:
            names += tuple(model.name for known in (row, *vendors) for model in known.models)
            patterns += tuple(family for vendor in vendors for family in vendor.families)
        return Endpoint(
            name=name,
            title=row.title,
            origin=origin,
            surfaces=surfaces,
            auth=auth,
            pool=pool,
            transport=self._runtime.echo if origin.startswith("echo:") else self._runtime.transport,
            models=names,
            patterns=patterns,
            open_models=row.open_models,
            closed=settings.models_closed,
            stream_usage=settings.stream_usage or row.stream_usage,
            headers=(
                *((header, value) for header, value in row.headers if header not in settings.headers),
                *((header.lower(), value) for header, value in settings.headers.items()),
            ),
            find_model=lambda model: _find_model((row, *vendors), model),
            missing_key_hint="" if secrets else self._lenders.problems.get(name) or _hint(name, row, missing),
            exact_prefix=base_url is not None,
            notice=self._notice,
            sign=(
                Proof(self._runtime.clock.wall, signs=auth == "sigv4", region=region_of(origin) or region)
                if auth == "sigv4" or any(isinstance(secret, LentSecret) for secret in secrets)
                else None
            ),
            deployed=settings.deployments,
            traced=self._spec.traces is not None and name in self._spec.traces.propagate_to,
        )

    def _address(
        self, row: Row, settings: sp.Provider, base_url: str | None, project: str
    ) -> tuple[str, tuple[Surface, ...], str]:
        """Origin, surfaces, and the environment variable that is missing, or ``. project: the account's own."""
        own = row.dated if settings.api_version and row.dated else row.surfaces
        if base_url is None or any(surface.path != "{suffix}" for surface in own):
            address = Address(row, settings, self._env, project)
            origin = address.origin() if base_url is None else address.moved(base_url)
            surfaces = tuple(
                msgspec.structs.replace(
                    surface,
                    root=address.filled(surface.root).rstrip("/"),
                    path=address.filled(surface.path),
                    stream_path=address.filled(surface.stream_path),
                )
                for surface in own
            )
            return origin, surfaces, address.missing
        parts = urlsplit(base_url)
        native = row.surfaces[0] if settings.dialect in (None, row.surfaces[0].dialect) else _generic(settings.dialect)
        operations = native.operations
        if settings.operations is not None:
            operations = tuple(o for o in get_args(Operation) if o in settings.operations)
        surface = msgspec.structs.replace(native, root=parts.path.rstrip("/"), version="", operations=operations)
        return f"{parts.scheme}://{parts.netloc}", (surface,), ""

    def _secrets(self, row: Row, name: str, keys: Sequence[sp.ProviderKey | str], region: str) -> list[Secret]:
        """The configured keys, or those of the environment."""
        found: list[Secret] = []
        for given, key in zip(key_names(keys), keys, strict=True):
            value = key if isinstance(key, str) else key.value
            secret = Secret(given, value) if value else None
            if secret is None and isinstance(key, sp.ProviderKey):
                secret = self._lenders.of_key(name, given, key, region)
            if secret is not None:
                found.append(secret)
        if keys:
            return found
        for variable in row.env:
            single = self._env.get(variable, "").strip()
            if single:
                found.append(Secret(variable, single))
            several = [part.strip() for part in self._env.get(f"{variable}S", "").split(",")]
            found.extend(
                Secret(f"{variable}S-{n}", part) for n, part in enumerate(several, 1) if part and part != single
            )
            if found:
                break
        pair = self._env.get("AWS_ACCESS_KEY_ID", ""), self._env.get("AWS_SECRET_ACCESS_KEY", "")
        if not found and row.auth == "sigv4" and all(pair):
            token = self._env.get("AWS_SESSION_TOKEN", "")
            found.append(Secret("AWS_ACCESS_KEY_ID", ":".join((*pair, token) if token else pair)))
        if not found:
            lent = self._lenders.of_environment(row, region)
            found = [] if lent is None else [lent]
        return found

    def _region(self) -> str:
        return self._env.get("AWS_REGION") or self._env.get("AWS_DEFAULT_REGION") or ""


def _rooms(secrets: Sequence[Secret], keys: Sequence[sp.ProviderKey | str]) -> dict[Secret, KeyRoom]:
    """Of the keys with a limit. A key whose variable is not set has no secret, so names tell which is whose."""
    limits = {
        name: key.limit
        for name, key in zip(key_names(keys), keys, strict=True)
        if isinstance(key, sp.ProviderKey) and key.limit is not None
    }
    return {
        secret: KeyRoom(secret, limit.requests_per_minute, limit.tokens_per_minute)
        for secret in secrets
        if (limit := limits.get(secret.name)) is not None
    }


def is_free(key: sp.ProviderKey | str) -> bool:
    """Whether nothing is paid for what a key is used for."""
    return isinstance(key, sp.ProviderKey) and key.free


def key_names(keys: Sequence[sp.ProviderKey | str]) -> list[str]:
    """How a list of keys is called, without what is in it."""
    return [f"key-{n}" if isinstance(key, str) or not key.name else key.name for n, key in enumerate(keys, 1)]


def _new_row(name: str, settings: sp.Provider) -> Row:
    """The row of a provider that only routers.yaml knows."""
    return Row(
        name=name,
        title=name,
        origin="",
        surfaces=(_generic(settings.dialect),),
        auth=settings.auth or _USUAL_AUTH.get(settings.dialect or "openai", "bearer"),
        # Nobody here can know what it serves: its `models` are knowledge, not an allow-list.
        open_models=True,
        source="routers.yaml",
    )


_USUAL_AUTH: Final[Mapping[str, Auth]] = {
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
    "bedrock": "sigv4",
}


def _generic(dialect: Dialect | None) -> Surface:
    return GENERIC_SURFACES[dialect or "openai"]


def _find_model(rows: Sequence[Row], model: str) -> Model | None:
    return next((found for row in rows if (found := find_model(row, model)) is not None), None)


def _is_pattern(model: str) -> bool:
    return any(c in model for c in "*?[")


def _hint(name: str, row: Row, missing: str) -> str:
    if row.retired:
        return f"{row.title} does not answer since {row.retired}; give {name} a base-url if it does for you."
    if missing:
        return f"Set {missing} for {name}."
    if row.lent_by and not row.env:
        return f"Set {row.lent_by[0]} for {name}, or give it keys in routers.yaml."
    if row.env:
        return f"Set {row.env[0]} (or {row.env[0]}S, comma-separated) for {name}."
    return f"Give {name} keys in routers.yaml."
