from __future__ import annotations

import asyncio
import os
import sys
import xml.etree.ElementTree as Xml
from pathlib import Path

import pytest

from gateway.cli.main import main

ROOT = Path(__file__).parents[3]
CONFIG = "routers: {r: {load-balance: {chat: {strategy: priority, providers: [openai, anthropic]}}}}\n"
CASES = """\
config: routers.yaml
cases:
  - name: good
    traffic: [{router: r, model: gpt-4o, count: 2}]
    expect: {status: {200: 2}}
  - name: wrong
    providers: {openai: [{at: 2s, status: 400}]}
    traffic: [{router: r, model: gpt-4o, rate: 1/s, count: 4}]
    expect: {status: {200: 4}}
"""
OUTPUT = """\
.F

FAILED wrong (a.test.yaml:6:5)
    status 200: expected 4, got 2
           0ms  request 1: 200 after 100ms by openai/gpt-4o
           0ms    call to openai with key OPENAI_API_KEY: 200 after 100ms
            1s  request 2: 200 after 100ms by openai/gpt-4o
            1s    call to openai with key OPENAI_API_KEY: 200 after 100ms
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "routers.yaml").write_text(CONFIG)
    (tmp_path / "a.test.yaml").write_text(CASES)
    return tmp_path


def test_the_shipped_cases_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(ROOT / "routers.test.yaml")]) == 0
    dots, summary = capsys.readouterr().out.splitlines()
    assert set(dots) == {"."}
    assert len(dots) >= 12
    assert summary.startswith(f"{len(dots)} passed in ")


@pytest.mark.usefixtures("folder")
def test_a_failure_shows_the_time_around_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test"]) == 1
    output = capsys.readouterr().out
    assert output.startswith(OUTPUT)
    assert [line[:14] for line in output.splitlines() if line.startswith("  >")] == ["  >         2s"]
    assert "\n1 passed, 1 failed in " in output


@pytest.mark.usefixtures("folder")
def test_only_cases_of_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "a.test.yaml", "-k", "GOOD"]) == 0
    assert capsys.readouterr().out.startswith(".\n1 passed in ")
    assert main(["test", "-k", "bad"]) == 1
    assert capsys.readouterr().err == "no case has `bad` in its name\n"


def test_a_report_for_machines(folder: Path) -> None:
    assert main(["test", "--junit", "report.xml"]) == 1
    root = Xml.parse(folder / "report.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    assert [case.get("name") for case in root.iter("testcase")] == ["good", "wrong"]
    assert [failure.get("message") for failure in root.iter("failure")] == ["status 200: expected 4, got 2"]
    assert main(["test", "-k", "good", "--junit", "none/report.xml"]) == 1


def test_a_broken_file_is_told_with_its_place_and_the_others_are_played(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.test.yaml").write_text("config: routers.yaml\ncases: [{}]\n")
    assert main(["test", "-k", "good", "--junit", "report.xml"]) == 1
    root = Xml.parse(folder / "report.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "0", "1")
    output = capsys.readouterr().out
    assert "b.test.yaml:2:9: error: cases[0]: `name` and `traffic` and `expect` are missing\n" in output
    assert "\n1 passed, 1 file broken in " in output


@pytest.mark.usefixtures("folder")
def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "none.test.yaml"]) == 1
    assert "none.test.yaml: error: there is no such file" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main(["test", "empty"]) == 1
    assert capsys.readouterr().err == "empty: there is no *.test.yaml in this folder\n"


def test_the_example_of_the_page_says_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "config-by-pull-request.md").read_text("utf-8").partition("\n## Test\n")[2]
    case = page.partition("```yaml\n")[2].partition("```")[0]
    output = page.partition("$ gateway test outage.test.yaml\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "routers.yaml").write_text((ROOT / "routers.yaml").read_text("utf-8"))
    (tmp_path / "outage.test.yaml").write_text(case)
    assert main(["test", "outage.test.yaml"]) == 1
    assert capsys.readouterr().out.startswith(output)
    (tmp_path / "outage.test.yaml").write_text(case.replace("at: 15s", "at: 20s"))
    assert main(["test", "outage.test.yaml"]) == 0


async def summary(output: asyncio.StreamReader) -> bytes:
    """The next line that says how many passed."""
    while line := await output.readline():
        if b" passed" in line:
            return line
    raise AssertionError("the command has ended")


@pytest.mark.real_time
async def test_watching_plays_again_when_a_file_changes(folder: Path) -> None:
    command = [sys.executable, "-m", "gateway.cli", "test", "a.test.yaml", "-k", "wrong", "--watch"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    try:
        assert (await summary(process.stdout)).startswith(b"0 passed, 1 failed")
        (folder / "a.test.yaml").write_text(CASES.replace("400}", "200}"))
        assert (await summary(process.stdout)).startswith(b"1 passed")
        (folder / "routers.yaml").write_text("routers: 1")
        assert (await summary(process.stdout)).startswith(b"0 passed, 1 file broken")
        (folder / "routers.yaml").write_text(CONFIG)
        assert (await summary(process.stdout)).startswith(b"1 passed")
    finally:
        process.terminate()
        await process.wait()
