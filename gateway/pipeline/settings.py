"""The policies of a route, as numbers."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """How long is waited, in seconds."""

    connect: float = 5.0
    first_token: float = 30.0
    idle: float = 30.0
    total: float = 600.0
