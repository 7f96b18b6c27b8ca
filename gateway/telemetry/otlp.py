"""Spans by OTLP over HTTP, with OpenTelemetry's SDK. Imported only for a gateway that has `traces`.

What the config does not say, the SDK reads from the standard variables: endpoint, headers, compression, certificates
and resource attributes. Law: no redirect is followed, so that headers with credentials go nowhere else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import requests  # noqa: TID251 - what the SDK itself sends with, and only so can it be kept from redirects
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from gateway import __version__
from gateway.telemetry import conventions as c
from gateway.telemetry.spans import FinishedSpan

_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_SCOPE: Final = InstrumentationScope("router-gateway", __version__)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_LOGGERS: Final = ("opentelemetry.exporter.otlp.proto.http.trace_exporter",)
_DEFAULT_NAME: Final = "router-gateway"
_RUN: Final = 8
"""Spans that are encoded before the thread gives way: a third of a millisecond. Left alone it would hold up the event
loop for Python's usual 5 ms at each of its turns, as long as a batch has spans."""
_PAUSE: Final = 0.0001


class OtlpExporter:
    """endpoint, headers, service: None and empty leave it to the environment. timeout: seconds for one export, its
    retries included. instance: the process's name."""

    def __init__(
        self,
        *,
        endpoint: str | None,
        headers: Mapping[str, str],
        service: str | None,
        resource: Mapping[str, str],
        timeout: float,
        instance: str,
    ) -> None:
        session = requests.Session()
        session.max_redirects = 0
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint, headers=dict(headers) or None, timeout=timeout, session=session
        )
        self._resource = _resource(service, resource, instance)
        self._failures = _Failures()
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers[:] = [self._failures]
            logger.propagate = False

    def export(self, spans: Sequence[FinishedSpan]) -> str:
        self._failures.last = ""
        done = self._exporter.export(_Unhurried(spans, self._readable))
        return "" if done is SpanExportResult.SUCCESS else self._failures.last or "the collector did not take them"

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it bare

    def _readable(self, span: FinishedSpan) -> ReadableSpan:
        state = TraceState.from_header([span.state]) if span.state else TraceState()
        return ReadableSpan(
            name=span.name,
            context=SpanContext(span.trace_id, span.span_id, False, _SAMPLED, state),
            parent=SpanContext(span.trace_id, span.parent, span.kind == "server", _SAMPLED) if span.parent else None,
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(name, None, at) for name, at in span.events],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=_SCOPE,
        )


class _Unhurried(Sequence[ReadableSpan]):
    """Spans that are made as the exporter encodes them, with a pause every few of them for whoever else has to run."""

    def __init__(self, spans: Sequence[FinishedSpan], make: Callable[[FinishedSpan], ReadableSpan]) -> None:
        self._spans = spans
        self._make = make

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, place: int) -> ReadableSpan:  # type: ignore[override]  # nobody takes a slice
        return self._make(self._spans[place])

    def __iter__(self) -> Iterator[ReadableSpan]:
        for number, span in enumerate(self._spans, 1):
            yield self._make(span)
            if number % _RUN == 0:
                time.sleep(_PAUSE)


class _Failures(logging.Handler):
    """The exporter says why it failed to its logger alone: kept here, to be told once and not for each batch."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _resource(service: str | None, more: Mapping[str, str], instance: str) -> Resource:
    said: dict[str, str] = {c.SERVICE_VERSION: __version__, c.SERVICE_INSTANCE: instance, **more}
    if service is not None:
        said[c.SERVICE_NAME] = service
    resource = Resource.create(said)
    named = str(resource.attributes.get(c.SERVICE_NAME, ""))
    if named.startswith("unknown_service"):
        resource = resource.merge(Resource({c.SERVICE_NAME: _DEFAULT_NAME}))
    return resource
