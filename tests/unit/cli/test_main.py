from __future__ import annotations

import subprocess
import sys

import pytest

from gateway import __version__
from gateway.cli import check, main


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert all(verb in printed for verb in main.VERBS)


@pytest.mark.parametrize("arguments", [[], ["sevre"], ["check", "--nope"]])
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    assert "usage: gateway" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["version"]) == main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"router-gateway {__version__}\n" * 2


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "run", interrupted)
    assert main.main(["check"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_leaves_is_quiet() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
    assert process.returncode == 1


def test_help_loads_no_verb() -> None:
    script = (
        "import sys\nfrom gateway.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'yaml', 'msgspec', 'starlette', 'jsonschema'} & set(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == "set()\n"


def test_a_sound_config_is_checked_without_the_schema_validator() -> None:
    script = (
        "import sys; from gateway.cli.main import main\n"
        "main(['check', 'routers.yaml'])\nprint('jsonschema' in sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == "False\n"
