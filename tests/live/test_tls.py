"""HTTPS on the gateway's own port, with a certificate of an authority made for the test."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import trustme

from tests.support.loopback import unused_port
from tests.support.processes import Program, gateway_command, start_gateway
from tests.support.scripted import DONE

pytestmark = pytest.mark.real_time

PATH = "/router/demo/v1/chat/completions"
BODY = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}


class Secured:
    """A gateway that speaks HTTPS. trust: of a client that knows its authority."""

    def __init__(self, program: Program, authority: trustme.CA) -> None:
        self.program = program
        self.url = f"https://127.0.0.1:{program.port}"
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)


@pytest.fixture(scope="module")
def secured(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp(f"tls-{engine}")
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    text = (
        f"server: {{engine: {engine}, drain-timeout: 1s,"
        f" tls: {{certificate: '{folder / 'chain.pem'}', key: '{folder / 'key.pem'}'}}}}\n"
        "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    with start_gateway(folder, text, {}) as program:
        yield Secured(program, authority)


@pytest.mark.parametrize(("http2", "version"), [(False, "HTTP/1.1"), (True, "HTTP/2")])
async def test_whole_and_streamed_in_the_version_that_was_agreed_on(
    secured: Secured, http2: bool, version: str
) -> None:
    async with httpx2.AsyncClient(http2=http2, verify=secured.trust, trust_env=False) as client:
        whole = await client.post(f"{secured.url}{PATH}", json=BODY)
        assert (whole.status_code, whole.http_version) == (200, version)
        assert whole.json()["choices"][0]["message"]["content"]
        streamed = await client.post(f"{secured.url}{PATH}", json={**BODY, "stream": True})
        assert (streamed.status_code, streamed.http_version) == (200, version)
        assert streamed.content.endswith(DONE)


async def test_the_certificate_is_the_one_of_the_file(secured: Secured) -> None:
    async with httpx2.AsyncClient(verify=ssl.create_default_context(), trust_env=False) as client:
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"{secured.url}/livez")


def test_nothing_is_served_in_clear_text(secured: Secured) -> None:
    with pytest.raises((http.client.HTTPException, OSError)):
        secured.program.get("/livez")


def test_the_addresses_that_are_said_at_start_are_https(secured: Secured) -> None:
    secured.program.wait_until(lambda: "https://127.0.0.1" in secured.program.output(), "its addresses")
    assert "http://127.0.0.1" not in secured.program.output()


def test_a_key_that_is_not_the_certificates_is_told_and_starts_nothing(engine: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").cert_chain_pems[0].write_to_path(tmp_path / "chain.pem")
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "key.pem")
    path = tmp_path / "routers.yaml"
    path.write_text(
        f"server: {{engine: {engine},"
        f" tls: {{certificate: '{tmp_path / 'chain.pem'}', key: '{tmp_path / 'key.pem'}'}}}}\n"
        "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    program = Program(gateway_command(path, unused_port()), unused_port(), tmp_path, {})
    try:
        assert program.wait_exit() == 1
        assert "key.pem" in program.output()
        assert "Traceback" not in program.output()
    finally:
        program.stop()
