"""`gateway cache purge` where there is nothing that it could reach. With a real server: tests/redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.main import main


def test_a_cache_in_memory_is_another_process_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "routers.yaml"
    config.write_text("routers: {r: {load-balance: {chat: {providers: [echo]}}, cache: {directive: max-age=60}}}")
    assert main(["cache", "purge", "--config", str(config)]) == 1
    told = capsys.readouterr().err
    assert "memory://" in told
    assert "`seed`" in told


def test_a_config_that_cannot_be_read_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "purge", "--config", str(tmp_path / "nowhere.yaml")]) == 1
    assert "nowhere.yaml" in capsys.readouterr().err


def test_an_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cache"])
    assert "ACTION" in capsys.readouterr().err
