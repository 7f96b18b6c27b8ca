"""`traces`: spans of what was asked and what was tried, for a collector of OpenTelemetry's."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.spec.terms import Confidential, Duration, Probability, Url


class Traces(Confidential, frozen=True):
    """A span for each request, and one below it for each attempt, by OTLP over HTTP. What is not said here, the
    standard `OTEL_*` variables say."""

    endpoint: Annotated[
        Url | None,
        Meta(
            description="Where spans are sent, the whole URL. Else `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` say it, else it is `http://localhost:4318/v1/traces`.",
            examples=["http://otel-collector:4318/v1/traces"],
        ),
    ] = None
    headers: Annotated[
        dict[str, str],
        Meta(
            description="Sent with every export, beside `OTEL_EXPORTER_OTLP_HEADERS`.",
            examples=[{"authorization": "Bearer ${env:OTEL_TOKEN}"}],
        ),
    ] = {}
    sampling: Annotated[
        Probability, Meta(description="The share of the traces that begin here which is kept, from 0 to 1.")
    ] = 1.0
    follow_clients: Annotated[
        bool,
        Meta(
            description="A client's `traceparent` goes on here, and is kept or not as the client says. `false`: every request begins a trace, and `sampling` decides."
        ),
    ] = True
    propagate_to: Annotated[
        tuple[str, ...],
        Meta(
            description="Providers that are sent `traceparent` and `tracestate`: those of your own. The others are told nothing.",
            examples=[["vllm"]],
        ),
    ] = ()
    service_name: Annotated[
        str | None,
        Meta(description="`service.name` of the spans. Else `OTEL_SERVICE_NAME` says it, else it is `router-gateway`."),
    ] = None
    resource: Annotated[
        dict[str, str],
        Meta(
            description="Further attributes of the resource, beside `OTEL_RESOURCE_ATTRIBUTES`.",
            examples=[{"deployment.environment.name": "production"}],
        ),
    ] = {}
    queue: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="So many requests at most wait to be exported; more are dropped, and counted.",
        ),
    ] = 4096
    timeout: Annotated[Duration, Meta(description="How long one export may take, its retries included.")] = "10s"
