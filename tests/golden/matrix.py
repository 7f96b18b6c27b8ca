"""The golden matrix: every case of one dialect, as every other dialect would have it.

Lives here: what a case file holds, and how its expected files come about. Reading and writing dialects is the codecs'
work alone; nothing here knows a wire format but the framing that a case may ask for (README.md).
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import Echo, Encoded, End, Event, Failed, Loss, TargetFacts
from gateway.dialects.codec import Codec
from gateway.dialects.sniff import read_call
from gateway.dialects.sse import spans
from gateway.dialects.unsaid import unsaid
from tests.support.eventstream import frame

HERE: Final = Path(__file__).parent

PACKAGES: Final = {
    "openai-chat": "openai_chat",
    "openai-responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "cohere": "cohere",
    "bedrock": "bedrock",
    "ollama": "ollama",
}
CLIENTS: Final = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""Dialects that clients speak; the others are providers' alone."""

PATHS: Final = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/gemini-2.5-flash:generateContent",
}
MINIMUM: Final[dict[str, int]] = {
    "openai-chat": 25,
    "openai-responses": 25,
    "anthropic": 25,
    "gemini": 25,
    "cohere": 25,
    "bedrock": 25,
    "ollama": 25,
}
"""Cases from published examples that a finished dialect has at least, beside those that were written here; a dialect
that is not in here is still being written."""


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case file; README.md says what each member is for."""

    source: str
    date: str
    kind: Literal["request", "reply", "stream"]
    note: str
    input: msgspec.Raw
    facts: dict[str, str | int | bool | None] = {}
    path: str = ""
    echo: dict[str, str | int | bool] = {}
    encoding: Literal["text", "base64", "eventstream"] = "text"
    cut: int = 0
    headers: dict[str, str] = {}


class _Frame(msgspec.Struct, frozen=True):
    """A message of the binary event stream: `event` is its `:event-type`, or `exception` its `:exception-type`."""

    body: msgspec.Raw
    event: str = ""
    exception: str = ""


def codecs() -> dict[str, Codec]:
    """Every codec that exists."""
    found: dict[str, Codec] = {}
    for name, package in PACKAGES.items():
        dotted = f"gateway.dialects.{package}"
        try:
            module = importlib.import_module(dotted)
        except ModuleNotFoundError as error:
            if error.name != dotted:
                raise
            continue
        if hasattr(module, "CODEC"):
            found[name] = module.CODEC
    return found


def cases(dialect: str) -> list[Path]:
    """The case files of a dialect, in order of their names."""
    return sorted(path for path in (HERE / dialect).glob("*.json") if ".to." not in path.name)


def load(path: Path) -> Case:
    return msgspec.json.decode(path.read_bytes(), type=Case)


def targets(dialect: str, kind: str) -> list[str]:
    """The dialects that a case is written in: of a request every provider's, of a reply or a stream every client's."""
    names = PACKAGES if kind == "request" else CLIENTS
    return [name for name in names if name != dialect and name in codecs()]


def expected_path(case: Path, target: str) -> Path:
    return case.with_name(f"{case.stem}.to.{target}.json")


def render(dialect: str, case: Case, target: str) -> str:
    """What the expected file holds when all is well."""
    known = codecs()
    source, written = known[dialect], known[target]
    if case.kind == "request":
        shown = _request(source, written, dialect, case)
    elif case.kind == "reply":
        shown = _reply(source, written, case)
    else:
        shown = _stream(source, written, case)
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def _request(source: Codec, target: Codec, dialect: str, case: Case) -> dict[str, object]:
    body = _whole(case)
    path, _, query = (case.path or PATHS[dialect]).partition("?")
    try:
        call = read_call("POST", path, query.encode(), b"application/json", body)
        request = source.read_request(body, call)
    except GatewayError as error:
        return {"error": {"code": error.code, "param": error.param}}
    facts = msgspec.convert({"model": "target-model", **case.facts}, TargetFacts)
    encoded = target.write_request(request, facts)
    return {
        "body": json.loads(encoded.body),
        "losses": [_loss(loss) for loss in (*request.lost, *encoded.losses)],
        **_format_tool(encoded),
    }


def _format_tool(encoded: Encoded) -> dict[str, object]:
    return {"format_tool": encoded.format_tool} if encoded.format_tool else {}


def _loss(loss: Loss) -> dict[str, str]:
    return {"field": loss.field, "effect": loss.effect, **({"note": loss.note} if loss.note else {})}


def _reply(source: Codec, target: Codec, case: Case) -> dict[str, object]:
    try:
        answer = source.read_reply(_whole(case), headers_of(case))
    except UpstreamFault as fault:
        return {"error": {"code": fault.kind, "param": None}}
    lost = [_loss(loss) for loss in unsaid(answer, target.room)]
    return {"body": json.loads(target.write_reply(answer, _echo(case))), **({"losses": lost} if lost else {})}


def _stream(source: Codec, target: Codec, case: Case) -> dict[str, object]:
    reader = source.stream_reader(headers_of(case))
    writer = target.stream_writer(_echo(case))
    written = bytearray()
    seen: list[Event] = []
    shown: dict[str, object] = {}
    try:
        for chunk in chunks(case):
            found = reader.feed(chunk)
            seen += found
            written += writer.write(found)
        found = reader.end()
        seen += found
        written += writer.write(found)
    except UpstreamFault as fault:
        shown["error"] = {"code": fault.kind, "param": None}
    shown["complete"] = any(isinstance(event, End) for event in seen)
    for event in seen:
        if isinstance(event, Failed):
            shown["failed"] = {"message": event.message, "status": event.status, "kind_hint": event.kind_hint}
    shown["output"] = [span.decode() for span in spans(bytes(written))]
    return shown


def _echo(case: Case) -> Echo:
    return msgspec.convert({"id": "id-of-request", "model": "asked-model", "created": 1_700_000_000, **case.echo}, Echo)


def headers_of(case: Case) -> Headers:
    """Those of the reply."""
    return [(name.encode(), value.encode()) for name, value in case.headers.items()]


def _whole(case: Case) -> bytes:
    """The JSON of the file without the white space it is laid out with; a string is the body itself, for what is no
    JSON."""
    raw = bytes(case.input)
    return str(json.loads(raw)).encode() if raw[:1] == b'"' else msgspec.json.format(raw, indent=-1)


def chunks(case: Case) -> Iterator[bytes]:
    """A stream as it arrives."""
    if case.encoding == "eventstream":
        frames = msgspec.json.decode(bytes(case.input), type=list[_Frame])
        pieces = [
            frame(one.event, msgspec.json.format(bytes(one.body), indent=-1), exception=one.exception) for one in frames
        ]
    else:
        texts = json.loads(bytes(case.input))
        pieces = [base64.b64decode(text) if case.encoding == "base64" else text.encode() for text in texts]
    if not case.cut:
        return iter(pieces)
    whole = b"".join(pieces)
    return (whole[at : at + case.cut] for at in range(0, len(whole), case.cut))
