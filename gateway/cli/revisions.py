"""What a command line names a config by: a file, a folder, or a revision of a git repository.

A revision is unpacked beside nothing else into a folder that is gone afterwards: its includes are those of the
revision, and the work tree is not touched.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.problem import ConfigError, Problem

DEFAULT_NAME: Final = "routers.yaml"
MOST: Final = 1000
"""Commits that are looked through."""
_MARK: Final = "git:"
_YAML: Final = (":(top,glob)**/*.yaml", ":(top,glob)**/*.yml")


class SourceError(Exception):
    """What was named is not there; the message says what to do."""


class AbsentError(SourceError):
    """The revision is there, and has no such file."""


class Source(msgspec.Struct, frozen=True):
    """file: to be read. root: the folder that is not shown to people, None where the file was named as it is. name:
    what stands in its place."""

    file: Path
    root: Path | None = None
    name: str = ""

    def shown(self, file: str) -> str:
        """A file that was read, as people know it."""
        return file if self.root is None else f"{self.name}:{Path(os.path.relpath(file, self.root)).as_posix()}"


@contextmanager
def opened(text: str, beside: str = "") -> Iterator[Source]:
    """`FILE`, `FOLDER`, `git:REV[:PATH]`, or `REV[:PATH]` where no file is called so. beside: the other side of a
    comparison, whose file is meant where a revision names none. SourceError."""
    path = Path(text)
    if not text.startswith(_MARK) and path.exists():
        yield Source(path / DEFAULT_NAME if path.is_dir() else path)
        return
    revision, _, inside = text.removeprefix(_MARK).partition(":")
    top = _top(text)
    commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        if not text.startswith(_MARK):
            raise SourceError(f"{text}: there is no such file, and no such revision in the repository {top.name}")
        raise SourceError(f"{revision}: there is no such revision in the repository {top.name}; is it fetched?")
    name = inside or _inside(beside, top)
    with tempfile.TemporaryDirectory(prefix="router-gateway-") as folder:
        root = Path(folder).resolve()
        _unpack(top, commit.decode().strip(), name, root)
        file = root / name
        if file.is_dir():
            file /= DEFAULT_NAME
        if not file.is_file() or not file.resolve().is_relative_to(root):
            raise AbsentError(f"{revision}: there is no {name} in it; write {_MARK}{revision}:PATH")
        yield Source(file, root, revision)


def history(text: str) -> Iterator[AbstractContextManager[Source]]:
    """A file as it is, where it is there, then as each commit that changed something beside or below it has left it,
    the latest first. Each is to be entered before the next is asked for. SourceError where there is neither."""
    path = Path(text)
    there = path.exists()
    if there:
        yield opened(text)
    try:
        top = _top(text)
    except SourceError:
        if there:
            return
        raise
    name = _inside(text, top) if there else _named(path, top)
    folder = Path(name).parent.as_posix()
    below = ":(top)" if folder == "." else f":(top,literal){folder}"
    listed = _git(top, "log", f"--max-count={MOST}", "--format=%H", "--", below)
    for commit in (listed or b"").decode().split():
        yield _quiet(f"{_MARK}{commit}:{name}")


@contextmanager
def _quiet(text: str) -> Iterator[Source]:
    """A revision; ConfigError in place of what a caller of `history` cannot help."""
    try:
        with opened(text) as source:
            yield msgspec.structs.replace(source, name=source.name[:12])
    except AbsentError as error:
        raise ConfigError([Problem("error", "file-missing", text, "", str(error))]) from None


def _named(path: Path, top: Path) -> str:
    """The path within the repository of a file that is no more."""
    path = path.resolve()
    top = top.resolve()
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else path.name


def _top(text: str) -> Path:
    try:
        top = _git(Path.cwd(), "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        raise SourceError(f"{text}: there is no such file, and no git to look for a revision with") from None
    if top is None:
        raise SourceError(f"{text}: there is no such file, and this is no git repository that could have a revision")
    return Path(top.decode().rstrip("\n"))


def _inside(beside: str, top: Path) -> str:
    """The path within the repository of the other side's file, or of the usual name where that is none."""
    there = bool(beside) and Path(beside).exists()
    if not there and (said := beside.removeprefix(_MARK).partition(":")[2]):
        return said
    path = Path(beside) if there else Path(DEFAULT_NAME)
    if path.is_dir():
        path /= DEFAULT_NAME
    path = path.resolve()
    top = top.resolve()
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else DEFAULT_NAME


def _unpack(top: Path, commit: str, name: str, folder: Path) -> None:
    """The YAML files of a commit, and the named one whatever it is called."""
    for pattern in (f":(top,literal){name}", *_YAML):
        archive = _git(top, "archive", "--format=tar", commit, "--", pattern)
        if archive is not None:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(folder, filter=_harmless)  # noqa: S202  # that is what the filter is for


def _harmless(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """A link that leads out of the repository is left out, as if it led nowhere."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git prints; None where it fails. FileNotFoundError without a git."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603  # no shell, and options end before what a user wrote
    return done.stdout if done.returncode == 0 else None
