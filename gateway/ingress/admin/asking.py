"""One request to the admin API, as its pages see it, and what a page may answer other than a struct."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from gateway.core.errors import GatewayError
from gateway.ingress.admin.csv_text import Cell
from gateway.ingress.admin.login import Bearer
from gateway.ingress.admin.query import Pairs

T = TypeVar("T")


class Table(msgspec.Struct, frozen=True):
    """A table that is sent as CSV while it is read. name: of the file."""

    name: str
    head: Sequence[str]
    rows: AsyncIterator[Sequence[Cell]]


class Asked:
    """A request. now: Unix seconds. pairs: its query. headers: by lower-case name. content: its body.
    noted: what it has changed, for the log."""

    __slots__ = ("bearer", "content", "headers", "noted", "now", "pairs")

    def __init__(self, bearer: Bearer, now: float, pairs: Pairs, headers: Mapping[str, str], content: bytes) -> None:
        self.bearer = bearer
        self.now = now
        self.pairs = pairs
        self.headers = headers
        self.content = content
        self.noted: list[tuple[str, dict[str, str | int]]] = []

    @property
    def by(self) -> str:
        """Who asks, as it is written down."""
        return f"admin:{self.bearer.name}" if self.bearer.name else "admin"

    @property
    def wants_csv(self) -> bool:
        """Whether that is what it accepts, before anything else."""
        first = self.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
        return first == "text/csv"

    def body(self, kind: type[T]) -> T:
        """Its body, as JSON. GatewayError."""
        try:
            return msgspec.json.decode(self.content, type=kind)
        except msgspec.ValidationError as error:
            said, _, where = str(error).partition(" - at `$")
            param = where.strip("`.") or None
            raise GatewayError("invalid_request", f"{said}.", param=param) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GatewayError("malformed_body", f"The body is not JSON: {error}.") from None

    def note(self, event: str, **fields: str | int) -> None:
        """Something was changed."""
        self.noted.append((event, fields))
