"""What `gateway explain` says of virtual models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.cli.main import main

CONFIG = """\
routers:
  r:
    load-balance: {chat: {providers: [openai]}}
    virtual-models:
      auto:
        - {name: vision, when: {images: true}, to: gemini/gemini-2.5-pro}
        - {name: code, when: {text: '\\bcode\\b', max-tokens: 9000}, to: [anthropic/claude-sonnet-4-5, openai/gpt-4o]}
        - {name: ann, when: {user: [ann]}, to: openai/gpt-4o}
        - {name: chat, when: {max-tokens: 50}, to: {strategy: weighted, providers: [openai/gpt-4o-mini]}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "routers.yaml").write_text(CONFIG)
    return tmp_path


def explain(folder: Path, text: str, *arguments: str) -> int:
    body = {"model": "auto", "user": "bob", "messages": [{"role": "user", "content": text}]}
    (folder / "body.json").write_text(json.dumps(body))
    return main(["explain", "r", "--request", "body.json", "--assume-keys", *arguments])


def test_each_rule_that_was_tried_is_shown_with_its_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(folder, "write code") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "rule auto:code routers.yaml:7" in lines
    assert "auto:vision no images no (wanted: yes) routers.yaml:6" in lines
    (code,) = [line for line in lines if line.startswith("auto:code yes")]
    assert re.fullmatch(r"auto:code yes tokens \d+ \(wanted: at most 9000\); text matches .* routers\.yaml:7", code)
    assert not [line for line in lines if line.startswith("auto:chat")]
    asked = [line for line in lines if "named here" in line]
    assert [line.split()[1] for line in asked] == ["anthropic", "openai"]
    assert all(line.endswith("routers.yaml:7") for line in asked)


def test_the_strategy_is_that_of_the_rule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(folder, "Hi", "--format", "json") == 0
    decision = json.loads(capsys.readouterr().out)
    assert (decision["rule"], decision["strategy"]) == ("auto:chat", "weighted")
    assert decision["strategy_place"] == decision["targets"][0]["place"] == "routers.yaml:9"
    assert [line["note"]["rule"] for line in decision["rules"]] == ["auto:vision", "auto:code", "auto:ann", "auto:chat"]


def test_where_none_matches_all_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(folder, "word " * 100) == 3
    said = capsys.readouterr().out
    assert "refused: 400 no_rule_matched" in said
    assert "text does not match" in said
    assert "user another (wanted: ann)" in said
    assert "word word" not in said
    assert "bob" not in said
