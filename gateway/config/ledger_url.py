"""The address of the ledger, read out of `ledger.url`.

    sqlite:///FILE              a path relative to the working folder; sqlite:////FILE is absolute
    postgresql://[user[:password]@]host[:port][,...]/database[?parameters]       postgres:// is the same

Parameters of PostgreSQL: those of TLS (`sslmode`, `sslrootcert`, `sslcert`, `sslkey`), `target_session_attrs` and
`application_name`.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from gateway.core.secret import Secret

Kind = Literal["sqlite", "postgresql"]

_KINDS: Final[dict[str, Kind]] = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_PARAMETERS: Final = (
    "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs", "application_name",
)  # fmt: skip


class LedgerUrl(msgspec.Struct, frozen=True):
    """path: of the file, `` for PostgreSQL. dsn: the whole address of a server, None for a file. secrets: the dsn and
    the password in it, as they are written and as they are meant. place: where it is, as logs say it."""

    kind: Kind
    place: str
    path: str = ""
    dsn: Secret | None = None
    secrets: tuple[Secret, ...] = ()


def read_ledger_url(text: str) -> LedgerUrl:
    """ValueError with what is wrong, and nothing of a credential."""
    scheme, _, rest = text.partition("://")
    kind = _KINDS.get(scheme)
    if kind is None:
        raise ValueError("it begins with neither sqlite:/// nor postgresql://")
    if kind == "sqlite":
        if not rest.startswith("/"):
            raise ValueError("three slashes come before a file: sqlite:///gateway.db")
        path = unquote(rest[1:])
        if not path or path.endswith("/"):
            raise ValueError("the name of the file is missing: sqlite:///gateway.db")
        if "\0" in path or "?" in path or path == ":memory:":
            raise ValueError("it is a file, and nothing follows its name")
        return LedgerUrl("sqlite", path, path=path)
    rest, _, query = rest.partition("?")
    authority, _, database = rest.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    if not hosts:
        raise ValueError("a host is missing: postgresql://host/database")
    if not database or "/" in database:
        raise ValueError("the name of the database is missing: postgresql://host/database")
    if at and not user:
        raise ValueError("a user is missing before the password")
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise ValueError(f"only {', '.join(f'`{known}`' for known in _PARAMETERS)} may follow the question mark")
    secrets = [Secret("ledger", form) for form in dict.fromkeys((password, unquote(password))) if form]
    dsn = Secret("ledger", f"postgresql://{text.partition('://')[2]}")
    return LedgerUrl("postgresql", f"{hosts}/{database}", dsn=dsn, secrets=tuple(secrets))
