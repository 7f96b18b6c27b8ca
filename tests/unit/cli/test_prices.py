from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.providers.price_table import PRICED_ON

CONFIG = """
providers: {mine: {dialect: openai, base-url: 'http://mine.test/v1'}}
prices:
  mine/*: {input: '0.1', output: '0.2', request: '0.001'}
  openai: {factor: '0.5'}
routers: {a: {load-balance: {chat: {providers: [openai]}}}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_price_its_source_and_what_tokens_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "gpt-4o", "--provider", "openai", "--tokens", "1000,500"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"openai/gpt-4o (table {PRICED_ON}), US dollars for a million tokens:",
        "  input 2.5, cached 1.25, output 10",
        "  in a batch: input 1.25, output 5",
        "  costs 0.0075 USD",
    ]


def test_everybody_who_sells_it_its_own_vendor_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "gpt-4o"]) == 0
    sellers = [line.partition("/")[0] for line in capsys.readouterr().out.splitlines() if " (" in line]
    assert sellers[0] == "openai"
    assert "azure" in sellers


def test_tiers_and_announced_prices_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "gemini/gemini-2.5-pro"]) == 0
    assert "  above 200000 tokens of input: input 2.5, cached 0.25, output 15" in capsys.readouterr().out.splitlines()
    assert main(["prices", "gemini/gemini-3.8-flash"]) == 0
    assert "  from 2027-01-01" in capsys.readouterr().out
    assert main(["prices", "deepseek/deepseek-chat"]) == 0
    assert "  00:30-16:30 UTC" in capsys.readouterr().out


def test_a_config_counts_before_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(CONFIG)
    assert main(["prices", "mine/llama", "--tokens", "1000000", "--json"]) == 0
    [line] = json.loads(capsys.readouterr().out)
    prices = {"input": "0.1", "output": "0.2", "request": "0.001"}
    assert line == {
        "provider": "mine", "model": "llama", "source": "config", "cost": "0.101",
        "periods": [{"tiers": [{"above": 0, "prices": prices}], "holds": True}],
    }  # fmt: skip
    assert main(["prices", "gpt-4o", "-p", "openai"]) == 0
    assert "openai/gpt-4o (config), " in capsys.readouterr().out


def test_a_model_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "gpt-4oo"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no price is known for 'gpt-4oo'; known are " in captured.err
    assert "openai/gpt-4o" in captured.err
    assert main(["prices", "made-up", "--provider", "openai"]) == 1
    assert "of openai" in capsys.readouterr().err


@pytest.mark.parametrize("tokens", ["many", "1,2,3", "-1,2", "1.5"])
def test_tokens_are_whole_numbers(tokens: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "gpt-4o", f"--tokens={tokens}"]) == 2
    assert "two whole numbers" in capsys.readouterr().err


def test_a_config_that_cannot_be_served_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text("prices: {openai/a: {input: 999999999}}\n")
    assert main(["prices", "gpt-4o"]) == 1
    assert "is more than 100,000 USD" in capsys.readouterr().err
