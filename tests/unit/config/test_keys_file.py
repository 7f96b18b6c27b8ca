from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from gateway.config.keys_file import Entry, editing, entry_line, read_entries


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    entry: Entry = {
        "name": "a",
        "team": 'it\'s "quoted": #1\n\u00e4',
        "models": ["gpt-4o*", "- x"],
        "previous": {"hash": "sha256:0", "until": "2027-01-31"},
        "signing-secret": "${env:A}",
    }
    with editing(file) as entries:
        assert entries == []
        entries += [entry, {"name": "no"}, {"name": "012"}]
    assert read_entries(file) == [entry, {"name": "no"}, {"name": "012"}]
    assert file.read_text().startswith("# Kept by `gateway keys`")


def test_an_entry_on_one_line_is_yaml(tmp_path: Path) -> None:
    entry: Entry = {"name": "a", "routers": ["x", "y"], "previous": {"until": "2027-01-31"}}
    (tmp_path / "keys.yaml").write_text(f"- {entry_line(entry)}\n")
    assert read_entries(tmp_path / "keys.yaml") == [entry]


def test_those_who_edit_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"

    def add(number: int) -> None:
        with editing(file) as entries:
            entries.append({"name": f"k{number}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert {entry["name"] for entry in read_entries(file)} == {f"k{number}" for number in range(40)}
    assert [path.name for path in tmp_path.iterdir()] == ["keys.yaml"]


def test_what_fails_half_way_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("- {name: a}   # a comment\n")
    with suppress(RuntimeError), editing(file) as entries:
        entries.clear()
        raise RuntimeError
    with editing(file):
        pass
    assert file.read_text() == "- {name: a}   # a comment\n", "and what changes nothing writes nothing"
