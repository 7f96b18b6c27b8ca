"""A provider as it can be reached: its surfaces as ready URLs, its key pool, its transport.

Built once when a config is assembled. What lives here is look-up; nothing here awaits.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import quote

import msgspec

from gateway.core.exchange import Dialect, Operation
from gateway.core.secret import LentSecret, Secret
from gateway.policy.key_pool import KeyPool
from gateway.providers.row import Auth, Model, Surface
from gateway.upstream.transport import Transport, UpstreamRequest

Knowledge = Literal["knows", "open", "passes", "refuses"]
"""How sure an endpoint is of a model: it knows the name; its list is open by nature (an aggregator, a
local server); it has not heard of it but would let it pass; it is closed, or it is another vendor's."""


Sign = Callable[[UpstreamRequest, Secret], Awaitable[list[tuple[str, str]]]]
"""The headers that prove a request, the whole of it being known, with a key that is not simply sent. None of them may
be in the request already. UpstreamFault("unauthorized") where a token is needed and none is to be had."""

_VERSION = re.compile(r"v[0-9]+[a-z0-9.]*")


class Site(msgspec.Struct, frozen=True):
    """Where one dialect of an endpoint is. prefix: origin and root, no trailing slash. version: the
    segment put in front of an api path without one. root: the path within prefix. The rest as a Surface's."""

    dialect: Dialect
    prefix: str
    root: str
    version: str
    auth: Auth
    fixed_version: bool
    stopgap: bool = False
    path: str = "{suffix}"
    stream_path: str = ""
    body: Mapping[str, str] | None = None
    models: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def takes(self, model: str) -> bool:
        """Whether a model is served here. others: patterns of those that another surface claims."""
        if self.models:
            return any(fnmatchcase(model, pattern) for pattern in self.models)
        return not any(fnmatchcase(model, pattern) for pattern in self.others)

    def url(self, suffix: str, version: str = "", model: str = "", *, streamed: bool = False) -> str:
        """The URL of an api path below its version segment. version: the one that the client wrote,
        which counts where the dialect has several in use."""
        segment = self.version if self.fixed_version or not version else version
        path = (self.stream_path if streamed and self.stream_path else self.path).replace("{suffix}", suffix)
        path = path.replace("{model}", quote(model, safe=""))
        return f"{self.prefix}/{segment}{path}" if segment else f"{self.prefix}{path}"

    def raw_url(self, suffix: str, version: str) -> str:
        """The URL of a path that nobody here knows: as the client wrote it, with the root and the
        version segment put in front where it left them out."""
        path = f"/{version}{suffix}" if version else suffix
        if self.root and path.startswith(f"{self.root}/"):
            path = path[len(self.root) :]
        first = path[1:].partition("/")[0]
        if not _VERSION.fullmatch(first):
            return f"{self.prefix}/{self.version}{path}" if self.version else f"{self.prefix}{path}"
        if self.prefix.endswith(f"/{first}"):
            path = path[len(first) + 1 :]
        return self.prefix + path


class Endpoint:
    """One provider at one address. deployed: what models are called there, where that is the account's own choice.
    traced: it is told of the trace that a request belongs to."""

    __slots__ = (
        "_known", "_patterns", "authorizations", "closed", "deployed", "find_model", "headers", "missing_key_hint",
        "models", "name", "notice", "open_models", "origin", "pool", "sign", "sites", "stream_usage", "surfaces",
        "title", "traced", "transport",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        title: str,
        origin: str,
        surfaces: tuple[Surface, ...],
        auth: Auth,
        pool: KeyPool,
        transport: Transport,
        models: tuple[str, ...] = (),
        patterns: tuple[str, ...] = (),
        open_models: bool = False,
        closed: bool = False,
        stream_usage: Literal["always", "ask", "never"] = "ask",
        headers: tuple[tuple[str, str], ...] = (),
        find_model: Callable[[str], Model | None] = lambda model: None,
        missing_key_hint: str = "",
        exact_prefix: bool = False,
        notice: Callable[[str, Mapping[str, str | int | float]], None] = lambda event, fields: None,
        sign: Sign | None = None,
        deployed: Mapping[str, str] | None = None,
        traced: bool = False,
    ) -> None:
        self.name = name
        self.title = title
        self.origin = origin
        self.pool = pool
        self.transport = transport
        self.closed = closed
        self.open_models = open_models
        self.stream_usage = stream_usage
        self.headers = headers
        self.find_model = find_model
        self.missing_key_hint = missing_key_hint
        self.notice = notice
        self.sign = sign
        self.deployed = deployed or {}
        self.traced = traced
        self.authorizations: dict[Auth, dict[Secret, tuple[str, str] | None]] = {}
        self.models = models
        self._known = frozenset(models)
        self._patterns = patterns
        claimed = tuple(pattern for s in surfaces for pattern in s.models)
        self.surfaces = tuple(
            Site(
                s.dialect,
                origin + s.root,
                s.root,
                s.version,
                s.auth or auth,
                exact_prefix or s.dialect != "gemini" or not s.version,
                s.stopgap,
                s.path,
                s.stream_path,
                dict(s.body) if s.body else None,
                s.models,
                () if s.models else claimed,
            )
            for s in surfaces
        )
        self.sites: Mapping[tuple[Dialect, Operation], Site] = {
            (s.dialect, operation): site
            for s, site in reversed(list(zip(surfaces, self.surfaces, strict=True)))
            for operation in s.operations
        }

    def knowledge_of(self, model: str, owners: tuple[str, ...]) -> Knowledge:
        """How sure this endpoint is of a bare model name. owners: the providers whose own the name
        is by the catalog."""
        if model in self._known or any(fnmatchcase(model, pattern) for pattern in self._patterns):
            return "knows"
        if self.closed:
            return "refuses"
        if self.name in owners or self.find_model(model) is not None:
            return "knows"
        if self.open_models:
            return "open"
        return "refuses" if owners else "passes"


def authorization(auth: Auth, key: Secret) -> tuple[str, str] | None:
    """The header that carries a key, or None where none is sent, or not the key itself."""
    if isinstance(key, LentSecret):
        return None
    match auth:
        case "sigv4":
            # The request is signed when all of it is known.
            return None
        case "none":
            return None if not key.reveal() else ("authorization", f"Bearer {key.reveal()}")
        case "bearer":
            return ("authorization", f"Bearer {key.reveal()}")
        case "token":
            return ("authorization", f"Token {key.reveal()}")
        case "key":
            return ("authorization", f"Key {key.reveal()}")
        case _:
            return (auth, key.reveal())
