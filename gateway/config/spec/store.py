"""`store`: state that replicas share."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Confidential, Duration


class StoreSettings(Confidential, frozen=True):
    """State shared by replicas: limits and cache."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(memory|redis|rediss|redis\+sentinel|redis\+cluster)://",
            description="Where it is kept: `memory://` (each process its own), or a Redis or Valkey: `redis://:PASSWORD@host:6379/0`, `rediss://` by TLS, `redis+sentinel://host:26379,host:26379/service`, `redis+cluster://host:6379,host:6379`. `?ssl_ca_certs=FILE` names the authority to trust, `?tls=true` asks for TLS of the last two.",
            examples=["${env:REDIS_URL}", "redis://redis.internal:6379/0"],
        ),
    ] = "memory://"
    on_outage: Annotated[
        Literal["local", "open", "closed"],
        Meta(description="While the store is away: limit per process, let through, or refuse."),
    ] = "local"
    timeout: Annotated[
        Duration, Meta(description="How long one call of the store may take. A later answer is an outage.")
    ] = "250ms"
    client: Annotated[
        Literal["lean", "redis-py"],
        Meta(
            description="How a Redis is spoken to: `lean` is the gateway's own connection, the fast one; `redis-py` is that library."
        ),
    ] = "lean"
    key_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
            description="What every key in a Redis begins with. Gateways with the same prefix share their state.",
        ),
    ] = "gateway:"
