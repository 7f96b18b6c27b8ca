"""What is known of a provider: one row of the catalog, or the same thing written in routers.yaml."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.core.exchange import Dialect, Operation

Auth = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "xi-api-key", "token", "key", "sigv4", "none"]
"""How a credential is sent. `bearer`, `token` and `key` are schemes of the authorization header
(`Bearer K`, `Token K`, `Key K`); names with dashes are headers of their own. `sigv4` signs each request for AWS with
the key pair `ACCESS_KEY_ID:SECRET_ACCESS_KEY` (`:SESSION_TOKEN` behind it for temporary ones), and sends any other key
as a bearer."""


class Surface(msgspec.Struct, frozen=True, kw_only=True):
    """The operations that a provider answers in one dialect, and where.

    root is what stands between the origin and the version segment (`/openai` at Groq), version the
    segment that goes in front of an api path that has none (`v1`; `` for none). operations are the
    ones that the provider has. auth where it differs from the row's own. stopgap: the vendor's own translation of
    another of its surfaces, that leaves things out unsaid: a router translates to that one instead where it can.

    Where the vendor has an api of its own making: path and stream_path are what an api path becomes, `{suffix}` that
    of the dialect and `{model}` the model; stream_path is `` where a stream has the same. body: what the body says
    that the dialect has in a header, and then it does not name the model. models: patterns of those that it serves;
    () for all that no other surface of the row claims so.
    """

    dialect: Dialect
    operations: tuple[Operation, ...]
    root: str = ""
    version: str = "v1"
    auth: Auth | None = None
    stopgap: bool = False
    path: str = "{suffix}"
    stream_path: str = ""
    body: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an address that an account or a choice decides, written `${env:variable}` in it.

    setting: the provider's key in routers.yaml that says it too. others: variables that are read as well. default:
    what it is where nobody says. origin: the origins that belong to values that are not simply put in.
    """

    variable: str
    setting: Literal["project", "region", "api-version"]
    others: tuple[str, ...] = ()
    default: str = ""
    origins: tuple[tuple[str, str], ...] = ()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is known by name. context: tokens of the whole window, 0 where not known.
    vision, tools: what it can take, None where not known."""

    name: str
    context: int = 0
    max_output: int = 0
    vision: bool | None = None
    tools: bool | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One provider.

    name: as in routers.yaml and in `/<provider>/`. title: as the vendor writes it. origin: scheme, host and port, no
    path; may hold `${env:NAME}` where it depends on an account. env: the environment variables that hold its key,
    the first is the one that messages name (`X_API_KEY`; `X_API_KEYS` with commas is always
    read too). surfaces: the first is the native one, and the one a path nobody knows goes to.
    families: glob patterns of model names that are this provider's own, for `/ai/`.
    models: known names; never an allow-list. open_models: it serves names that nobody here can
    know (an aggregator, a local server). stream_usage: whether usage in a stream comes by itself
    (`always`), when asked for with stream_options (`ask`) or not at all (`never`).
    local: a server on the user's own machine, that needs no key.
    places: what its address depends on besides plain variables. dated: the surfaces that it has in place of the others
    when an `api-version` is configured. vendors: rows whose models it serves by their vendor's names. lender: whose
    tokens it takes, and lent_by the variables that lead to one.
    headers: sent with every request (`anthropic-version`) unless the client sent its own.
    retired: the day from which the vendor no longer answers at this origin, as `2026-07-30`; `` while it
    does. Such a row is of use with a base URL of one's own only.
    source: where the facts were read, with the date.
    """

    name: str
    title: str
    origin: str
    surfaces: tuple[Surface, ...]
    auth: Auth = "bearer"
    env: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    models: tuple[Model, ...] = ()
    open_models: bool = False
    stream_usage: Literal["always", "ask", "never"] = "ask"
    local: bool = False
    places: tuple[Place, ...] = ()
    dated: tuple[Surface, ...] = ()
    vendors: tuple[str, ...] = ()
    lender: Literal["", "google", "azure", "aws"] = ""
    lent_by: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    retired: str = ""
    source: str = ""
