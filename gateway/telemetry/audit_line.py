"""One exchange as a line of the audit log, and back.

Lives here: the shape of a line, which schemas/audit.schema.json is generated from, its encoding and decoding. Must not:
decide what is kept (audit_sink.py), or where. Laws: a line has no line break in it; `record_of(decode(encode(...)))` is
the record again, to the microsecond; a member that nobody here has heard of is passed over.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from gateway.core.exchange import Dialect, Operation, Outcome
from gateway.core.money import NANO
from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage
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


class AuditLine(msgspec.Struct, frozen=True, gc=False):
    """A line. timestamp: when the request began, UTC. tenant_id: the caller's team, else the caller, empty where nobody
    is known. user_id: the end user as the request names it, or `hmac-sha256:` and a hash. id: of this exchange and no
    other. content: only with `privacy.log: full`."""

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

    @property
    def time(self) -> float:
        """Unix seconds of `timestamp`. BrokenLine when it is none."""
        return _seconds_of(self.timestamp)


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What a line has beyond the record. estimated_*: tokens. size: bytes of the body."""

    path: str = ""
    estimated_input: int = 0
    estimated_output: int = 0
    size: int = 0
    digest: str = ""
    features: tuple[Feature, ...] = ()
    choices: int = 1


class _Kind(msgspec.Struct, gc=False):
    schema: str = ""


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(AuditLine)
_KIND: Final = msgspec.json.Decoder(_Kind)
_NO_FACTS: Final = Facts()
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def line_of(record: Record, facts: Facts = _NO_FACTS, content: Content | None = None) -> AuditLine:
    """A record as its line says it."""
    usage = record.usage
    return AuditLine(
        schema=SCHEMA,
        timestamp=_moment(record.time),
        tenant_id=record.team or record.caller,
        user_id=record.user,
        id=record.id,
        request_id=record.request_id,
        router=record.router,
        request=Request(
            model=record.asked,
            prompt_tokens=usage.input,
            max_tokens=record.max_tokens,
            path=facts.path,
            dialect=record.dialect,
            operation=record.operation,
            stream=record.stream,
            estimated_prompt_tokens=facts.estimated_input,
            estimated_completion_tokens=facts.estimated_output,
            bytes=facts.size,
            digest=facts.digest,
            features=facts.features,
            n=facts.choices,
        ),
        response=Response(
            provider=record.provider,
            completion_tokens=usage.output,
            latency_ms=_milliseconds(record.seconds),
            model=record.model,
            key=record.key,
            status=record.status,
            outcome=record.outcome,
            error_code=record.error_code,
            first_byte_ms=_milliseconds(record.first_byte),
            cache=record.cache,
            metered=record.metered,
        ),
        cost=Cost(None if record.cost is None else record.cost / NANO, "USD", record.price_source),
        caller=record.caller,
        team=record.team,
        project=record.project,
        config=record.config,
        rule=record.rule,
        usage=Tokens(
            usage.cached,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
        ),
        saved=Saved(record.saved / NANO, record.saved_by) if record.saved or record.saved_by else None,
        attempts=tuple(
            Tried(
                attempt.provider,
                attempt.model,
                attempt.key,
                attempt.status,
                attempt.fault,
                _milliseconds(attempt.seconds),
            )
            for attempt in record.attempts
        ),
        losses=record.losses,
        content=content,
    )


def record_of(line: AuditLine) -> Record:
    """The record that a line was made from. A user that was hashed stays so."""
    request, response, tokens = line.request, line.response, line.usage
    amount = line.cost.amount
    return Record(
        id=line.id,
        time=line.time,
        request_id=line.request_id,
        caller=line.caller,
        team=line.team,
        project=line.project,
        user=line.user_id,
        router=line.router,
        config=line.config,
        dialect=request.dialect,
        operation=request.operation,
        stream=request.stream,
        asked=request.model,
        provider=response.provider,
        model=response.model,
        key=response.key,
        rule=line.rule,
        status=response.status,
        outcome=response.outcome,
        error_code=response.error_code,
        usage=Usage(
            input=request.prompt_tokens,
            output=response.completion_tokens,
            cached=tokens.cached,
            cache_write_5m=tokens.cache_write_5m,
            cache_write_1h=tokens.cache_write_1h,
            reasoning=tokens.reasoning,
            audio_input=tokens.audio_input,
            audio_output=tokens.audio_output,
        ),
        metered=response.metered,
        cost=None if amount is None else round(amount * NANO),
        price_source=line.cost.source,
        cache=response.cache,
        saved=0 if line.saved is None else round(line.saved.amount * NANO),
        saved_by="" if line.saved is None else line.saved.by,
        seconds=_seconds(response.latency_ms),
        first_byte=_seconds(response.first_byte_ms),
        max_tokens=request.max_tokens,
        attempts=tuple(
            AttemptRecord(tried.provider, tried.model, tried.key, tried.status, tried.fault, _seconds(tried.latency_ms))
            for tried in line.attempts
        ),
        losses=line.losses,
    )


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


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds_of(moment: str) -> float:
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise BrokenLine("its timestamp is none")
    return read.timestamp()


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def _seconds(milliseconds: float) -> float:
    return round(milliseconds / 1e3, 6)
