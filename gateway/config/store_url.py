"""The address of the shared store, read out of `store.url`.

    memory://
    redis://[user:password@]host[:port][/db]            rediss:// is the same by TLS
    redis+sentinel://[...@]host[:port][,...]/service[/db]
    redis+cluster://[...@]host[:port][,...]

Parameters: `tls=true` for the last two, `ssl_ca_certs=FILE` for any with TLS.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from gateway.core.secret import Secret

Kind = Literal["memory", "redis", "sentinel", "cluster"]

_SCHEMES: Final[dict[str, tuple[Kind, bool]]] = {
    "memory": ("memory", False),
    "redis": ("redis", False),
    "rediss": ("redis", True),
    "redis+sentinel": ("sentinel", False),
    "redis+cluster": ("cluster", False),
}
_PORTS: Final[dict[Kind, int]] = {"memory": 0, "redis": 6379, "sentinel": 26379, "cluster": 6379}


class StoreUrl(msgspec.Struct, frozen=True):
    """nodes: host and port; of the sentinels, or of some nodes of the cluster. ca_certs: a file, or `` for the
    system's own. username: `` is the server's default user."""

    kind: Kind
    nodes: tuple[tuple[str, int], ...] = ()
    service: str = ""
    database: int = 0
    username: str = ""
    password: Secret | None = None
    tls: bool = False
    ca_certs: str = ""

    def place(self) -> str:
        """Where it is, as logs say it: no credential."""
        return ",".join(f"{host}:{port}" for host, port in self.nodes)


def read_store_url(text: str) -> StoreUrl:
    """ValueError with what is wrong, and nothing of a credential."""
    scheme, _, rest = text.partition("://")
    if scheme not in _SCHEMES:
        raise ValueError(f"it begins with none of {', '.join(f'{name}://' for name in _SCHEMES)}")
    kind, tls = _SCHEMES[scheme]
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    if kind == "memory":
        if authority or path or query:
            raise ValueError("nothing follows memory://")
        return StoreUrl(kind)
    # The last one: a password may hold an @ that nobody has encoded.
    credentials, at, hosts = authority.rpartition("@")
    username, _, password = credentials.partition(":")
    nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
    if kind == "redis" and len(nodes) > 1:
        raise ValueError("one host is expected; several belong to redis+sentinel:// or redis+cluster://")
    parts = [unquote(part) for part in path.split("/") if part]
    service = ""
    if kind == "sentinel":
        if not parts:
            raise ValueError("the name of the service is missing: redis+sentinel://host:26379/mymaster")
        service = parts.pop(0)
    if kind == "cluster" and parts:
        raise ValueError("a cluster has no numbered databases; nothing follows its hosts")
    if len(parts) > 1 or (parts and not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 10)):
        raise ValueError("the database is a number: redis://host:6379/0")
    tls, ca_certs = _parameters(query, tls, may_ask=kind != "redis")
    return StoreUrl(
        kind=kind,
        nodes=nodes,
        service=service,
        database=int(parts[0]) if parts else 0,
        username=unquote(username),
        password=Secret("store", unquote(password)) if at and password else None,
        tls=tls,
        ca_certs=ca_certs,
    )


def _node(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, str(default_port)
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise ValueError("a host is missing")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535):
        raise ValueError("a port is a number from 1 to 65535")
    return host, int(port)


def _parameters(query: str, tls: bool, *, may_ask: bool) -> tuple[bool, str]:
    ca_certs = ""
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "tls" and may_ask:
            if value not in ("true", "false"):
                raise ValueError("`tls` is true or false")
            tls = value == "true"
        elif name == "ssl_ca_certs":
            ca_certs = value
        else:
            known = "`tls` and `ssl_ca_certs`" if may_ask else "`ssl_ca_certs`"
            raise ValueError(f"only {known} may follow the question mark")
    if ca_certs and not tls:
        raise ValueError("`ssl_ca_certs` is for TLS: " + ("add `tls=true`" if may_ask else "rediss://"))
    return tls, ca_certs
