"""Configs and checks that the scenarios of the cache share."""

from __future__ import annotations

import hashlib
from typing import Final

from tests.support.asgi_client import Response
from tests.support.house import PROVIDERS, Served

KEYS_OF: Final = {"ann": "gw_ann", "bob": "gw_bob", "eve": "gw_eve"}
AUTH: Final = "auth:\n  mode: keys\n  keys:\n" + "".join(
    f"    - {{name: {name}, hash: 'sha256:{hashlib.sha256(key.encode()).hexdigest()}', team: {team}}}\n"
    for (name, key), team in zip(KEYS_OF.items(), ("red", "red", "blue"), strict=True)
)
"""Two callers of one team and one of another."""

BALANCE: Final = "{strategy: priority, providers: [alpha]}"


def caching(directive: str = "max-age=60", more: str = "", top: str = "", router: str = "") -> str:
    """routers.yaml with the router `c`, whose cache has this directive. more: further members of the cache. top: of the
    file; router: of the router, with a comma in front."""
    cache = f"cache: {{directive: '{directive}'{', ' if more else ''}{more}}}"
    balance = f"load-balance: {{chat: {BALANCE}, default: {BALANCE}}}"
    return f"{PROVIDERS}{top}\nrouters:\n  c: {{{balance}, {cache}{router}}}\n  plain: {{{balance}}}\n"


CHAT: Final = "/router/c/v1/chat/completions"
EMBEDDINGS: Final = "/router/c/v1/embeddings"


def said(reply: Response) -> str | None:
    """What the cache did."""
    return reply.headers.get("x-gateway-cache")


def as_caller(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS_OF[name]}"}


def calls(served: Served) -> int:
    return len(served.upstream.sent)
