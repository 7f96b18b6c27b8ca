"""The vendors' own SDKs against a gateway process, with providers that nobody here wrote behind it.

What lives here: the two programs, aimock as OpenAI, Anthropic and Gemini at once, and the gateway with
each of its servers and each of its ways upstream. Both are started once a session. aimock takes only the
keys that the gateway has, so every good answer also shows that the client's key was replaced.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from tests.support.loopback import unused_port
from tests.support.processes import Program, start_gateway

HERE: Final = Path(__file__).parent
AIMOCK: Final = HERE / "node_modules" / ".bin" / "llmock"
KEYS: Final = {
    "OPENAI_API_KEY": "sk-openai-real-0000000000",
    "ANTHROPIC_API_KEY": "sk-ant-real-0000000000",
    "GEMINI_API_KEY": "AIza-real-00000000000000",
}
SERVERS: Final = (
    ("granian", "http1"),
    ("hypercorn", "http1"),
    ("granian", "pyreqwest"),
    ("hypercorn", "httpx"),
)
"""Which server listens, and which client asks the providers."""


class _Counter(BaseHTTPRequestHandler):
    """Counts tokens, which aimock does not."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"totalTokens":14}' if self.path.endswith(":countTokens") else b'{"input_tokens":14}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def counter() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counter)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not AIMOCK.exists():
        pytest.skip("aimock is not installed: npm ci --prefix tests/clients")
    port = unused_port()
    program = Program(
        [node, AIMOCK, "-p", str(port), "-f", HERE / "fixtures.json", "--strict", "-c", "6", "--validate-on-load"],
        port,
        tmp_path_factory.mktemp("aimock"),
        {"AIMOCK_API_KEYS": ",".join(KEYS.values())},
    )
    try:
        program.wait_listening()
        yield program
    finally:
        program.stop()


@pytest.fixture(scope="session", params=SERVERS, ids="-".join)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, aimock: Program, counter: str
) -> Iterator[str]:
    """Its address, such as `http://127.0.0.1:4000`."""
    server, upstream = request.param
    config = _config(server, upstream, aimock.url, counter)
    with start_gateway(tmp_path_factory.mktemp(server), config, KEYS) as program:
        yield program.url


def _config(server: str, upstream: str, aimock: str, counter: str) -> str:
    """`prod` has everything. What a test leaves behind in a key or a breaker stays with the providers of
    `limited` and `fragile`, which are found by models of their own: `limited-...`, `fragile-...`."""
    lines = [f"server: {{engine: {server}, upstream-engine: {upstream}}}", "providers:"]
    for name, version in (("openai", "v1"), ("anthropic", "v1"), ("gemini", "v1beta")):
        lines.append(f"  {name}: {{base-url: '{aimock}/{version}'}}")
        same = f"dialect: {name}, base-url: '{aimock}/{version}', keys: ['${{env:{name.upper()}_API_KEY}}']"
        lines += [f"  {state}-{name}: {{{same}, models: ['{state}-*']}}" for state in ("limited", "fragile")]
    lines += [
        f"  counted-{name}: {{dialect: {name}, base-url: '{counter}/{version}', models: ['counted-*']}}"
        for name, version in (("anthropic", "v1"), ("gemini", "v1beta"))
    ]
    lines.append("routers:")
    for router, prefix in (("prod", ""), ("fragile", "fragile-")):
        providers = ", ".join(prefix + name for name in ("openai", "anthropic", "gemini"))
        balance = f"{{default: {{providers: [{providers}]}}}}"
        lines.append(f"  {router}: {{load-balance: {balance}, retries: {{max-retries: 0}}}}")
    # One for each SDK: what it was refused with is what the next is told for seconds.
    lines += [
        f"  {router}: {{load-balance: {{chat: {{providers: [limited-{name}]}}}}, retries: {{max-retries: 0}}}}"
        for router, name in (("limit-openai", "openai"), ("limit-claude", "anthropic"), ("limit-gemini", "gemini"))
    ]
    lines.append("  counts: {load-balance: {default: {providers: [counted-anthropic, counted-gemini]}}}")
    # By end user, so that each test has buckets of its own.
    for router, bucket in (
        ("capped", "{capacity: 1, refill-frequency: 1h}"),
        ("paced", "{capacity: 1, refill-frequency: 700ms}"),
        ("small", "{capacity: 1000, refill-frequency: 1h, unit: tokens}"),
    ):
        balance = "{default: {providers: [openai, anthropic, gemini]}}"
        lines.append(f"  {router}: {{load-balance: {balance}, rate-limit: {{per-end-user: {bucket}}}}}")
    # Each rule leads to another vendor, so that most requests are translated.
    lines += [
        "  virtual:",
        "    load-balance: {default: {providers: [openai, anthropic, gemini]}}",
        "    virtual-models:",
        "      auto:",
        "        - {name: tools, when: {tools: true}, to: gemini/gemini-2.5-flash}",
        "        - {name: weather, when: {text: weather}, to: anthropic/claude-sonnet-5}",
        "        - {name: rest, to: openai/gpt-4o}",
    ]
    return "\n".join(lines)
