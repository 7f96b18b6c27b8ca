"""The exporter before a real collector on loopback: what is on the wire, and what it says of a collector in trouble."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from gateway.telemetry.otlp import OtlpExporter
from gateway.telemetry.spans import FinishedSpan
from tests.support.loopback import Connection, Loopback, serve

SPANS: Final = (
    FinishedSpan(
        "POST /router/a", "server", 0xA0, 0xB1, 0xC2, "v=1", 1_000, 9_000, "", {"http.request.method": "POST"},
    ),
    FinishedSpan(
        "chat m", "client", 0xA0, 0xB2, 0xB1, "v=1", 2_000, 8_000, "unavailable",
        {"gen_ai.usage.input_tokens": 7, "gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": 0.5},
        (("gateway.first_chunk", 5_000),),
    ),
)  # fmt: skip


def exporter(url: str, **said: object) -> OtlpExporter:
    settings: dict[str, object] = {
        "endpoint": f"{url}/v1/traces", "headers": {}, "service": None, "resource": {}, "timeout": 5.0, "instance": "i",
    }  # fmt: skip
    return OtlpExporter(**{**settings, **said})  # type: ignore[arg-type]


async def take(connection: Connection) -> None:
    while await connection.read_request():
        await connection.answer(b"")


def received(collector: Loopback) -> ResourceSpans:
    request = ExportTraceServiceRequest.FromString(collector.connections[-1].body)
    (found,) = request.resource_spans
    return found


def plain(attributes: object) -> dict[str, object]:
    pairs: list[KeyValue] = list(attributes)  # type: ignore[call-overload]
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "") for pair in pairs}


@pytest.mark.real_time
async def test_a_batch_of_many_spans_arrives_whole_and_in_order() -> None:
    many = [msgspec.structs.replace(SPANS[0], span_id=number) for number in range(1, 101)]
    async with serve(take) as collector:
        assert await asyncio.to_thread(exporter(collector.url).export, many) == ""
        (scope,) = received(collector).scope_spans
    assert [int.from_bytes(span.span_id, "big") for span in scope.spans] == list(range(1, 101))


@pytest.mark.real_time
async def test_spans_arrive_with_their_parents_times_and_attributes() -> None:
    async with serve(take) as collector:
        sent = exporter(
            collector.url, headers={"x-token": "t"}, service="mine", resource={"deployment.environment.name": "test"}
        )
        assert await asyncio.to_thread(sent.export, SPANS) == ""
        found = received(collector)
        head = collector.connections[-1].head.decode().lower()
        sent.close()
    assert head.startswith("post /v1/traces ")
    assert "x-token: t" in head
    assert "content-type: application/x-protobuf" in head
    resource = plain(found.resource.attributes)
    assert (resource["service.name"], resource["service.instance.id"]) == ("mine", "i")
    assert resource["deployment.environment.name"] == "test"
    request, attempt = found.scope_spans[0].spans
    assert (request.trace_id, request.span_id) == ((0xA0).to_bytes(16, "big"), (0xB1).to_bytes(8, "big"))
    assert (request.parent_span_id, request.trace_state) == ((0xC2).to_bytes(8, "big"), "v=1")
    assert attempt.parent_span_id == request.span_id
    assert (request.kind, attempt.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert (request.start_time_unix_nano, attempt.end_time_unix_nano) == (1_000, 8_000)
    assert request.status.code == Status.STATUS_CODE_UNSET
    assert (attempt.status.code, attempt.status.message) == (Status.STATUS_CODE_ERROR, "unavailable")
    assert plain(attempt.attributes) == {
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.5,
    }
    assert [(event.name, event.time_unix_nano) for event in attempt.events] == [("gateway.first_chunk", 5_000)]


@pytest.mark.real_time
async def test_what_the_config_does_not_say_the_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(take) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-from=env")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "named-there")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "cloud.region=eu")
        sent = exporter("", endpoint=None)
        assert await asyncio.to_thread(sent.export, SPANS) == ""
        resource = plain(received(collector).resource.attributes)
        head = collector.connections[-1].head.decode().lower()
        sent.close()
    assert (resource["service.name"], resource["cloud.region"]) == ("named-there", "eu")
    assert head.startswith("post /v1/traces ")
    assert "x-from: env" in head


@pytest.mark.real_time
async def test_a_gateway_that_nobody_named_is_called_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    async with serve(take) as collector:
        sent = exporter(collector.url)
        assert await asyncio.to_thread(sent.export, SPANS) == ""
        assert plain(received(collector).resource.attributes)["service.name"] == "router-gateway"
        sent.close()


@pytest.mark.real_time
async def test_a_redirect_is_not_followed() -> None:
    elsewhere: list[bytes] = []

    async def listen(connection: Connection) -> None:
        await connection.read_request()
        elsewhere.append(connection.head)

    async with serve(listen) as other:

        async def send_away(connection: Connection) -> None:
            while await connection.read_request():
                await connection.answer(b"", "307 Temporary Redirect", f"location: {other.url}/\r\n".encode())

        async with serve(send_away) as collector:
            sent = exporter(collector.url, headers={"authorization": "Bearer secret"})
            assert await asyncio.to_thread(sent.export, SPANS) != ""
            sent.close()
    assert elsewhere == []


@pytest.mark.real_time
async def test_why_a_collector_did_not_take_them_is_said() -> None:
    async def refuse(connection: Connection) -> None:
        while await connection.read_request():
            await connection.answer(b"", "401 Unauthorized")

    async with serve(refuse) as collector:
        sent = exporter(collector.url)
        assert "401" in await asyncio.to_thread(sent.export, SPANS)
        sent.close()
