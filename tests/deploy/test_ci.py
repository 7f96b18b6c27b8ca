"""Workflows to be copied: linted by real tools, and their scripts run as a runner would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.forge import Forge, forge

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy" / "ci"
WORKFLOW = CI / "github" / "router-gateway.yml"
ACTION = ROOT / "action.yml"
GITLAB = CI / "gitlab" / "router-gateway.gitlab-ci.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
CONFIG = "routers:\n  a:\n    load-balance: {chat: {strategy: latency, providers: [echo]}}\n"


def run(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command], capture_output=True, text=True, check=False, timeout=120, **more)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = run("git", "-C", folder, *who, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A config, and a commit that changes it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for text, name in ((CONFIG, "one"), (CONFIG + "    timeouts: {total: 30s}\n", "two")):
        (folder / "routers.yaml").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", name)
    return folder


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    """The command as `install` leaves it."""
    command = tmp_path / "bin" / "gateway"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m gateway.cli "$@"\n')
    command.chmod(0o755)
    return command


def environment(tmp_path: Path, **more: str | Path) -> dict[str, str]:
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    return {**known, **{name: str(value) for name, value in more.items()}}


SCHEMAS = {
    "github-workflows": [str(WORKFLOW)],
    "github-workflows-require-timeout": [str(WORKFLOW)],
    "github-actions": [str(ACTION)],
    "gitlab-ci": ["--data-transform", "gitlab-ci", str(GITLAB)],
}
VALIDATE = """
import contextlib, io, json, sys
from check_jsonschema import main

told = {}
for schema, arguments in json.loads(sys.argv[1]).items():
    said, status = io.StringIO(), 0
    with contextlib.redirect_stdout(said):
        try:
            main(["--builtin-schema", schema, *arguments])
        except SystemExit as ended:
            status = ended.code
    told[schema] = status, said.getvalue()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def validated(tools: Path) -> dict[str, tuple[int, str]]:
    """What check-jsonschema says, by schema. Asked for all at once: it takes seconds to start."""
    done = run(tools / "python", "-c", VALIDATE, json.dumps({**SCHEMAS, "dependabot": [str(ACTION)]}))
    assert done.returncode == 0, done.stderr
    told: dict[str, tuple[int, str]] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_is_to_be_copied_fits_its_schema(validated: dict[str, tuple[int, str]], schema: str) -> None:
    status, said = validated[schema]
    assert status == 0, said


def test_what_does_not_fit_is_told(validated: dict[str, tuple[int, str]]) -> None:
    status, said = validated["dependabot"]
    assert status == 1
    assert str(ACTION) in said


def test_the_workflow_is_sound(tools: Path, tmp_path: Path) -> None:
    done = run(tools / "actionlint", "-no-color", WORKFLOW)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOW.read_text().replace("runs-on:", "runs:"))
    assert run(tools / "actionlint", broken).returncode == 1


def test_nothing_of_a_pull_request_is_part_of_a_script(tools: Path, tmp_path: Path) -> None:
    audit = (tools / "zizmor", "--offline", "--no-progress", "--persona", "pedantic")
    done = run(*audit, WORKFLOW, ACTION)
    assert done.returncode == 0, done.stdout
    injected = tmp_path / "action.yml"
    injected.write_text(ACTION.read_text().replace('"$PYTHON" "$SOURCE"', '"${{ inputs.python }}" "$SOURCE"'))
    assert "template-injection" in run(*audit, injected).stdout


def test_the_hooks_are_what_pre_commit_takes(tools: Path, tmp_path: Path) -> None:
    home = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path)}
    for kind, file in (
        ("validate-manifest", HOOKS),
        ("validate-config", CI / "pre-commit" / ".pre-commit-config.yaml"),
    ):
        done = run(tools / "pre-commit", kind, file, env=home)
        assert done.returncode == 0, done.stdout


def test_the_hooks_that_are_shown_are_those_there_are() -> None:
    shown = yaml.safe_load((CI / "pre-commit" / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["id"] for hook in shown] == [hook["id"] for hook in yaml.safe_load(HOOKS.read_text())]


def test_editors_are_pointed_to_schemas_that_there_are() -> None:
    schemas = json.loads((CI / "vscode" / "settings.json").read_text())["yaml.schemas"]
    assert [(ROOT / "schemas" / url.rpartition("/")[2]).is_file() for url in schemas] == [True, True]
    for name in ("routers", "routers.test"):
        head = (ROOT / f"{name}.yaml").read_text().partition("\n")[0]
        mark, schema = head.split("$schema=")
        assert mark == "# yaml-language-server: "
        assert (ROOT / schema).is_file()


def test_the_workflow_asks_for_no_more_than_it_needs() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["review"]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "pull_request_target" not in WORKFLOW.read_text()
    assert job["steps"][0]["with"]["persist-credentials"] is False


def test_the_workflow_gives_the_action_only_what_it_takes() -> None:
    given = yaml.safe_load(WORKFLOW.read_text())["jobs"]["review"]["steps"][-1]["with"]
    assert set(given) <= set(yaml.safe_load(ACTION.read_text())["inputs"])


@pytest.mark.real_time
def test_what_the_action_installs_runs_nothing_of_the_repository(tmp_path: Path) -> None:
    source, target, elsewhere = tmp_path / "source", tmp_path / "target", tmp_path / "elsewhere"
    source.mkdir()
    (source / "requirements.txt").write_text("")
    (source / "gateway").symlink_to(ROOT / "gateway")
    (elsewhere / "gateway").mkdir(parents=True)
    (elsewhere / "gateway" / "__init__.py").write_text("raise SystemExit('the repository was run')\n")
    done = run(CI / "install", sys.executable, source, target, env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    told = run(target / "bin" / "gateway", "version", cwd=elsewhere)
    assert (told.returncode, told.stdout.startswith("router-gateway ")) == (0, True), told.stderr + told.stdout


def review(repository: Path, gateway: Path, kept: Forge, **more: str) -> tuple[int, str, str]:
    """The step of the action, as a runner starts it. Its status, standard output and summary."""
    folder = gateway.parent
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    asked = {
        "SOURCE": str(ROOT), "GATEWAY": str(gateway), "REPORT": str(folder / "report.md"), "CONFIG": "routers.yaml",
        "BASE": "HEAD^1", "STRICT": "false", "FAIL_ON": "", "COMMENT": "true", "COMMENT_AUTHOR": "",
        "GITHUB_TOKEN": "token", "PULL_REQUEST": "3",
    }  # fmt: skip
    assert set(asked) == set(steps[-1]["env"])
    runner = {
        "GITHUB_API_URL": kept.url, "GITHUB_REPOSITORY": "acme/routers",
        "GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output"),
    }  # fmt: skip
    done = run(
        "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", steps[-1]["run"],
        cwd=repository, env=environment(folder, **{**asked, **runner, **more}),
    )  # fmt: skip
    summary = folder / "summary"
    return done.returncode, done.stdout, summary.read_text() if summary.exists() else done.stderr


@pytest.mark.real_time
def test_the_action_writes_one_comment_and_replaces_it(repository: Path, gateway: Path) -> None:
    summary = ""
    with forge() as kept:
        for _ in range(2):
            status, _, summary = review(repository, gateway, kept)
            assert status == 0, summary
        assert [method for method, _ in kept.calls] == ["GET", "POST", "GET", "PATCH"]
    assert len(kept.comments) == 1
    assert "`total`: 10m -> 30s" in kept.comments[0]["body"]
    assert kept.comments[0]["body"] in summary
    assert (gateway.parent / "output").read_text().splitlines()[0] == f"report={gateway.parent / 'report.md'}"


@pytest.mark.real_time
def test_the_action_fails_for_a_broken_config_and_points_to_its_line(repository: Path, gateway: Path) -> None:
    (repository / "routers.yaml").write_text(CONFIG.replace("latency", "latenci"))
    with forge() as kept:
        status, output, _ = review(repository, gateway, kept)
    assert status == 1
    assert output.startswith("::error file=routers.yaml,line=3,")
    assert "**failed**" in kept.comments[0]["body"]


@pytest.mark.real_time
def test_the_action_fails_for_what_is_as_grave_as_it_is_told(repository: Path, gateway: Path) -> None:
    with forge() as kept:
        assert review(repository, gateway, kept, FAIL_ON="risky")[0] == 2
        assert review(repository, gateway, kept, FAIL_ON="breaking")[0] == 0


@pytest.mark.real_time
def test_names_that_are_commands_are_not_run(repository: Path, gateway: Path) -> None:
    with forge() as kept:
        status, _, _ = review(repository, gateway, kept, CONFIG="$(touch run).yaml", BASE="; touch run")
    assert status == 1
    assert not (repository / "run").exists()


@pytest.mark.real_time
def test_without_a_pull_request_the_summary_has_the_report(repository: Path, gateway: Path) -> None:
    with forge() as kept:
        status, _, summary = review(repository, gateway, kept, PULL_REQUEST="")
    assert (status, kept.calls) == (0, [])
    assert "`total`: 10m -> 30s" in summary


@pytest.mark.real_time
def test_the_job_of_gitlab_writes_one_note_and_replaces_it(repository: Path, tmp_path: Path) -> None:
    job = yaml.safe_load(GITLAB.read_text())["router-gateway"]
    base = run("git", "-C", repository, "rev-parse", "HEAD^1").stdout.strip()
    shell = shutil.which("dash") or "sh"
    with forge() as kept:
        asked = environment(
            tmp_path, CI_API_V4_URL=f"{kept.url}/api/v4", CI_PROJECT_ID="9", CI_MERGE_REQUEST_IID="4",
            CI_MERGE_REQUEST_DIFF_BASE_SHA=base, GITLAB_TOKEN="token", CONFIG="routers.yaml", FAIL_ON="breaking",
            GATEWAY_PYTHON=sys.executable,
        )  # fmt: skip
        for _ in range(2):
            done = run(shell, "-e", "-c", "\n".join(job["script"]), cwd=repository, env=asked)
            assert done.returncode == 0, done.stderr
        assert [method for method, _ in kept.calls] == ["GET", "GET", "POST", "GET", "GET", "PUT"]
    assert "`total`: 10m -> 30s" in kept.comments[0]["body"]
    assert (repository / "router-gateway.md").read_text() == kept.comments[0]["body"]
