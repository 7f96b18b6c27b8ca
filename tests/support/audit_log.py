"""Lines of an audit log, as requests that were answered well leave them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.core.exchange import Dialect, Operation
from gateway.telemetry.audit_line import SCHEMA, AuditLine, Cost, Request, Response, Tokens, Tried, encode

BEGAN = 1_800_000_000.0


def line(
    number: int,
    at: float,
    *,
    router: str = "a",
    provider: str = "openai",
    model: str = "gpt-5.5",
    asked: str = "gpt-5.5",
    seconds: float = 0.5,
    tries: tuple[Tried, ...] = (),
    caller: str = "ci",
    team: str = "ml",
    digest: str = "",
    path: str = "/chat/completions",
    dialect: Dialect = "openai",
    operation: Operation = "chat",
    stream: bool = False,
    tokens: tuple[int, int] = (1000, 100),
    cached: int = 0,
    status: int = 200,
    cache: str = "",
    error_code: str = "",
    config: str = "",
) -> AuditLine:
    """Request `number`, so many seconds after the log begins. tries: without any, one that went well."""
    moment = datetime.fromtimestamp(BEGAN + at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    answered = provider if status < 400 else ""
    return AuditLine(
        schema=SCHEMA,
        timestamp=moment,
        tenant_id=team or caller,
        user_id="",
        id=f"id-{number}",
        request_id=f"req-{number}",
        router=router,
        request=Request(
            asked, tokens[0], 0, path=path, dialect=dialect, operation=operation, stream=stream,
            estimated_prompt_tokens=tokens[0], estimated_completion_tokens=400, digest=digest or f"digest-{number}",
        ),
        response=Response(
            answered, tokens[1], seconds * 1e3, model=model if answered else "", key="K", status=status, cache=cache,
            first_byte_ms=seconds * 250 if stream else 0.0, metered=True, error_code=error_code,
            outcome="ok" if status < 400 else "error",
        ),
        cost=Cost(0.0, "USD"),
        caller=caller,
        team=team,
        config=config,
        usage=Tokens(cached=cached),
        attempts=tries or ((Tried(provider, model, "K", 200, "", seconds * 1e3),) if not cache else ()),
    )  # fmt: skip


def write(path: Path, lines: Iterable[AuditLine | bytes]) -> Path:
    """Each in a line of its own; bytes as they are."""
    path.write_bytes(b"".join((one if isinstance(one, bytes) else encode(one)) + b"\n" for one in lines))
    return path


def with_attempt(one: AuditLine, *tries: Tried) -> AuditLine:
    return msgspec.structs.replace(one, attempts=tries)
