"""Against a real HTTP server of the standard library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]  # its stubs are a package of their own
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from gateway.telemetry.audit_line import encode
from gateway.telemetry.audit_otlp import Collector
from gateway.telemetry.audit_place import Line, Refused
from gateway.telemetry.audit_record import line_of
from tests.support.exchange_records import SERVED
from tests.support.loopback import unused_port

LINES = [Line(SERVED.time, encode(line_of(SERVED))), Line(SERVED.time + 1, b'{"second": 2}')]


class Server(ThreadingHTTPServer):
    """Keeps what it is posted; answers what it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/logs?tenant=a"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, b"{}")
        if status == 0:
            # The connection ends instead.
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def collector(server: Server) -> Iterator[Collector]:
    made = Collector(server.url, {"authorization": "Bearer hush"}, 30.0)
    yield made
    made.close()


def test_a_post_is_what_the_protocol_says(server: Server, collector: Collector) -> None:
    collector.write(LINES)
    ((path, headers, body),) = server.got
    assert path == "/v1/logs?tenant=a"
    assert (headers["content-type"], headers["authorization"]) == ("application/json", "Bearer hush")
    request = ParseDict(json.loads(body), ExportLogsServiceRequest())
    (resource,) = request.resource_logs
    assert [(one.key, one.value.string_value) for one in resource.resource.attributes] == [
        ("service.name", "router-gateway")
    ]
    (scope,) = resource.scope_logs
    assert scope.scope.name == "gateway.audit/1"
    assert [one.body.string_value.encode() for one in scope.log_records] == [line.text for line in LINES]
    first = scope.log_records[0]
    assert first.time_unix_nano == 1_763_722_800_123_456_000
    assert (first.severity_number, first.severity_text, first.event_name) == (9, "INFO", "gateway.audit")


def test_a_connection_is_kept_and_made_anew_when_it_has_ended(server: Server, collector: Collector) -> None:
    collector.write(LINES)
    collector.write(LINES)
    assert server.connections == 1
    server.answers = [(0, b"")]
    collector.write(LINES)
    assert server.connections == 2
    assert len(server.got) == 4


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_succeed_later_is_not_given_up(status: int, server: Server, collector: Collector) -> None:
    server.answers = [(status, b"busy")]
    with pytest.raises(OSError, match=f"the collector answers {status}") as caught:
        collector.write(LINES)
    assert not isinstance(caught.value, Refused)
    collector.write(LINES)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413])
def test_what_will_never_succeed_is(status: int, server: Server, collector: Collector) -> None:
    server.answers = [(status, b"no")]
    with pytest.raises(Refused, match=f"the collector answers {status}"):
        collector.write(LINES)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"{}", b"thanks", b'{"partialSuccess":{}}', b'{"partialSuccess":null}', b"[" * 60_000,
        b'{"partialSuccess":{"rejectedLogRecords":"few"}}', b'{"more":' + b"[" * 60_000,
    ],
)  # fmt: skip
def test_any_good_answer_is_one(answer: bytes, server: Server, collector: Collector) -> None:
    server.answers = [(200, answer)]
    collector.write(LINES)


@pytest.mark.parametrize("count", [b"1", b'"1"'])
def test_records_that_a_collector_rejects_are_told(count: bytes, server: Server, collector: Collector) -> None:
    server.answers = [(200, b'{"partialSuccess":{"rejectedLogRecords":' + count + b"}}")]
    with pytest.raises(Refused, match="the collector has rejected 1 of 2 records"):
        collector.write(LINES)


def test_a_collector_that_is_away_is_asked_again_later() -> None:
    collector = Collector(f"http://127.0.0.1:{unused_port()}", {"authorization": "Bearer hush"}, 30.0)
    with pytest.raises(OSError, match="the collector cannot be reached: Connection refused") as caught:
        collector.write(LINES)
    assert not isinstance(caught.value, Refused)
    assert "hush" not in str(caught.value)
