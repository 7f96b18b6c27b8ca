"""What happened in a case, as far as anything can be expected of it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from gateway.policy.health import State
from gateway.policy.key_pool import KeyState
from gateway.rehearsal.money import Money

END: Final = math.inf
"""The moment at which all is over."""


class Told(msgspec.Struct, frozen=True):
    """A request and its reply. number: in the order of time, from 1. at: when it came; took: seconds to the end of the
    reply. body: kept only where something is expected of it."""

    number: int
    at: float
    took: float
    status: int
    headers: dict[str, str]
    whole: bool
    body: bytes = b""

    @property
    def attempts(self) -> int:
        return int(self.headers.get("x-gateway-attempts", "0"))

    @property
    def provider(self) -> str:
        return self.headers.get("x-gateway-provider", "")

    @property
    def target(self) -> str:
        """Provider and model that answered, empty where none did."""
        model = self.headers.get("x-gateway-model", "")
        return f"{self.provider}/{model}" if model else self.provider


class Called(msgspec.Struct, frozen=True):
    """A call that a provider got. status: 0 where there was no reply. end: as a Sent's. cost: of a complete good reply,
    in nano-USD; None where the price is not known."""

    provider: str
    at: float
    took: float
    key: str
    status: int
    end: str
    path: str
    headers: dict[str, str]
    body: bytes
    model: str = ""
    cost: int | None = 0


class Changed(msgspec.Struct, frozen=True):
    """A breaker or a key that was seen in another state than before."""

    at: float
    what: str
    state: str


class Sample(msgspec.Struct, frozen=True):
    """States at a moment. breakers: by (provider, model label); keys: by provider, by (pool, name). accounts: by whose
    and which window, "" for a balance."""

    breakers: dict[tuple[str, str], State]
    keys: dict[tuple[str, str], KeyState]
    accounts: dict[tuple[str, str], Money] = {}


class Record(msgspec.Struct, frozen=True):
    """told: in the order of their numbers. called: in the order of time. samples: by the moments that were asked for,
    END among them.
    complaints: what must not be in any case: errors that the gateway logged, calls that a script has no answer to."""

    told: list[Told]
    called: list[Called]
    changes: list[Changed]
    samples: dict[float, Sample]
    complaints: list[str]
