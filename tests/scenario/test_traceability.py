"""From a reply to the config that decided it: the hash in its header is the one that everything else has, and git has
the rest."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.support.house import ALPHA, BETA, PROVIDERS, Serve, chat
from tests.support.scripted import ok, status

ROUTERS = "routers: {duo: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}}\n"


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


async def test_a_reply_leads_to_the_config_that_decided_it(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    log = tmp_path / "audit.jsonl"
    served = serve(f"{PROVIDERS}\naudit: {{path: '{log}'}}\n{ROUTERS}")
    served.upstream.on(ALPHA, status(503), ok())
    served.upstream.on(BETA, ok())
    for sink in served.runtime.sinks:
        await sink.open()
    replies = [await served.client.post("/router/duo/chat/completions", chat()) for _ in range(3)]
    for sink in served.runtime.sinks:
        await sink.close()

    config = replies[0].headers["x-gateway-config"]
    assert {reply.headers["x-gateway-config"] for reply in replies} == {config}
    assert {json.loads(line)["config"] for line in log.read_text().splitlines()} == {config}
    assert await served.metric("gateway_config_info", hash=config) == 1

    repository = served.path.parent
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "as served")
    text = served.path.read_text()
    served.path.write_text(text.replace("[alpha, beta]", "[beta]"))
    git(repository, "commit", "-q", "-a", "-m", "without alpha")
    monkeypatch.chdir(repository)

    request = replies[0].headers["x-request-id"]
    # The commands have a loop of their own.
    assert await asyncio.to_thread(main, ["replay", str(log), "--id", request]) == 0
    said = capsys.readouterr().out
    assert f"config    {config}: " in said
    assert said.endswith("as recorded\n")

    plan = ["plan", "HEAD^1", "HEAD", "--traffic", str(log), "--format", "json"]
    assert await asyncio.to_thread(main, plan) == 2
    (part,) = json.loads(capsys.readouterr().out)["traffic"]["parts"]
    assert part["before"]["targets"] == {"alpha/gpt-4o": 2, "beta/gpt-4o": 1}
    assert part["after"]["targets"] == {"beta/gpt-4o": 3}
    assert (part["before"]["attempts"], part["after"]["attempts"]) == (4, 3)
