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
from urllib.parse import quote

import msgspec

Level = Literal["debug", "info", "warning", "error"]
Value = str | int | float | bool | None

_RANKS: Final[dict[Level, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LOOKS_SECRET: Final = re.compile(
    r"""
    # A header or a member that is a credential by its name, as text, JSON (escaped or not) or a Python pair.
    ( (?: authorization | api[-_]?key | (?:access|auth|refresh|security|session)[-_]?token | client[-_]?secret
        | subscription-key | password | cookie )
      (?: \\*["']? \s* [:=] | \\*["'] \s* , ) \s* (?P<quote> b?\\*["'] )?+
      (?: (?:bearer|basic|token|key|digest) \s+ )?+
    ) (?!\[redacted\])
    (?(quote) (?: [^"'\\] | \\+[^"'\\] )+ | [^\s"'\\,;&)}\]]+ (?: ; \s* [^\s"'\\,;&)}\]]+ )* )
    # A scheme and its credential.
  | ( \b (?:bearer|basic) (?: \s | \\[nrt] | %20 )++ ) (?!\[redacted\]) [A-Za-z0-9._~+/=%-]{8,}
    # A parameter of a URL, and the name and password in one.
  | ( [?&] (?:key|token|sig|signature) = ) (?!\[redacted\]) [^&\s"'\\]+
  | ( (?<![a-z0-9+.-]) [a-z][a-z0-9+.-]* :// ) [^\s/@"'\\]+ (?=@)
    # What vendors' keys begin with; JSON Web Tokens.
  | (?: (?<![A-Za-z0-9]) | (?<=%[0-9a-f]{2}) )
    (?: (?:sk|pk|rk|gw|gsk|xai|hf|nvapi|r8|pplx|fw|csk|tgp|ghp|gho|github_pat|key) [-_][A-Za-z0-9_-]{16,}
      | AIza[A-Za-z0-9_-]{30,} | ya29\.[A-Za-z0-9._-]{16,} | (?:AKIA|ASIA)[A-Z0-9]{16}
      | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)+ )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_HARMLESS: Final = re.compile(r"[0-9a-f-]*")
"""Texts in which the pattern above finds nothing, such as nearly all request ids: they come too often to be searched
for what begins at each of their letters."""
MASK: Final = "[redacted]"
SHORTEST_SECRET: Final = 6
"""Characters. A shorter text is in too many words to be masked wherever it stands."""


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
        self._protected: dict[str, set[str]] = {}
        self.protections = 0
        """How often `protect` was called: what was clean before may not be after."""

    def protect(self, secrets: Iterable[str], of: str = "") -> None:
        """Texts that are masked from now on, beside everything that looks like a credential. of: whose they are, in
        whose place they come."""
        self._protected[of] = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        self.protections += 1
        forms = set[str]().union(*self._protected.values())
        self._secrets = tuple(sorted(forms, key=len, reverse=True))

    def write(self, level: Level, event: str, fields: Mapping[str, Value] | None = None) -> None:
        """One line. event: a short phrase in the past tense, the same for the same thing."""
        if _RANKS[level] < self._rank:
            return
        stream = self._stream or sys.stdout
        # Before it is encoded: an escape in the line would hide a credential, or be cut in two.
        clean = {
            name: self.redact(value) if isinstance(value, str) else value for name, value in (fields or {}).items()
        }
        try:
            stream.write(self._line(level, self.redact(event), clean) + "\n")
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more, or the disk is full; serving goes on.
            pass

    def redact(self, text: str) -> str:
        """The text with every credential masked. What UTF-8 cannot say is shown as `?`."""
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text if _HARMLESS.fullmatch(text) else _LOOKS_SECRET.sub(_mask, text)

    def _line(self, level: Level, event: str, fields: Mapping[str, Value]) -> str:
        moment = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._style == "json":
            return msgspec.json.encode({"time": moment, "level": level, "event": event, **fields}).decode()
        # People do not miss what is empty; a machine's line always has the same members.
        tail = "".join(f"  {name}={_plain(value)}" for name, value in fields.items() if value != "")
        return f"{moment[11:23]} {level:7} {event if event.isprintable() else _quoted(event)}{tail}"


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
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # logging's own answer to a record that does not fit its arguments prints them, unmasked.
            message = str(record.msg)
        self._log.write(level, message, fields)


def bridge_libraries(log: Log) -> None:
    """Send every record of the logging module, from warnings upwards, to `log`."""
    root = logging.getLogger()
    root.handlers[:] = [Bridge(log)]
    root.setLevel(logging.WARNING)


def _plain(value: Value) -> str:
    """One word: a line break in a value must not look like another line."""
    text = str(value)
    return text if text.isprintable() and " " not in text and '"' not in text else _quoted(text)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _forms(secret: str) -> Iterable[str]:
    """A secret as it may stand in a text: as it is, and in the spellings of Python, JSON and URLs; the first two also
    one in the other, as in the text of an exception."""
    python, json = repr(secret)[1:-1], _quoted(secret)[1:-1]
    inner = (repr(python)[1:-1], _quoted(python)[1:-1], repr(json)[1:-1], _quoted(json)[1:-1])
    return secret, python, json, *inner, quote(secret, safe=""), quote(secret)


def _mask(match: re.Match[str]) -> str:
    return (match[match.lastindex] if match.lastindex else "") + MASK
