"""Types that several parts of the spec are written in, and what every mapping in it is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.core.moments import MOMENT
from gateway.core.units import DURATION, SIZE

Duration = Annotated[
    str, Meta(pattern=DURATION, description="A duration: `250ms`, `1s`, `5m`, `1h`, `30d`.", examples=["30s"])
]
Size = Annotated[str, Meta(pattern=SIZE, description="A size: `64KiB`, `32MiB`.", examples=["32MiB"])]
Weight = (
    Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$", description="An exact decimal, as a string: `'0.7'`.")]
    | Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0)]
)
Url = Annotated[str, Meta(pattern=r"^https?://", examples=["http://vllm.internal:8000/v1"])]
RouterName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,12}$")]
Probability = Annotated[float, Meta(ge=0, le=1)]
Moment = Annotated[
    str, Meta(pattern=MOMENT, description="A day, or a moment with its offset.", examples=["2027-01-31"])
]
KEY_NAME = r"^[A-Za-z0-9_.-]{1,64}$"
KEY_HASH = r"^(?:hmac-)?sha256:[0-9a-f]{64}$"
OWNED_FILES = r"^[^/\s#!\[\]\\][^\s#!\[\]\\]*$"
OWNER_NAME = r"^(?:@[A-Za-z0-9-]+(?:/[A-Za-z0-9._-]+)?|[^@\s]+@[^@\s]+)$"
KeyHash = Annotated[str, Meta(pattern=KEY_HASH, examples=["sha256:..."])]


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Kebab-case keys, unknown keys refused."""


class Confidential(Base, frozen=True):
    """What holds a credential prints as its kind alone, wherever it is nested."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
