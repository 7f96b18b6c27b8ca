from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.review import MARKER, MOST
from tests.support.forge import BOT, Forge, forge

CONFIG = "routers:\n  a:\n    load-balance: {chat: {strategy: latency, providers: [echo]}}\n"
TESTS = """\
config: routers.yaml
cases:
  - name: it answers
    traffic: [{router: a, model: echo}]
    expect: {status: {200: 1}}
"""


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config with a test, committed; its work tree is as it was."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "routers.yaml").write_text(CONFIG)
    (tmp_path / "it.test.yaml").write_text(TESTS)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    with forge() as kept:
        monkeypatch.setenv("GITHUB_API_URL", kept.url)
        monkeypatch.setenv("GITHUB_TOKEN", "token-1")
        monkeypatch.setenv("GITHUB_REPOSITORY", "acme/routers")
        monkeypatch.setenv("PULL_REQUEST", "12")
        monkeypatch.delenv("COMMENT_AUTHOR", raising=False)
        yield kept


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    with forge() as kept:
        monkeypatch.setenv("CI_API_V4_URL", f"{kept.url}/api/v4")
        monkeypatch.setenv("GITLAB_TOKEN", "token-2")
        monkeypatch.setenv("CI_PROJECT_ID", "34")
        monkeypatch.setenv("CI_MERGE_REQUEST_IID", "5")
        yield kept


def test_a_change_is_told_in_one_comment(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "routers.yaml").write_text(CONFIG + "    timeouts: {total: 30s}\n")
    assert main(["review", "main"]) == 0
    assert (
        capsys.readouterr().out
        == f"""\
{MARKER}

### Change of the gateway's config

| | | |
|---|---|---|
| check | passed | no problem |
| test | passed | 1 passed |
| plan | passed | 1 change: 1 risky |

#### Plan

| severity | where | kind | change |
|---|---|---|---|
| risky | router a | tightened | `total`: 10m -> 30s |

<details><summary>Where, and why it matters</summary>

- `routers.a.timeouts.total` (main:routers.yaml:1 -> routers.yaml:4): What took longer fails.

</details>
"""
    )


def test_what_fails_is_told_and_fails(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "it.test.yaml").write_text(TESTS.replace("200: 1", "200: 2"))
    (repository / "routers.yaml").write_text(CONFIG + "    timeouts: {totl: 30s}\n")
    assert main(["review", "main"]) == 1
    said = capsys.readouterr().out
    assert "| check | **failed** | 1 error |" in said
    assert "| test | **failed** |" in said
    assert "| plan | **failed** | the structure of a side is broken |" in said
    assert "routers.yaml:4" in said


def test_a_grave_change_fails_where_it_must_not_be(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "it.test.yaml").unlink()
    (repository / "routers.yaml").write_text(CONFIG.replace("  a:", "  b:"))
    assert main(["review", "main"]) == 0
    assert "| test | passed | there are no tests |" in capsys.readouterr().out
    assert main(["review", "main", "--fail-on", "breaking"]) == 2
    assert "`breaking` must not be" in capsys.readouterr().out


def test_warnings_fail_where_they_are_to(repository: Path) -> None:
    (repository / "routers.yaml").write_text(CONFIG + "providers: {openai: {keys: ['${env:RG_NOT_SET}']}}\n")
    assert main(["review", "main"]) == 0
    assert main(["review", "main", "--strict"]) == 1


def test_the_first_config_of_a_repository_has_nothing_to_be_compared_with(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "new.yaml").write_text(CONFIG)
    assert main(["review", "main", "new.yaml"]) == 0
    assert "| plan | passed | everything is new: main: there is no new.yaml in it" in capsys.readouterr().out


def test_a_revision_that_is_not_there(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", "nowhere"]) == 1
    assert "no such revision" in capsys.readouterr().out


def test_what_a_file_says_is_no_markup(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "routers.yaml").write_text(CONFIG + '    "```\\n@everybody": 1\n')
    assert main(["review", "main"]) == 1
    said = capsys.readouterr().out
    fence = next(line for line in said.splitlines() if line.endswith("text"))
    inside = said.partition(fence)[2].partition(fence.removesuffix("text") + "\n")[0]
    assert "@everybody" in inside
    assert "@everybody" not in said.replace(inside, "")


def test_a_report_that_is_too_long_for_a_comment(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "routers.yaml").write_text(CONFIG + "".join(f"    unknown-{n}: 1\n" for n in range(2000)))
    assert main(["review", "main"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(MARKER)
    assert len(said) <= MOST
    assert said.endswith("The rest is too long for a comment; it is in the output of the job.\n")


@pytest.mark.real_time
def test_the_comment_on_a_pull_request_is_replaced(repository: Path, github: Forge) -> None:
    assert main(["review", "main", "--comment", "github"]) == 0
    assert [comment["user"] for comment in github.comments] == [BOT]
    assert github.headers["authorization"] == "Bearer token-1"
    (repository / "routers.yaml").write_text(CONFIG + "    timeouts: {total: 30s}\n")
    assert main(["review", "main", "--comment", "github"]) == 0
    assert len(github.comments) == 1
    assert "10m -> 30s" in github.comments[0]["body"]
    assert github.calls[1:] == [
        ("POST", "/repos/acme/routers/issues/12/comments"),
        ("GET", "/repos/acme/routers/issues/12/comments"),
        ("PATCH", "/repos/acme/routers/issues/comments/1"),
    ]


@pytest.mark.real_time
def test_a_comment_of_somebody_else_is_left_alone(repository: Path, github: Forge) -> None:
    github.say(f"{MARKER}\nmine", {"login": "mallory", "id": 8})
    assert main(["review", "main", "--comment", "github"]) == 0
    assert [comment["body"].count("mine") for comment in github.comments] == [1, 0]


@pytest.mark.real_time
def test_the_comment_is_found_behind_many(repository: Path, github: Forge) -> None:
    for number in range(250):
        github.say(f"{number}", {"login": "mallory", "id": 8})
    github.say(f"{MARKER}\nold", BOT)
    assert main(["review", "main", "--comment", "github"]) == 0
    assert len(github.comments) == 251
    assert "no change in meaning" in github.comments[-1]["body"]


@pytest.mark.real_time
def test_a_change_from_a_fork_passes_without_its_comment(
    repository: Path, github: Forge, capsys: pytest.CaptureFixture[str]
) -> None:
    github.status = 403
    assert main(["review", "main", "--comment", "github"]) == 0
    said = capsys.readouterr().err
    assert "answers GET with 403; the token may not write comments here" in said
    assert "token-1" not in said


@pytest.mark.real_time
@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_comment_that_cannot_be_put(repository: Path, github: Forge, status: int) -> None:
    github.status = status
    assert main(["review", "main", "--comment", "github"]) == 1


@pytest.mark.real_time
def test_nobody_answers(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with forge() as gone:
        url = gone.url
    for name, value in (
        ("CI_API_V4_URL", url),
        ("GITLAB_TOKEN", "t"),
        ("CI_PROJECT_ID", "1"),
        ("CI_MERGE_REQUEST_IID", "1"),
    ):
        monkeypatch.setenv(name, value)
    assert main(["review", "main", "--comment", "gitlab"]) == 1
    assert "127.0.0.1 does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["GITHUB_API_URL", "GITHUB_TOKEN", "GITHUB_REPOSITORY", "PULL_REQUEST"])
def test_a_job_that_does_not_say_where_it_belongs(
    repository: Path, github: Forge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    monkeypatch.delenv(missing)
    assert main(["review", "main", "--comment", "github"]) == 1
    assert f"no comment: {missing} is not set" in capsys.readouterr().err
    assert github.calls == []


@pytest.mark.real_time
def test_the_note_on_a_merge_request_is_replaced(repository: Path, gitlab: Forge) -> None:
    gitlab.say(f"{MARKER}\nmine", {"username": "mallory", "id": 8})
    for _ in range(2):
        assert main(["review", "main", "--comment", "gitlab"]) == 0
    assert len(gitlab.comments) == 2
    assert gitlab.headers["private-token"] == "token-2"
    assert gitlab.calls[-1] == ("PUT", "/api/v4/projects/34/merge_requests/5/notes/2")
