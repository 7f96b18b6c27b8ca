from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.documents import MAX_SIZE, read_documents, read_list
from gateway.config.problem import ConfigError, Problem
from gateway.config.tree import find

ROUTER = "{load-balance: {chat: {providers: [echo]}}}"


def tell(problem: Problem, folder: Path) -> str:
    return f"{problem.place.removeprefix(str(folder) + '/')} {problem.code}"


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_documents(path)
    [problem] = caught.value.problems
    return tell(problem, path.parent)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == "none.yaml file-missing"
    (tmp_path / "folder").mkdir()
    assert refused(tmp_path / "folder") == "folder file-unreadable"
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xe9\n")
    assert refused(tmp_path / "latin") == "latin:2:4 file-not-utf8"
    (tmp_path / "large").write_bytes(b"#" * (MAX_SIZE + 1))
    assert refused(tmp_path / "large") == "large file-too-large"
    (tmp_path / "empty").write_bytes(b"")
    assert refused(tmp_path / "empty") == "empty:1:1 file-empty"
    assert refused(tmp_path / "a\0b").endswith("file-unreadable")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfrouters: {}\n")
    assert read_documents(tmp_path / "a.yaml").root.plain() == {"routers": {}}


def test_includes_are_joined_in_order(tmp_path: Path) -> None:
    main = tmp_path / "routers.yaml"
    main.write_text(f"include: ['teams/*.yaml', routers.yaml]\nrouters:\n  a: {ROUTER}\n")
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "2.yaml").write_text(f"routers:\n  c: {ROUTER}\n")
    (tmp_path / "teams" / "1.yaml").write_text(f"routers:\n  b: {ROUTER}\nproviders: {{openai: null}}\n")
    joined = read_documents(main)
    assert joined.problems == []
    assert joined.files == (main, tmp_path / "teams" / "1.yaml", tmp_path / "teams" / "2.yaml")
    document = joined.root.plain()
    assert isinstance(document, dict)
    assert isinstance(document["routers"], dict)
    assert list(document["routers"]) == ["a", "b", "c"]
    assert document["providers"] == {"openai": None}


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "routers.yaml").write_text("include: '*.link'\n")
    (tmp_path / "a.link").symlink_to(tmp_path / "none")
    with pytest.raises(ConfigError) as caught:
        read_documents(tmp_path / "routers.yaml")
    assert [tell(problem, tmp_path) for problem in caught.value.problems] == ["a.link file-missing"]


def test_what_an_include_may_not_do(tmp_path: Path) -> None:
    main = tmp_path / "routers.yaml"
    main.write_text(f"include:\n- b.yaml\n- c.yaml\n- none*.yaml\nrouters:\n  a: {ROUTER}\n")
    (tmp_path / "b.yaml").write_text(f"server: {{}}\ninclude: x\nrouters:\n  a: {ROUTER}\n")
    (tmp_path / "c.yaml").write_text("- a\n")
    problems = read_documents(main).problems
    assert [tell(problem, tmp_path) for problem in problems] == [
        "b.yaml:1:1 include-content",
        "b.yaml:2:1 include-content",
        "b.yaml:4:3 defined-twice",
        "c.yaml:1:1 include-content",
        "routers.yaml:4:3 include-empty",
    ]
    assert f"{main}:6:3" in problems[2].hint
    assert problems[-1].level == "warning"


AUTH = "auth:\n  keys-file: keys.yaml\n  keys: [{name: here}]\n"


def test_the_keys_of_a_keys_file_stand_behind_the_others_and_know_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AUTH)
    (tmp_path / "keys.yaml").write_text("# kept\n- {name: there}\n- name: too\n")
    joined = read_documents(tmp_path / "a.yaml")
    assert joined.problems == []
    assert joined.files == (tmp_path / "a.yaml", tmp_path / "keys.yaml")
    keys = find(joined.root, ("auth", "keys"))
    assert keys is not None
    assert keys.plain() == [{"name": "here"}, {"name": "there"}, {"name": "too"}]
    last = find(joined.root, ("auth", "keys", 2, "name"))
    assert last is not None
    assert str(last.mark) == f"{tmp_path}/keys.yaml:3:9"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n", "---\n"])
def test_a_keys_file_may_have_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(AUTH)
    (tmp_path / "keys.yaml").write_text(text)
    joined = read_documents(tmp_path / "a.yaml")
    assert joined.problems == []
    assert joined.root.plain() == {"auth": {"keys-file": "keys.yaml", "keys": [{"name": "here"}]}}
    assert read_list(tmp_path / "keys.yaml") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "a.yaml:2:14 file-missing"),
        ("name: a\n", "keys.yaml:1:1 wrong-type"),
        ("- {a: 1\n", "keys.yaml:2:1 yaml-syntax"),
        ("- {a: 1, a: 2}\n", "keys.yaml:1:10 key-twice"),
    ],
)
def test_a_keys_file_that_is_none_is_told_and_watched(tmp_path: Path, text: str | None, told: str) -> None:
    (tmp_path / "a.yaml").write_text(AUTH)
    if text is not None:
        (tmp_path / "keys.yaml").write_text(text)
    joined = read_documents(tmp_path / "a.yaml")
    [problem] = joined.problems
    assert tell(problem, tmp_path) == told
    assert tmp_path / "keys.yaml" in joined.files
