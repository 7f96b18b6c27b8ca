from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import main

SOUND = "providers: {}\nrouters: {a: {load-balance: {chat: {providers: [echo]}}}}\n"
ODD = """\
routers:
  a: {load-balance: {chat: {strategy: weighted, providers: [{provider: echo, weight: '0.5'}]}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sound_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "ok: 1 router, 1 provider\n"


def test_a_warning_fails_only_when_strict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.yaml").write_text(ODD)
    assert main(["check", "odd.yaml"]) == 0
    assert main(["check", "--strict", "odd.yaml"]) == 1
    warning = (
        "odd.yaml:2:22: warning: routers.a.load-balance.chat: the weights add up to 0.5, not 1\n"
        "    hint: shares are relative to the sum; is one missing?\n"
    )
    assert capsys.readouterr().out == (
        f"{warning}ok: 1 router, 1 provider, 1 warning\n{warning}failed: 1 warning\n"
    )  # fmt: skip


def test_errors_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.yaml").write_text("routers: {frontend-team: {}}\nport: 1\n")
    assert main(["check", "bad.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bad.yaml:1:11: error: routers.frontend-team: `frontend-team` is 13 characters;")
    assert lines[-1] == "failed: 2 errors"


def test_several_files_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(SOUND)
    assert main(["check", "a.yaml", "b.yaml"]) == 1
    assert capsys.readouterr().out == (
        "a.yaml: ok: 1 router, 1 provider\nb.yaml: error: there is no such file\nb.yaml: failed: 1 error\n"
    )


def test_json_for_other_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.yaml").write_text(ODD)
    assert main(["check", "--format", "json", "odd.yaml", "none.yaml"]) == 1
    odd, none = json.loads(capsys.readouterr().out)
    assert (odd["file"], odd["ok"]) == ("odd.yaml", True)
    assert odd["problems"][0] == {
        "level": "warning",
        "code": "weights-sum",
        "place": "odd.yaml:2:22",
        "path": "routers.a.load-balance.chat",
        "message": "the weights add up to 0.5, not 1",
        "hint": "shares are relative to the sum; is one missing?",
    }
    assert (none["ok"], none["problems"][0]["code"]) == (False, "file-missing")


def test_annotations_for_github(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a,b:c.yaml").write_text(ODD)
    assert main(["check", "--format", "github", str(folder / "a,b:c.yaml"), "100%.yaml"]) == 1
    assert capsys.readouterr().out == (
        "::warning file=a%2Cb%3Ac.yaml,line=2,col=22,title=weights-sum::"
        "routers.a.load-balance.chat: the weights add up to 0.5, not 1"
        "%0Ahint: shares are relative to the sum; is one missing?\n"
        "::error file=100%25.yaml,title=file-missing::there is no such file\n"
    )


def test_a_sound_file_has_no_annotations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND)
    assert main(["check", "--format", "github"]) == 0
    assert capsys.readouterr().out == ""


def test_sarif_for_code_scanning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "o dd.yaml").write_text(ODD + "  b: {}\n  c: {}\n")
    assert main(["check", "--format", "sarif", "o dd.yaml", str(folder / "none.yaml"), "/nowhere/x.yaml"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert (log["version"], log["$schema"].rpartition("/")[2]) == ("2.1.0", "sarif-2.1.0.json")
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "router-gateway"
    assert [rule["id"] for rule in driver["rules"]] == ["file-missing", "no-load-balance", "weights-sum"]
    assert [rule["shortDescription"]["text"] for rule in driver["rules"]][2] == "Weights sum"
    assert [driver["rules"][result["ruleIndex"]]["id"] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    first = run["results"][0]
    assert (first["level"], first["ruleId"]) == ("warning", "weights-sum")
    assert first["message"]["text"].startswith("routers.a.load-balance.chat: the weights add up to 0.5")
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "o%20dd.yaml"},
                "region": {"startLine": 2, "startColumn": 22},
            },
            "logicalLocations": [{"fullyQualifiedName": "routers.a.load-balance.chat"}],
        }
    ]
    missing = [result["locations"] for result in run["results"] if result["ruleId"] == "file-missing"]
    assert missing == [
        [{"physicalLocation": {"artifactLocation": {"uri": "none.yaml"}}}],
        [{"physicalLocation": {"artifactLocation": {"uri": "file:///nowhere/x.yaml"}}}],
    ]


def test_sarif_of_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(SOUND)
    assert main(["check", "--format", "sarif"]) == 0
    [run] = json.loads(capsys.readouterr().out)["runs"]
    assert run["results"] == run["tool"]["driver"]["rules"] == []
