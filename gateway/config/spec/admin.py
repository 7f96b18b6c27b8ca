"""`admin`: the admin API."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import KEY_NAME, Base, Confidential, KeyHash, Moment


class AdminKey(Confidential, frozen=True):
    """A key of the admin API. Only its hash stands here: `gateway keys new NAME --admin read` prints the key once and
    this entry."""

    name: Annotated[str, Meta(pattern=KEY_NAME, description="How logs and entries of quotas name its bearer.")]
    hash: Annotated[
        KeyHash,
        Meta(description="`sha256:`, or `hmac-sha256:` (keyed with `auth.pepper`), and the hex digest of the key."),
    ]
    role: Annotated[
        Literal["read", "write"],
        Meta(description="`read` looks; `write` may also change quotas, restore targets and reload."),
    ] = "read"
    expires: Annotated[
        Moment | None, Meta(description="The last day on which it is good, to its end in UTC, or a moment.")
    ] = None


class AdminSettings(Base, frozen=True):
    """The admin API, under `/admin/api`. Absent: there is none."""

    keys: Annotated[
        tuple[AdminKey, ...],
        Meta(description="Who may use it. None: whoever is on this machine, and only where loopback is listened on."),
    ] = ()
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="A port of its own; absent: it is on the port of `server`. Read at the start."),
    ] = None
    host: Annotated[
        str | None,
        Meta(
            description="The address that `port` is on; absent: that of `server`. Another than loopback needs `keys`."
        ),
    ] = None
