from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from gateway.cli.main import main
from gateway.config.load import load
from gateway.telemetry.audit_line import AuditLine, Tried
from tests.support.audit_log import line, write

CONFIG = """\
routers:
  a:
    load-balance:
      chat:
        strategy: priority
        providers: [{provider: openai, priority: 1}, {provider: anthropic, priority: 2}]
    model-mappings: {gpt-5.5: [openai/gpt-5.5, anthropic/claude-sonnet-5-5]}
"""
GONE = CONFIG.replace(", {provider: anthropic, priority: 2}", "").replace(", anthropic/claude-sonnet-5-5", "")


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three revisions of a config; the first had another target, the second cannot be read."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git(tmp_path, "init", "-q", "-b", "main")
    for text in (CONFIG, "routers: [\n", GONE):
        (tmp_path / "routers.yaml").write_text(text)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def hash_of(text: str, folder: Path) -> str:
    file = folder / "hashed.yaml"
    file.write_text(text)
    found = load(file, {}).hash
    file.unlink()
    return found


def failover(config: str) -> AuditLine:
    tries = (
        Tried("openai", "gpt-5.5", "K", 503, "unavailable", 100.0),
        Tried("anthropic", "claude-sonnet-5-5", "K", 200, "", 700.0),
    )
    one = line(1, 0, provider="anthropic", model="claude-sonnet-5-5", caller="", tries=tries)
    return msgspec.structs.replace(one, config=config)


def test_the_config_of_a_record_is_found_in_the_history(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository / "record.json", [failover(hash_of(CONFIG, repository))])
    assert main(["replay", "record.json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "request   req-1 at 2027-01-15T08:00:00.000000Z"
    assert said[2].endswith(":routers.yaml")
    assert said[3] == "recorded  openai/gpt-5.5: unavailable, then anthropic/claude-sonnet-5-5: 200"
    assert said[4] == "decided   priority: openai/gpt-5.5, anthropic/claude-sonnet-5-5"
    assert said[5] == "as recorded"


def test_the_file_as_it_is_counts_first(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        repository / "record.json", [msgspec.structs.replace(line(1, 0, caller=""), config=hash_of(GONE, repository))]
    )
    assert main(["replay", "record.json"]) == 0
    assert capsys.readouterr().out.splitlines()[2].endswith(": routers.yaml")


def test_a_target_that_is_not_eligible_is_a_difference(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository / "record.json", [failover(hash_of(GONE, repository))])
    assert main(["replay", "record.json"]) == 2
    assert "differs   anthropic/claude-sonnet-5-5 was asked, and is not eligible: " in capsys.readouterr().out


def test_an_order_against_the_priorities_is_a_difference(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = failover(hash_of(CONFIG, repository))
    write(repository / "record.json", [msgspec.structs.replace(one, attempts=one.attempts[::-1])])
    assert main(["replay", "record.json", "--format", "json"]) == 2
    assert [found["kind"] for found in json.loads(capsys.readouterr().out)["differences"]] == ["order"]


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("rate_limited", 429, 0), ("access_denied", 403, 2)],
)
def test_a_refusal_of_the_moment_is_no_difference(repository: Path, code: str, status: int, expected: int) -> None:
    one = line(1, 0, caller="", status=status, error_code=code)
    refused = msgspec.structs.replace(one, attempts=(), config=hash_of(GONE, repository))
    write(repository / "record.json", [refused])
    assert main(["replay", "record.json"]) == expected


def test_of_several_one_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = hash_of(GONE, repository)
    lines = [msgspec.structs.replace(line(n, n, caller=""), config=config) for n in range(3)]
    write(repository / "audit.jsonl", [*lines, b"cut"])
    assert main(["replay", "audit.jsonl"]) == 1
    assert capsys.readouterr().err == "audit.jsonl: there are several lines in it; say which with --id\n"
    assert main(["replay", "audit.jsonl", "--id", "req-2"]) == 0
    assert capsys.readouterr().out.startswith("request   req-2 ")
    assert main(["replay", "audit.jsonl", "--id", "req-9"]) == 1
    assert capsys.readouterr().err == "audit.jsonl: there is no request req-9 in it (1 broken, 0 of something else)\n"


def test_a_repository_elsewhere(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere / "record.json", [failover(hash_of(CONFIG, repository))])
    monkeypatch.chdir(elsewhere)
    assert main(["replay", "record.json", "--repo", str(repository)]) == 0


def test_a_keys_file_that_is_in_no_repository_is_a_part_of_the_config(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keyed = "auth: {mode: keys, keys-file: keys.yaml}\n" + CONFIG
    (repository / ".gitignore").write_text("keys.yaml\n")
    (repository / "keys.yaml").write_text("- {name: ci, team: ml, hash: 'sha256:" + "0" * 64 + "'}\n")
    for text in (keyed, GONE):
        (repository / "routers.yaml").write_text(text)
        git(repository, "add", ".")
        git(repository, "commit", "-q", "-m", "one")
    config = hash_of(keyed, repository)
    write(repository / "record.json", [msgspec.structs.replace(failover(config), caller="ci", team="ml")])
    assert main(["replay", "record.json"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "router    a, caller ci"
    (repository / "keys.yaml").unlink()
    assert main(["replay", "record.json"]) == 1
    assert "are the keys of its keys file the same?" in capsys.readouterr().err


def test_a_config_that_is_nowhere(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository / "record.json", [failover("0123456789ab")])
    assert main(["replay", "record.json"]) == 1
    assert "neither it nor a revision of it has the hash 0123456789ab; 4 looked at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "it cannot be read: no such file or directory"),
        (b"", "there is no line of the audit log in it"),
        (b'{"a": 1}\n', "there is no line of the audit log in it (0 broken, 1 of something else)"),
    ],
)
def test_a_file_without_a_record(
    repository: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    if content is not None:
        (repository / "record.json").write_bytes(content)
    assert main(["replay", "record.json"]) == 1
    assert capsys.readouterr().err == f"record.json: {said}\n"
