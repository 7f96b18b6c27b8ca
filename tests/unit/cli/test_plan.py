from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.plan_formats import MARKER

OLD = """\
routers:
  a:
    load-balance: {chat: {providers: [openai]}}
    timeouts: {total: 60s}
  b: {load-balance: {chat: {providers: [openai]}}}
"""
NEW = """\
routers:
  a:
    load-balance: {chat: {providers: [openai]}}
    timeouts: {total: 50s}
"""
TEXT = """\
breaking  router b: removed: routers.b: `/router/b/` is gone
          old.yaml:5  Its URL answers 404.
risky     router a: tightened: routers.a.timeouts.total: `total`: 60s -> 50s
          old.yaml:4 -> new.yaml:4  What took longer fails.
2 changes: 1 breaking, 1 risky
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    """A config in a folder of a repository, in two files; its second commit moves a router and shortens a timeout."""
    git(folder, "init", "-q", "-b", "main")
    (folder / "deploy/routers.d").mkdir(parents=True)
    (folder / "deploy/routers.yaml").write_text("include: routers.d/*.yaml\n" + NEW)
    (folder / "deploy/routers.d/b.yaml").write_text("routers: {b: {load-balance: {chat: {providers: [openai]}}}}\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "one")
    (folder / "deploy/routers.d/b.yaml").unlink()
    (folder / "deploy/routers.yaml").write_text(OLD.replace("60s", "40s"))
    git(folder, "commit", "-q", "-a", "-m", "two")
    return folder


def test_two_files_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "old.yaml", "new.yaml"]) == 2
    assert capsys.readouterr().out == TEXT


def test_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("old", OLD), ("new", NEW)):
        (folder / name).mkdir()
        (folder / name / "routers.yaml").write_text(text)
    assert main(["plan", "old", "new"]) == 2
    assert capsys.readouterr().out == TEXT.replace("old.yaml", "old/routers.yaml").replace(
        "new.yaml", "new/routers.yaml"
    )


def test_no_change(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text("# the same\n" + OLD.replace("60s", "1m"))
    assert main(["plan", "old.yaml"]) == 0
    assert capsys.readouterr().out == "no change in meaning\n"


def test_markdown_for_a_comment_that_can_be_found_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "old.yaml", "new.yaml", "--format", "markdown"]) == 2
    printed = capsys.readouterr().out
    assert printed.startswith(f"{MARKER}\n\n### Config plan: 2 changes: 1 breaking, 1 risky\n\n| severity |")
    assert "| breaking | router b | removed | `/router/b/` is gone |\n" in printed
    assert "<details><summary>Where, and why it matters</summary>\n\n- `routers.b` (old.yaml:5): Its URL" in printed


def test_markdown_keeps_to_its_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.yaml").write_text(
        OLD + "    model-mappings: {'@all | <b>\\n': x}\n".replace("    ", "global: {", 1).replace("}\n", "}}\n")
    )
    assert main(["plan", "old.yaml", "new.yaml", "--format", "markdown"]) == 2
    assert "| global | added | `&#64;all \\| &lt;b>" in capsys.readouterr().out


def test_many_changes_are_folded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    routers = "".join(f"  r{n}: {{load-balance: {{chat: {{providers: [echo]}}}}}}\n" for n in range(60))
    (folder / "new.yaml").write_text(OLD + routers)
    assert main(["plan", "old.yaml", "new.yaml", "--format", "markdown"]) == 2
    assert "<summary>10 more</summary>" in capsys.readouterr().out


def test_json_for_other_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "old.yaml", "new.yaml", "--format", "json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"breaking": 1, "risky": 1, "safe": 0}
    assert report["changes"][0] == {
        "severity": "breaking", "kind": "removed", "rule": "router-removed", "about": "router b", "path": "routers.b",
        "words": "`/router/b/` is gone", "why": "Its URL answers 404.", "old": "old.yaml:5", "new": "",
    }  # fmt: skip


def test_failing_on_what_is_grave(folder: Path) -> None:
    assert main(["plan", "old.yaml", "new.yaml", "--fail-on", "breaking"]) == 2
    (folder / "new.yaml").write_text(OLD.replace("60s", "50s"))
    assert main(["plan", "old.yaml", "new.yaml", "--fail-on", "breaking"]) == 0
    assert main(["plan", "old.yaml", "new.yaml", "--fail-on", "risky"]) == 2
    (folder / "new.yaml").write_text(OLD.replace("60s", "70s"))
    assert main(["plan", "old.yaml", "new.yaml", "--fail-on", "risky"]) == 0


@pytest.mark.parametrize("old", ["one", "git:one", "git:one:deploy/routers.yaml", "one:deploy", "HEAD~1"])
def test_a_revision_and_the_file_of_now(old: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", old, "deploy/routers.yaml"]) == 2
    revision = old.removeprefix("git:").partition(":")[0]
    assert capsys.readouterr().out == (
        "risky     router a: tightened: routers.a.timeouts.total: `total`: 50s -> 40s\n"
        f"          {revision}:deploy/routers.yaml:5 -> deploy/routers.yaml:4  What took longer fails.\n"
        "1 change: 1 risky\n"
    )


def test_two_revisions_from_within_a_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository / "deploy")
    assert main(["plan", "one", "main"]) == 2
    assert "one:deploy/routers.yaml:5 -> main:deploy/routers.yaml:4" in capsys.readouterr().out


def test_a_name_without_the_ending_of_yaml(repository: Path) -> None:
    (repository / "gateway.conf").write_text(OLD)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "three")
    assert main(["plan", "HEAD", "gateway.conf"]) == 0


def test_a_link_that_leads_out_of_the_repository(repository: Path) -> None:
    (repository / "deploy/routers.d").mkdir(exist_ok=True)
    (repository / "deploy/routers.d/c.yaml").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "three")
    assert main(["plan", "main", "main:deploy"]) == 0


def test_a_work_tree_is_not_touched(repository: Path) -> None:
    (repository / "deploy/routers.yaml").write_text(NEW)
    main(["plan", "one", "main:deploy/routers.yaml"])
    assert (repository / "deploy/routers.yaml").read_text() == NEW


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("nowhere", "nowhere: there is no such file, and no such revision in the repository"),
        ("git:nowhere", "nowhere: there is no such revision in the repository"),
        ("git:--help", "--help: there is no such revision"),
        ("git:", ": there is no such revision"),
        ("one:none.yaml", "one: there is no none.yaml in it; write git:one:PATH"),
        ("one:../../etc/passwd", "one: there is no ../../etc/passwd in it"),
    ],
)
def test_a_side_that_is_not_there(old: str, said: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", old, "new.yaml"]) == 1
    assert capsys.readouterr().err.startswith(said)


def test_no_repository(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "main", "new.yaml"]) == 1
    assert capsys.readouterr().err == (
        "main: there is no such file, and this is no git repository that could have a revision\n"
    )


def test_no_git(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert main(["plan", "main", "new.yaml"]) == 1
    assert capsys.readouterr().err == "main: there is no such file, and no git to look for a revision with\n"


def test_a_broken_file_in_a_revision(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "deploy/routers.yaml").write_text("routers: {a: {timeouts: {total: soon}}}\nport: 1\n")
    git(repository, "commit", "-q", "-a", "-m", "broken")
    assert main(["plan", "main", "deploy/routers.yaml"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("main:deploy/routers.yaml:1:33: error: routers.a.timeouts.total: ")
    assert lines[-1] == "No plan: a side is broken."


def test_no_environment_is_needed(folder: Path) -> None:
    said = "server:\n  port: ${env:NOT_SET}\nproviders: {openai: {keys: ['${env:NOT_SET}']}}\n"
    (folder / "old.yaml").write_text(said + OLD)
    assert main(["plan", "old.yaml", "old.yaml"]) == 0
