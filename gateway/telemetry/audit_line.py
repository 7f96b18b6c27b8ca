"""The lines of the audit log: their shape, which schemas/audit.schema.json is generated from, encoding and decoding.

Must not: decide what is kept (audit_sink.py), or where. Laws: a line has no line break in it; decoding gives what was
encoded; a member that nobody here has heard of is passed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from gateway.core.exchange import Dialect, Operation, Outcome
from gateway.dialects.shape import Feature

SCHEMA: Final = "gateway.audit/1"
"""What a line says it is. The number changes when a member goes or means something else, not when one is added."""
_FAMILY: Final = SCHEMA.partition("/")[0] + "/"


class NotALine(ValueError):
    """What stands there is no line of this audit log."""


class BrokenLine(NotALine):
    """Not JSON, or not what its schema says: half written, or changed since."""


class ForeignLine(NotALine):
    """JSON of somebody else's, or a later version of ours."""


class Tried(msgspec.Struct, frozen=True, gc=False):
    """One attempt upstream. key: the name of the provider's key. fault: what went wrong, empty when nothing did."""

    provider: str
    model: str
    key: str
    status: int = 0
    fault: str = ""
    latency_ms: float = 0.0


class Request(msgspec.Struct, frozen=True, gc=False):
    """What was asked. prompt_tokens: as used, 0 where nothing was. max_tokens: 0 when not said. path: below the
    router's own. estimated_*: as thought of before anybody was asked. bytes, digest: of the body; two with one digest
    ask for the same."""

    model: str
    prompt_tokens: int
    max_tokens: int
    path: str = ""
    dialect: Dialect = "other"
    operation: Operation = "other"
    stream: bool = False
    estimated_prompt_tokens: int = 0
    estimated_completion_tokens: int = 0
    bytes: int = 0
    digest: str = ""
    features: tuple[Feature, ...] = ()
    n: int = 1


class Response(msgspec.Struct, frozen=True, gc=False):
    """What came of it. provider, model, key: of the one who answered, empty for nobody. latency_ms: from the first byte
    of the request to the last of the reply; first_byte_ms: to the first of a stream, 0 where there was none. metered:
    the provider itself has counted the tokens."""

    provider: str
    completion_tokens: int
    latency_ms: float
    model: str = ""
    key: str = ""
    status: int = 0
    outcome: Outcome = "ok"
    error_code: str = ""
    first_byte_ms: float = 0.0
    cache: str = ""
    metered: bool = False


class Tokens(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Parts of the prompt and completion tokens that have prices of their own. What is 0 is left out."""

    cached: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    audio_cached: int = 0
    image_input: int = 0
    image_cached: int = 0
    image_output: int = 0


class Cost(msgspec.Struct, frozen=True, gc=False):
    """amount: null where the price is not known. Exact to a billionth. source: where the price is from."""

    amount: float | None
    currency: str
    source: str = ""


class Saved(msgspec.Struct, frozen=True, gc=False):
    """What was not spent, thanks to `by`: `cache`, `target` or `free-key`."""

    amount: float
    by: str


class Content(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The bodies, as `privacy.log: full` keeps them. request, response: texts, in lines that are not encrypted. key,
    nonce, sealed: in lines that are: the key's id, and base64 of AES-256-GCM over this object's JSON. cut: what is not
    there to its end."""

    request: str = ""
    response: str = ""
    cut: tuple[str, ...] = ()
    key: str = ""
    nonce: str = ""
    sealed: str = ""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What was changed through the admin API. event: as in the log. fields: what and to what."""

    event: str
    fields: dict[str, str | int]


class AuditLine(msgspec.Struct, frozen=True, gc=False):
    """A line. timestamp: when the request began, UTC. tenant_id: the caller's team, else the caller, empty where nobody
    is known. user_id: the end user as the request names it, or `hmac-sha256:` and a hash. id: of this exchange and no
    other. content: only with `privacy.log: full`. change: only of requests to the admin API that have changed
    something."""

    schema: str
    timestamp: str
    tenant_id: str
    user_id: str
    id: str
    request_id: str
    router: str
    request: Request
    response: Response
    cost: Cost
    caller: str = ""
    team: str = ""
    project: str = ""
    config: str = ""
    rule: str = ""
    usage: Tokens = Tokens()
    saved: Saved | None = None
    attempts: tuple[Tried, ...] = ()
    losses: tuple[str, ...] = ()
    content: Content | None = None
    change: Change | msgspec.UnsetType = msgspec.UNSET

    @property
    def time(self) -> float:
        """Unix seconds of `timestamp`. BrokenLine when it is none."""
        return _seconds_of(self.timestamp)


class _Kind(msgspec.Struct, gc=False):
    schema: str = ""


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(AuditLine)
_KIND: Final = msgspec.json.Decoder(_Kind)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def encode(line: AuditLine) -> bytes:
    """JSON, without the line break that ends it."""
    return _ENCODER.encode(line)


def decode(text: bytes) -> AuditLine:
    """A line, with or without its line break. BrokenLine or ForeignLine for what is none, told without its text."""
    try:
        kind = _KIND.decode(text).schema
    except _UNREADABLE:
        raise (ForeignLine("JSON of another kind") if _is_json(text) else BrokenLine("not whole JSON")) from None
    if kind != SCHEMA:
        what = f"a line of another version, {kind:.40}" if kind.startswith(_FAMILY) else "JSON of another kind"
        raise ForeignLine(what)
    try:
        line = _DECODER.decode(text)
    except _UNREADABLE as error:
        raise BrokenLine(str(error)) from None
    _seconds_of(line.timestamp)
    return line


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except _UNREADABLE:
        return False
    return True


def _seconds_of(moment: str) -> float:
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise BrokenLine("its timestamp is none")
    return read.timestamp()
