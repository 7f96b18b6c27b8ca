from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import usage
from gateway.cli.main import main
from gateway.store.ledger.sqlite import SqliteLedger
from tests.support.exchange_records import served

ROUTERS = "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"


def config(folder: Path, more: str = "") -> Path:
    path = folder / "routers.yaml"
    path.write_text(f"{more}{ROUTERS}")
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A config with a ledger of three requests in the last hour."""
    now = time.time()

    async def fill() -> None:
        database = SqliteLedger(tmp_path / "ledger.db")
        await database.open()
        await database.insert([
            served(id="a", time=now - 60, team="ml", caller="ci", cost=1_500_000_000),
            served(id="b", time=now - 50, team="ml", caller="app", cost=None),
            served(id="c", time=now - 40, team="", caller="=web", cost=1, saved=250_000_000),
        ])  # fmt: skip
        await database.close()

    with asyncio.Runner() as runner:
        runner.run(fill())
    return config(tmp_path, f"ledger: {{url: 'sqlite:///{tmp_path / 'ledger.db'}'}}\n")


def asked(path: Path, *arguments: str) -> int:
    return main(["usage", "--config", str(path), *arguments])


def test_usage_is_a_table_by_team(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(kept, "--since", "1h") == 0
    head, _, names, first, second, *rest = capsys.readouterr().out.splitlines()
    assert " to " in head
    assert names.split() == [
        "team", "requests", "failed", "input", "output", "cached", "cost", "USD", "unpriced", "saved", "USD",
    ]  # fmt: skip
    assert first.split() == ["-", "1", "0", "150", "230", "100", "0.000000001", "0", "0.25"]
    assert second.split() == ["ml", "2", "0", "300", "460", "200", "1.50", "1", "0.00"]
    assert "Unpriced" in rest[-1]


def test_usage_is_csv_that_no_spreadsheet_runs(kept: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert asked(kept, "--by", "caller,team", "--where", "team=", "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert [(row["caller"], row["cost_usd"], row["saved_usd"]) for row in rows] == [("'=web", "0.000000001", "0.25")]


def test_usage_is_json_as_the_admin_api_answers(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(kept, "--by", "", "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert answer["rows"][0]["requests"] == 3
    assert answer["rows"][0]["cost"] == "1.500000001"


def test_a_long_table_is_cut_and_says_so(
    kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "SHOWN", 2)
    assert asked(kept, "--by", "caller") == 0
    assert "the first 2" in capsys.readouterr().out
    assert asked(kept, "--by", "caller", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--by", "moon"], 1, "--by: 'moon' is no dimension; there are: month, day"),
        (["--where", "moon=1"], 1, "--where moon: "),
        (["--where", "team"], 2, "team=ml"),
        (["--since", "yesterday"], 1, "--since: "),
        (["--since", "2026-11-02", "--until", "2026-11-01"], 1, "later than"),
    ],
)
def test_a_question_that_cannot_be_asked(
    arguments: list[str], status: int, said: str, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(kept, *arguments) == status
    assert said in capsys.readouterr().err


def test_without_a_ledger_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(config(tmp_path)) == 1
    assert "keeps no ledger" in capsys.readouterr().err
    path = config(tmp_path, f"ledger: {{url: 'sqlite:///{tmp_path / 'none.db'}'}}\n")
    assert asked(path) == 1
    assert "no ledger at" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists(), "asking makes none"


def test_a_config_that_cannot_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(config(tmp_path, "sever: {}\n")) == 1
    assert "sever" in capsys.readouterr().err


def test_a_gateway_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--url", "http://127.0.0.1:9"]) == 1
    assert "cannot be asked" in capsys.readouterr().err


PAGE = (Path(__file__).parents[3] / "docs" / "finance.md").read_text("utf-8")
COMMANDS = re.findall(r"^gateway (usage .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--url" not in command])
def test_every_command_of_the_page_is_understood(command: str, kept: Path) -> None:
    words = shlex.split(command.partition(" > ")[0])
    assert main([*words, "--config", str(kept)]) == 0
