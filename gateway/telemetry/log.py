"""Lines on standard output, as text for people or JSON for machines, with no credential in them.

Our own lines are an event's name and fields. Lines of the libraries come through the logging
module and take the same way out, so that redaction is in one place: the last one before the bytes.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import msgspec

Level = Literal["debug", "info", "warning", "error"]
Value = str | int | float | bool | None

_RANKS: Final[dict[Level, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LOOKS_SECRET: Final = re.compile(
    r"(?i)(bearer\s+|basic\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?:sk|pk|rk|gw|gsk|xai|hf|nvapi|r8|pplx|fw|key)[-_][A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|([?&](?:key|api_key|access_token)=)[^&\s\"']+"
)
MASK: Final = "[redacted]"


class Log:
    """Writes events. wall: Unix seconds. secrets: texts that must never appear, whatever they look like."""

    def __init__(
        self,
        wall: Callable[[], float],
        style: Literal["json", "text"] = "json",
        level: Level = "info",
        stream: TextIO | None = None,
    ) -> None:
        self._wall = wall
        self._style = style
        self._rank = _RANKS[level]
        self._stream = stream
        self._secrets: tuple[str, ...] = ()

    def protect(self, secrets: Iterable[str]) -> None:
        """Texts that are masked from now on, beside everything that looks like a credential."""
        self._secrets = tuple(sorted({s for s in secrets if len(s) >= 6}, key=len, reverse=True))

    def write(self, level: Level, event: str, fields: Mapping[str, Value] | None = None) -> None:
        """One line. event: a short phrase in the past tense, the same for the same thing."""
        if _RANKS[level] < self._rank:
            return
        stream = self._stream or sys.stdout
        try:
            stream.write(self.redact(self._line(level, event, fields or {})) + "\n")
            stream.flush()
        except (BrokenPipeError, ValueError):
            # Nobody reads any more; serving goes on.
            pass

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return _LOOKS_SECRET.sub(lambda match: (match[1] or match[2] or "") + MASK, text)

    def _line(self, level: Level, event: str, fields: Mapping[str, Value]) -> str:
        moment = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._style == "json":
            return msgspec.json.encode({"time": moment, "level": level, "event": event, **fields}).decode()
        tail = "".join(f"  {name}={_plain(value)}" for name, value in fields.items())
        return f"{moment[11:23]} {level:7} {event}{tail}"


class Bridge(logging.Handler):
    """Brings the libraries' log records to a Log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = (
            "error"
            if record.levelno >= logging.ERROR
            else "warning"
            if record.levelno >= logging.WARNING
            else "info"
            if record.levelno >= logging.INFO
            else "debug"
        )
        fields: dict[str, Value] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        self._log.write(level, record.getMessage(), fields)


def bridge_libraries(log: Log) -> None:
    """Send every record of the logging module, from warnings upwards, to `log`."""
    root = logging.getLogger()
    root.handlers[:] = [Bridge(log)]
    root.setLevel(logging.WARNING)


def _plain(value: Value) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
