from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.config.check import loaded_and_checked

ROUTERS = "routers: {a: {load-balance: {chat: {providers: [echo]}}}, no: {load-balance: {chat: {providers: [echo]}}}}\n"


def printed_by(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The key and the YAML."""
    assert main(["keys", "new", *arguments]) == 0
    printed = capsys.readouterr().out
    [key] = re.findall(r"^ {4}(gw_\S+)$", printed, re.MULTILINE)
    return key, printed.partition("Its entry in routers.yaml:\n\n")[2]


def test_the_entry_admits_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, text = printed_by(["ml-ci", "--team", "ml: ops", "--routers", "a, no"], capsys)
    (tmp_path / "routers.yaml").write_text(ROUTERS + text)
    loaded, problems = loaded_and_checked(tmp_path / "routers.yaml", {})
    assert problems == []
    [entry] = loaded.spec.auth.keys
    assert entry.hash == f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    assert (entry.name, entry.team, entry.routers) == ("ml-ci", "ml: ops", ("a", "no"))
    assert key not in text


def test_no_two_keys_are_the_same_and_each_has_256_bits(capsys: pytest.CaptureFixture[str]) -> None:
    keys = {printed_by(["a"], capsys)[0] for _ in range(20)}
    assert len(keys) == 20
    assert all(re.fullmatch(r"gw_[A-Za-z0-9_-]{43}", key) for key in keys)


def test_a_name_that_a_file_would_refuse_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["keys", "new", "a b"])
    assert caught.value.code == 2
    assert "1 to 64" in capsys.readouterr().err
