"""Keys and tokens at a gateway that is up: the command line changes its keys file, and an issuer on loopback publishes
its keys."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.support.issuer import jwks, public_jwk, token
from tests.support.processes import ROOT, Program, start_gateway

MODELS: Final = "/router/r/v1/models"
PEPPER: Final = "a pepper of enough length"


class Issuer(ThreadingHTTPServer):
    """Publishes `published`. asked: the paths that it was asked for."""

    daemon_threads = True
    published = jwks()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Issuer)
        self.server.asked.append(self.path)
        body = self.server.published
        if self.path == "/.well-known/openid-configuration":
            body = b'{"issuer":"%s","jwks_uri":"%s/jwks"}' % (self.server.url.encode(), self.server.url.encode())
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def issuer() -> Iterator[Issuer]:
    with Issuer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def status(program: Program, credential: str) -> int:
    return program.get(MODELS, {"authorization": f"Bearer {credential}"})[0]


def gateway_keys(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "gateway.cli", "keys", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def shown_key(printed: str) -> str:
    [key] = re.findall(r"^ {4}(gw_\S+)$", printed, re.MULTILINE)
    return key


def test_keys_come_and_go_while_the_gateway_runs(tmp_path: Path) -> None:
    config = tmp_path / "routers.yaml"
    text = (
        "auth: {mode: keys, keys-file: keys.yaml, pepper: '${file:pepper}'}\n"
        "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    config.write_text(text)
    (tmp_path / "keys.yaml").write_text("[]\n")
    (tmp_path / "pepper").write_text(PEPPER)
    with start_gateway(tmp_path, text, {}) as program:
        first = shown_key(gateway_keys("new", "ci", "--config", config))
        program.wait_until(lambda: status(program, first) == 200, "the new key")
        second = shown_key(gateway_keys("rotate", "ci", "--config", config, "--grace", "1h"))
        program.wait_until(lambda: status(program, second) == 200, "the rotated key")
        assert status(program, first) == 200, "both count for a while"
        gateway_keys("revoke", "ci", "--config", config)
        program.wait_until(lambda: status(program, second) == 401, "the revocation")
        assert status(program, first) == 401
        for key in (first, second, PEPPER):
            assert key not in program.output()


def test_tokens_of_an_issuer_on_loopback(tmp_path: Path) -> None:
    now = time.time()
    with issuer() as server:
        text = (
            f"auth: {{mode: keys, jwt: [{{issuer: '{server.url}', audience: gateway}}]}}\n"
            "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"
        )
        good = token(iss=server.url, iat=now, exp=now + 600)
        with start_gateway(tmp_path, text, {}) as program:
            assert status(program, good) == 200
            assert server.asked == ["/.well-known/openid-configuration", "/jwks"], "fetched at the start, once"
            assert status(program, token(iss=server.url, iat=now - 600, exp=now - 60)) == 401
            assert status(program, token(iss=server.url, aud="else", iat=now, exp=now + 600)) == 401
            unknown = token(name="two", header={"kid": "two"}, iss=server.url, iat=now, exp=now + 600)
            assert status(program, unknown) == 401
            assert len(server.asked) == 2, "and not again for a key that nobody knows, so soon"
        server.published = jwks(public_jwk("two", name="two"))
        (tmp_path / "again").mkdir()
        with start_gateway(tmp_path / "again", text, {}) as program:
            assert status(program, unknown) == 200
            assert status(program, good) == 401


def test_an_issuer_that_is_not_there_is_a_503(tmp_path: Path) -> None:
    now = time.time()
    with issuer() as server:
        gone = server.url
    text = (
        f"auth: {{mode: keys, jwt: [{{issuer: '{gone}', audience: gateway}}]}}\n"
        "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    with start_gateway(tmp_path, text, {}) as program:
        assert status(program, token(iss=gone, iat=now, exp=now + 600)) == 503
        assert status(program, "gw_unknown") == 401


def test_the_page_signs_what_a_real_server_hands_on(engine: str, tmp_path: Path) -> None:
    """Path and query as they are on the wire, escapes included, whichever server reads them."""
    page = (ROOT / "docs" / "access.md").read_text("utf-8")
    [source] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(source, shown)
    secret = "a-secret-for-signatures-0123456789abcdef"
    text = (
        f"server: {{engine: {engine}, drain-timeout: 1s}}\n"
        "auth: {mode: keys, keys: [{name: ci, signing: required, signing-secret: '${env:SIGNING_KEY}'}]}\n"
        "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    body = b'{"model":"echo","messages":[{"role":"user","content":"Hi"}]}'

    def answered(request: urllib.request.Request) -> int:
        try:
            with urllib.request.urlopen(request) as reply:
                status: int = reply.status
                return status
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code

    with start_gateway(tmp_path, text, {"SIGNING_KEY": secret}) as program:
        for target in (
            "/router/r/v1/chat/completions",
            "/router/r/chat/completions?a=%20b&c",
            "/ai/v1/chat/completions",
        ):
            request = shown["signed"](f"{program.url}{target}", body, "ci", secret)
            assert answered(request) == 200
            assert answered(request) == 401, "once"
