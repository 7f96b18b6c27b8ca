"""What `gateway serve` refuses before anything is started. How it serves is in tests/live."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.support.loopback import unused_port


@pytest.mark.parametrize(
    ("option", "value"), [("--port", "65536"), ("--port", "-1"), ("--port", "http"), ("--workers", "0")]
)
def test_a_number_that_the_file_could_not_hold_is_wrong_usage(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", f"{option}={value}"])
    assert end.value.code == 2
    assert "is not a whole number from" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "count"), [("a: 1\n", "1 error"), ("a: 1\nb: 1\n", "2 errors")])
def test_errors_are_listed_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, count: str
) -> None:
    path = tmp_path / "routers.yaml"
    path.write_text(
        f"{text}routers:\n"
        "  r: {load-balance: {chat: {strategy: weighted, providers: [{provider: echo, weight: '0.5'}]}}}\n"
    )
    assert main(["serve", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.endswith(f"{path}: {count}; nothing was started.\n")
    assert "add up to 0.5" in said, "a warning is told, but not counted"


def test_an_address_beyond_loopback_needs_a_word_about_access(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "routers.yaml"
    path.write_text("routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n")
    assert main(["serve", str(path), "--host", "0.0.0.0"]) == 1
    assert "needs auth.mode" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("admin", "options", "said"),
    [
        ("{}", ["--host", "0.0.0.0"], "asks for no key"),
        ("{port: 9000}", ["--host", "0.0.0.0"], "asks for no key"),
        ("{port: FREE}", ["--port", "FREE"], "the gateway itself does (admin.port)"),
    ],
)
def test_options_open_no_admin_api_to_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], admin: str, options: list[str], said: str
) -> None:
    free = str(unused_port())
    path = tmp_path / "routers.yaml"
    path.write_text(
        f"server: {{port: {unused_port()}}}\nauth: {{mode: open}}\nadmin: {admin.replace('FREE', free)}\n"
        "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    assert main(["serve", str(path), *(option.replace("FREE", free) for option in options)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.endswith("Nothing was started.\n")
