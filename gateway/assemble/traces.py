"""From `traces:` to the sink of spans, and to the layer that gives requests their place in a trace."""

from __future__ import annotations

import os

from gateway.config import spec as sp
from gateway.core.exchange import Layer
from gateway.core.units import seconds
from gateway.pipeline.traced import traced
from gateway.policy.sampling import Sampling
from gateway.runtime import Runtime
from gateway.telemetry.sinks import Sinks
from gateway.telemetry.traces import Exporter, Traces


def traces_for(settings: sp.Traces, runtime: Runtime) -> Traces:
    """The sink; nothing of OpenTelemetry's is imported before it is opened."""

    def make() -> Exporter:
        from gateway.telemetry.otlp import OtlpExporter  # noqa: PLC0415 - slow, and for those alone who have traces

        return OtlpExporter(
            endpoint=settings.endpoint,
            headers=settings.headers,
            service=settings.service_name,
            resource=settings.resource,
            timeout=seconds(settings.timeout),
            instance=runtime.name,
        )

    sampling = Sampling(settings.sampling, settings.follow_clients, os.urandom)
    return Traces(sampling, make, bound=settings.queue, log=runtime.log, metrics=runtime.metrics)


def trace_layers(sinks: Sinks) -> list[Layer]:
    """The layer, none without traces."""
    sink = sinks.get("traces")
    return [traced(sink.sampling)] if isinstance(sink, Traces) else []
