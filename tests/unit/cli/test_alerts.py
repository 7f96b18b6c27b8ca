"""`gateway alerts test`, before webhooks on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.support.loopback import Connection, serve

ROUTERS = "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"


async def take(connection: Connection) -> None:
    # What is answered is not read to its end.
    with contextlib.suppress(ConnectionError):
        while await connection.read_request():
            await connection.answer(b"x" * 3_000_000 if b"/long" in connection.head else b"ok")


async def refuse(connection: Connection) -> None:
    while await connection.read_request():
        await connection.answer(b"", "403 Forbidden")


@pytest.mark.real_time
async def test_each_webhook_is_told_and_what_it_answered_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(take) as good, serve(refuse) as bad:
        config = tmp_path / "routers.yaml"
        config.write_text(
            ROUTERS
            + f"alerts: {{webhooks: [{{name: one, url: '{good.url}/a', secret: 0123456789abcdef}},\n"
            + f"  {{name: two, url: '{bad.url}/b', format: slack}},\n"
            + f"  {{name: three, url: '{good.url}/long', format: slack}}]}}\n"
        )
        status = await asyncio.to_thread(main, ["alerts", "test", "--config", str(config)])
        received = good.connections[0]
    assert status == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == ["one: ok, 200", "two: FAILED, 403", "three: ok, 200"]
    head = dict(line.split(": ", 1) for line in received.head.decode().split("\r\n")[1:] if ": " in line)
    signed = head["x-gateway-timestamp"].encode() + b"." + received.body
    assert head["x-gateway-signature"] == "v1=" + hmac.new(b"0123456789abcdef", signed, hashlib.sha256).hexdigest()


@pytest.mark.real_time
async def test_one_alone_and_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serve(take) as receiver:
        gone = receiver.url
    config = tmp_path / "routers.yaml"
    config.write_text(ROUTERS + f"alerts: {{webhooks: [{{name: one, url: '{gone}/token', format: slack}}]}}\n")
    assert await asyncio.to_thread(main, ["alerts", "test", "--config", str(config), "--webhook", "one"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("one: FAILED, ")
    assert "token" not in said


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (ROUTERS, [], "has no webhooks"),
        (ROUTERS, ["--webhook", "x"], "has no webhook 'x'; there are: none"),
        ("routers: 1", [], "error"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, arguments: list[str], said: str
) -> None:
    config = tmp_path / "routers.yaml"
    config.write_text(text)
    assert main(["alerts", "test", "--config", str(config), *arguments]) == 1
    assert said in capsys.readouterr().err
