from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config import watch
from gateway.config.watch import ConfigWatch
from tests.support.loopback import within_bound


class Changes:
    """What a watch reports. Each report that comes sets `seen`."""

    def __init__(self) -> None:
        self.count = 0
        self.seen = asyncio.Event()
        self.fails = False

    async def note(self) -> None:
        self.count += 1
        self.seen.set()
        if self.fails:
            raise RuntimeError("the reload is broken")


async def look(files: Callable[[], tuple[Path, ...]], *edits: Callable[[], object]) -> list[int]:
    """How many changes were reported after each edit."""
    changes = Changes()
    watched = ConfigWatch(files, changes.note)
    await watched.look()
    before = changes.count
    counts = []
    for edit in edits:
        edit()
        await watched.look()
        counts.append(changes.count - before)
    return counts


def write(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "routers.yaml"
    path.write_text("routers: {}\n")
    return path


async def test_other_bytes_are_a_change_and_the_same_are_none(file: Path) -> None:
    counts = await look(
        lambda: (file,),
        lambda: file.write_text("routers: {a: 1}\n"),
        lambda: file.write_text("routers: {a: 1}\n"),
        lambda: os.utime(file, (0, 0)),
        lambda: file.write_text("routers: {}\n"),
    )
    assert counts == [1, 1, 1, 2]


async def test_a_file_that_goes_and_comes_back_is_two_changes(file: Path) -> None:
    counts = await look(lambda: (file,), file.unlink, lambda: file.write_text("x"))
    assert counts == [1, 2]


async def test_a_new_yaml_file_beside_it_is_a_change_and_another_file_is_none(file: Path) -> None:
    counts = await look(
        lambda: (file,),
        lambda: file.with_name("notes.txt").write_text("x"),
        lambda: file.with_name("team.yaml").write_text("x"),
        lambda: file.with_name("team.yml").write_text("x"),
    )
    assert counts == [0, 1, 2]


async def test_a_swapped_link_above_the_file_is_a_change(tmp_path: Path) -> None:
    """As a Kubernetes ConfigMap is updated."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "routers.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("one")
    file = tmp_path / "routers.yaml"
    file.symlink_to("..data/routers.yaml")

    def swap() -> None:
        (tmp_path / "..new").symlink_to("two")
        (tmp_path / "..new").replace(tmp_path / "..data")

    assert await look(lambda: (file,), swap) == [1]


async def test_a_change_that_cannot_be_served_is_reported_and_not_the_last(file: Path) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, what: reported.append(what))
    changes = Changes()
    changes.fails = True
    watched = ConfigWatch(lambda: (file,), changes.note)
    await watched.look()
    write(file, "routers: {a: 1}\n")
    await watched.look()
    assert changes.count == 2
    assert [str(what["exception"]) for what in reported] == ["the reload is broken"] * 2


@asynccontextmanager
async def running(files: Callable[[], tuple[Path, ...]], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Changes]:
    """A watch under way that looks often, so that no edit can come too early for it."""
    monkeypatch.setattr(watch, "LOOK_EVERY_MS", 50)
    monkeypatch.setattr(watch, "RETRY", 0.01)
    changes = Changes()
    task = asyncio.create_task(ConfigWatch(files, changes.note).run())
    # The first digest is taken before the first await.
    await asyncio.sleep(0)
    try:
        yield changes
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.real_time
async def test_an_edit_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lambda: (file,), monkeypatch) as changes:
        write(file, "routers: {a: 1}\n")
        await within_bound(changes.seen.wait())


@pytest.mark.real_time
async def test_a_file_that_is_replaced_is_watched_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lambda: (file,), monkeypatch) as changes:
        for text in ("one", "two"):
            changes.seen.clear()
            scratch = file.with_suffix(".tmp")
            scratch.write_text(text)
            scratch.replace(file)
            await within_bound(changes.seen.wait())


@pytest.mark.real_time
async def test_a_folder_that_goes_and_comes_back_is_watched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = folder / "routers.yaml"
    file.write_text("one")
    async with running(lambda: (file,), monkeypatch) as changes:
        file.unlink()
        folder.rmdir()
        folder.mkdir()
        file.write_text("two")
        await within_bound(changes.seen.wait())


@pytest.mark.real_time
async def test_a_file_that_the_config_comes_to_include_is_watched(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "teams"
    folder.mkdir()
    team = folder / "team.yaml"
    team.write_text("one")
    files = [(file,), (file, team)]
    async with running(lambda: files[0], monkeypatch) as changes:
        files.pop(0)
        await within_bound(changes.seen.wait())
        changes.seen.clear()
        team.write_text("two")
        await within_bound(changes.seen.wait())
