"""What a process takes for its config, at its start and at each reload. How it serves is in tests/live."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import create
from gateway.config.check import loaded_and_checked
from gateway.config.problem import ConfigError
from gateway.gateway import HOST_VARIABLE

ROUTERS = "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"


@pytest.mark.parametrize(
    ("more", "code"),
    [("", "open-to-the-network"), ("auth: {mode: open}\nadmin: {port: 9000}\n", "admin-open")],
)
def test_a_config_must_be_fit_for_the_address_of_the_command_line(tmp_path: Path, more: str, code: str) -> None:
    """`--host` reaches further than the file says: without this a reload could open what the start would not."""
    config = tmp_path / "routers.yaml"
    config.write_text(more + ROUTERS)
    with pytest.raises(ConfigError) as refused:
        create(config, {HOST_VARIABLE: "0.0.0.0"})
    assert [problem.code for problem in refused.value.problems if problem.level == "error"] == [code]


def test_the_address_of_the_command_line_is_that_of_the_admin_api_too(tmp_path: Path) -> None:
    config = tmp_path / "routers.yaml"
    key = f"{{name: ops, hash: 'sha256:{'a' * 64}'}}"
    config.write_text(f"auth: {{mode: open}}\nadmin: {{port: 9000, keys: [{key}]}}\n{ROUTERS}")
    assert loaded_and_checked(config, {}, host="127.0.0.2")[0].spec.server.host == "127.0.0.2"
