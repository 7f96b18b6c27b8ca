"""docs/tutorial-config-change.md, done: its files are written, its commands run, and what they print is what it says.

A block of YAML behind `<!-- FILE -->` is that file from there on. In a block of `console`, a line with `$ ` in front is
a command for a shell, and what stands below it is all that it prints. Only how long tests took differs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = DOCS / "tutorial-config-change.md"
_BLOCK: Final = re.compile(r"(?:<!-- (?P<file>[^\n]+) -->\n)?```(?P<language>[a-z]+)\n(?P<text>.*?)```\n", re.DOTALL)
_COMMAND: Final = re.compile(r"^\$ (?P<command>[^\n]*)\n(?P<said>(?:(?!\$ )[^\n]*\n)*)", re.MULTILINE)
_TOOK: Final = re.compile(r" in \d+\.\d\d s\b")
_WHEN: Final = "2027-01-18T09:00:00+00:00"


class Step(NamedTuple):
    """file: to be written, with this text. command: to be run, which prints this text. span: where the page has it."""

    file: str
    command: str
    text: str
    span: tuple[int, int]


def steps(page: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(page):
        if block["file"]:
            yield Step(block["file"], "", block["text"], block.span("text"))
        elif block["language"] == "console":
            start = block.start("text")
            for part in re.finditer(
                r"^\$ (?P<command>[^\n]*)\n(?P<said>(?:(?!\$ )[^\n]*\n)*)", block["text"], re.MULTILINE
            ):
                first, last = part.span("said")
                yield Step("", part["command"], part["said"], (start + first, start + last))


class Workshop:
    """A folder with a repository, and `gateway` on the path."""

    def __init__(self, folder: Path) -> None:
        programs = folder / "programs"
        programs.mkdir()
        command = programs / "gateway"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gateway.cli "$@"\n')
        command.chmod(0o755)
        self.folder = folder / "config"
        self.folder.mkdir()
        who = {"NAME": "Sam", "EMAIL": "sam@example.com", "DATE": _WHEN}
        self._environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(DOCS.parent),
            "HOME": str(folder),
            "GIT_CEILING_DIRECTORIES": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
            "OPENAI_API_KEY": "any",
            "ANTHROPIC_API_KEY": "any",
            **{f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in who.items()},
        }
        shutil.copy(DOCS / "tutorial" / "audit.jsonl", self.folder / "audit.jsonl")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self._environment, text=True, check=False, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return "".join(f"{line}\n" for line in done.stdout.splitlines())


@pytest.mark.real_time
def test_each_command_prints_what_the_page_says(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    commands = 0
    for step in steps(PAGE.read_text("utf-8")):
        if step.file:
            workshop.write(step.file, step.text)
            continue
        commands += 1
        said = workshop.run(step.command)
        assert _TOOK.sub(" in 0.00 s", said) == _TOOK.sub(" in 0.00 s", step.text), step.command
    assert commands >= 15
