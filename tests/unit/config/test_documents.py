from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.documents import MAX_SIZE, read_documents
from gateway.config.problem import ConfigError, Problem

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
