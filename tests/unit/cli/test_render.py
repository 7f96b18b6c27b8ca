from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import main

SOUND = "server:\n  port: 9001\nrouters: {a: {load-balance: {chat: {providers: [echo]}}}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_effective_config_with_origins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND)
    assert main(["render", "--origin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "server:",
        "  host: '127.0.0.1'  # default",
        "  port: 9001  # routers.yaml:2",
        "  engine: granian  # default",
    ]
    assert "        - echo  # routers.yaml:3" in lines


def test_what_is_printed_is_accepted_and_prints_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND)
    assert main(["render"]) == 0
    first = capsys.readouterr().out
    (folder / "rendered.yaml").write_text(first)
    assert main(["check", "rendered.yaml"]) == 0
    capsys.readouterr()
    assert main(["render", "rendered.yaml"]) == 0
    assert capsys.readouterr().out == first


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND)
    assert main(["render", "--format", "json"]) == 0
    config = json.loads(capsys.readouterr().out)
    assert config["server"]["port"] == 9001
    assert main(["render", "--format", "json", "--origin"]) == 0
    with_origins = json.loads(capsys.readouterr().out)
    assert with_origins["config"] == config
    assert with_origins["origins"]["server.port"] == "routers.yaml:2"
    assert with_origins["origins"]["routers.a.load-balance.chat.providers[0]"] == "routers.yaml:3"
    assert with_origins["origins"]["routers.a.retries.max-retries"] == "default"


def test_a_config_that_cannot_be_served_is_not_rendered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND.replace("echo", "ehco"))
    assert main(["render"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("routers.yaml:3:")
    assert "there is no provider `ehco`" in printed.err
