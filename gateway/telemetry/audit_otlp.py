"""The audit log as log records of OpenTelemetry: OTLP over HTTP in its JSON form, a post for each batch.

The form is small enough to be written here (opentelemetry-proto, logs/v1). The body of a record is the line itself; its
attributes are what collectors filter by.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.telemetry.audit_line import SCHEMA
from gateway.telemetry.audit_place import Line, Refused

_INFO: Final = 9
_LATER: Final = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses after which the same post may succeed."""
_MOST_READ: Final = 65_536


class _Text(msgspec.Struct, rename="camel"):
    string_value: str


class _Attribute(msgspec.Struct):
    key: str
    value: _Text


class _Record(msgspec.Struct, rename="camel"):
    time_unix_nano: str
    observed_time_unix_nano: str
    severity_number: int
    severity_text: str
    event_name: str
    body: _Text


class _Scope(msgspec.Struct):
    name: str


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: _Scope
    log_records: list[_Record]


class _Resource(msgspec.Struct):
    attributes: list[_Attribute]


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource
    scope_logs: list[_ScopeLogs]


class _Export(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs]


class _Partial(msgspec.Struct, rename="camel"):
    rejected_log_records: int | str = 0
    error_message: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    partial_success: _Partial | None = None


class Collector:
    """Posts to `endpoint`. headers may hold credentials: they are never shown. timeout: seconds for one post."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], timeout: float) -> None:
        parts = urlsplit(endpoint)
        self._host: Final = parts.hostname or ""
        self._port: Final = parts.port
        self._secure: Final = parts.scheme == "https"
        self._target: Final = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers: Final = {**headers, "content-type": "application/json"}
        self._timeout: Final = timeout
        self._resource: Final = _Resource([_Attribute("service.name", _Text("router-gateway"))])
        self._connection: http.client.HTTPConnection | None = None

    def write(self, lines: Sequence[Line]) -> None:
        records = [_record(line) for line in lines]
        export = _Export([_ResourceLogs(self._resource, [_ScopeLogs(_Scope(SCHEMA), records)])])
        status, answer = self._post(msgspec.json.encode(export))
        if status in _LATER:
            raise OSError(f"the collector answers {status}")
        if not 200 <= status < 300:
            raise Refused(f"the collector answers {status}")
        try:
            partial = msgspec.json.decode(answer, type=_Answer).partial_success if answer else None
            rejected = 0 if partial is None else int(partial.rejected_log_records or 0)
        except (ValueError, RecursionError):
            # A collector that answers in another way has taken them all the same.
            return
        if rejected:
            raise Refused(f"the collector has rejected {rejected} of {len(lines)} records")

    def tend(self) -> None:
        return

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes) -> tuple[int, bytes]:
        fresh = self._connection is None
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            if fresh:
                raise OSError(f"the collector cannot be reached: {_said(problem)}") from None
        # A connection that was kept may have ended meanwhile.
        return self._post(body)

    def _exchange(self, body: bytes) -> tuple[int, bytes]:
        connection = self._connection
        if connection is None:
            connection = self._connection = (
                http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout, context=ssl.create_default_context()
                )
                if self._secure
                else http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
            )
        connection.request("POST", self._target, body, self._headers)
        answer = connection.getresponse()
        text = answer.read(_MOST_READ)
        if not answer.isclosed():
            # More than anybody needs: it is not read to its end.
            self.close()
        return answer.status, text


def _record(line: Line) -> _Record:
    nanoseconds = str(round(line.time * 1e6) * 1000)
    return _Record(nanoseconds, nanoseconds, _INFO, "INFO", "gateway.audit", _Text(line.text.decode()))


def _said(problem: Exception) -> str:
    return (problem.strerror if isinstance(problem, OSError) else None) or type(problem).__name__
