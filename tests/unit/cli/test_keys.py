from __future__ import annotations

import hashlib
import hmac
import json
import re
import stat
import time
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.config.check import loaded_and_checked
from gateway.config.spec import GatewayKey
from gateway.core.key_text import is_key_text
from gateway.core.moments import end_of, moment_text

ROUTERS = "routers: {a: {load-balance: {chat: {providers: [echo]}}}, no: {load-balance: {chat: {providers: [echo]}}}}\n"
KEPT = ROUTERS + "auth: {mode: keys, keys-file: keys.yaml}\n"
PEPPER = "a pepper of enough length"


def keys(*arguments: str) -> int:
    return main(["keys", *arguments])


def shown(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The key, and what is printed behind it."""
    printed = capsys.readouterr().out
    [key] = re.findall(r"^ {4}(gw_\S+)$", printed, re.MULTILINE)
    return key, printed.partition(key)[2]


def digest(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def in_use(folder: Path, env: dict[str, str] | None = None) -> dict[str, GatewayKey]:
    loaded, _ = loaded_and_checked(folder / "routers.yaml", env or {})
    return {key.name: key for key in loaded.spec.auth.keys}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "routers.yaml").write_text(KEPT)
    (tmp_path / "keys.yaml").write_text("[]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_entry_admits_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        keys(
            "new", "ml-ci", "--team", "ml: ops", "--routers", "a, no", "--models", "gpt-4o*", "--expires", "2099-01-01"
        )
        == 0
    )
    key, rest = shown(capsys)
    text = rest.partition("Its entry in routers.yaml:\n\n")[2]
    (tmp_path / "routers.yaml").write_text(ROUTERS + text)
    loaded, problems = loaded_and_checked(tmp_path / "routers.yaml", {})
    assert problems == []
    [entry] = loaded.spec.auth.keys
    assert entry.hash == digest(key)
    assert (entry.name, entry.team, entry.routers) == ("ml-ci", "ml: ops", ("a", "no"))
    assert (entry.models, entry.expires) == (("gpt-4o*",), "2099-01-01")
    assert key not in text


def test_no_two_keys_are_the_same_and_a_scanner_knows_each(capsys: pytest.CaptureFixture[str]) -> None:
    made = set()
    for _ in range(20):
        assert keys("new", "a") == 0
        made.add(shown(capsys)[0])
    assert len(made) == 20
    assert all(is_key_text(key) for key in made)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "a b"), "1 to 64"),
        (("new", "a", "--expires", "2027-02-30"), "2027-01-31"),
        (("new", "a", "--expires", "tomorrow"), "2027-01-31"),
        (("rotate", "a", "--grace", "soon"), "not a duration"),
    ],
)
def test_what_a_file_would_refuse_is_refused(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        keys(*arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_key_goes_into_the_keys_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "keys.yaml").chmod(0o640)
    assert keys("new", "ci", "--config", "routers.yaml", "--team", "ml") == 0
    key, rest = shown(capsys)
    assert "takes it up by itself" in rest
    entry = in_use(folder)["ci"]
    assert (entry.hash, entry.team) == (digest(key), "ml")
    assert entry.created is not None
    assert abs(end_of(entry.created) - time.time()) < 60
    assert key not in (folder / "keys.yaml").read_text()
    assert stat.S_IMODE((folder / "keys.yaml").stat().st_mode) == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["keys.yaml", "routers.yaml"]
    assert (folder / "routers.yaml").read_text() == KEPT


def test_a_keys_file_that_is_not_there_is_made_for_its_owner_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "keys.yaml").unlink()
    assert keys("new", "ci", "--config", "routers.yaml") == 0
    assert in_use(folder)["ci"].hash == digest(shown(capsys)[0])
    assert stat.S_IMODE((folder / "keys.yaml").stat().st_mode) == 0o600


def test_a_file_behind_a_link_is_replaced_and_not_the_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "real").mkdir()
    (folder / "keys.yaml").rename(folder / "real" / "keys.yaml")
    (folder / "keys.yaml").symlink_to("real/keys.yaml")
    assert keys("new", "ci", "--config", "routers.yaml") == 0
    assert (folder / "keys.yaml").is_symlink()
    assert list(in_use(folder)) == ["ci"]


def test_a_keys_file_alone_will_do_and_says_where_it_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "ci", "--file", "others.yaml") == 0
    assert "keys-file: others.yaml" in capsys.readouterr().out
    assert keys("new", "more", "--file", "others.yaml", "--config", "routers.yaml") == 0
    assert "does not name it" in capsys.readouterr().out


def test_a_name_is_given_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "ci", "--config", "routers.yaml") == 0
    before = (folder / "keys.yaml").read_text()
    assert keys("new", "ci", "--config", "routers.yaml") == 1
    assert "rotate ci" in capsys.readouterr().err
    assert (folder / "keys.yaml").read_text() == before


def test_with_a_pepper_hashes_are_keyed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "routers.yaml").write_text(KEPT.replace("mode: keys,", "mode: keys, pepper: '${env:PEPPER}',"))
    assert keys("new", "ci", "--config", "routers.yaml") == 1
    assert "PEPPER is not set" in capsys.readouterr().err
    assert (folder / "keys.yaml").read_text() == "[]\n"
    monkeypatch.setenv("PEPPER", PEPPER)
    assert keys("new", "ci", "--config", "routers.yaml") == 0
    key, _ = shown(capsys)
    expected = hmac.digest(PEPPER.encode(), key.encode(), "sha256").hex()
    assert in_use(folder, {"PEPPER": PEPPER})["ci"].hash == f"hmac-sha256:{expected}"


def test_a_rotation_leaves_two_secrets_for_a_while(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "ci", "--config", "routers.yaml", "--team", "ml") == 0
    first, _ = shown(capsys)
    assert keys("rotate", "ci", "--grace", "2h") == 0
    second, _ = shown(capsys)
    entry = in_use(folder)["ci"]
    assert (entry.hash, entry.team) == (digest(second), "ml")
    assert entry.previous is not None
    assert entry.previous.hash == digest(first)
    assert abs(end_of(entry.previous.until) - time.time() - 7200) < 60
    assert keys("rotate", "ci", "--grace", "0", "--expires", "2099-01-01") == 0
    third, rest = shown(capsys)
    assert in_use(folder)["ci"].expires == "2099-01-01"
    assert "The old one is void." in rest
    assert in_use(folder)["ci"].hash == digest(third)
    assert in_use(folder)["ci"].previous is None


def test_a_revoked_key_is_gone_even_the_last(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "ci", "--config", "routers.yaml") == 0
    assert keys("revoke", "ci") == 0
    assert "'ci' is revoked" in capsys.readouterr().out
    assert in_use(folder) == {}
    assert keys("revoke", "ci") == 1
    assert "There is no key 'ci'" in capsys.readouterr().err


def test_a_key_of_the_config_itself_is_printed_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = KEPT.replace("keys-file: keys.yaml", f"keys: [{{name: ci, hash: '{digest('old')}', team: ml}}]")
    (folder / "routers.yaml").write_text(text)
    assert keys("rotate", "ci") == 0
    key, rest = shown(capsys)
    assert "instead of the one at routers.yaml:2:27" in rest
    assert f'{{name: "ci", hash: "{digest(key)}", previous: {{hash: "{digest("old")}", until: ' in rest
    assert keys("revoke", "ci") == 1
    assert "routers.yaml:2:27" in capsys.readouterr().err
    assert (folder / "routers.yaml").read_text() == text


def test_a_signing_key_has_a_secret_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "ml-ci", "--config", "routers.yaml", "--signing", "required") == 0
    printed = capsys.readouterr().out
    [secret] = re.findall(r"^ {4}(\S{43})$", printed, re.MULTILINE)
    assert "gw_" not in printed
    entry = in_use(folder, {"ML_CI_SIGNING_SECRET": secret})["ml-ci"]
    assert (entry.hash, entry.signing, entry.signing_secret) == (None, "required", secret)
    assert secret not in (folder / "keys.yaml").read_text()
    assert keys("rotate", "ml-ci", "--file", "keys.yaml") == 1
    assert "only signatures" in capsys.readouterr().err


def test_the_list_says_what_each_key_may_and_how_it_stands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soon = moment_text(time.time() + 3.2 * 86400)
    later = moment_text(time.time() + 3600)
    (folder / "keys.yaml").write_text(
        f"- {{name: fresh, hash: '{digest('1')}', created: 2026-01-01, routers: [a, no]}}\n"
        f"- {{name: old, hash: '{digest('2')}', expires: 2020-01-01, team: ml}}\n"
        f"- {{name: soon, hash: '{digest('3')}', expires: '{soon}'}}\n"
        f"- {{name: two, hash: '{digest('4')}', previous: {{hash: '{digest('5')}', until: '{later}'}}}}\n"
    )
    assert keys("list") == 0
    printed = capsys.readouterr().out
    rows = [re.split(r"  +", line) for line in printed.splitlines()]
    assert rows[0] == ["name", "team", "routers", "created", "expires", "state"]
    assert rows[1] == ["fresh", "-", "a, no", "2026-01-01", "-", "active"]
    assert [row[-1] for row in rows[2:]] == ["expired", "expires in 3 days", f"two secrets until {later}"]
    assert "sha256" not in printed
    assert keys("list", "--format", "json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["fresh", "old", "soon", "two"]


@pytest.mark.parametrize("text", ["name: a\n", "- 5\n", "- {name: a, hsh: x}\n", "- {name: a\n"])
def test_a_keys_file_that_is_none_is_left_alone(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "keys.yaml").write_text(text)
    assert keys("new", "ci", "--file", "keys.yaml") == 1
    assert "keys" in capsys.readouterr().err
    assert (folder / "keys.yaml").read_text() == text


def test_a_config_in_which_nothing_is_served_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "routers.yaml").write_text(KEPT.replace("[echo]", "[ehco]", 1))
    assert keys("new", "ci", "--config", "routers.yaml") == 0
    assert "has 1 error, and until" in capsys.readouterr().out


def test_a_key_of_the_admin_api_is_printed_with_its_entry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "finance", "--admin", "read", "--expires", "2099-01-01") == 0
    key, rest = shown(capsys)
    assert is_key_text(key)
    (folder / "routers.yaml").write_text(ROUTERS + rest.partition("Its entry in routers.yaml:\n\n")[2])
    admin = loaded_and_checked(folder / "routers.yaml", {})[0].spec.admin
    assert admin is not None
    [entry] = admin.keys
    assert (entry.name, entry.hash, entry.role, entry.expires) == ("finance", digest(key), "read", "2099-01-01")
    assert (folder / "keys.yaml").read_text() == "[]\n", "it is for review, not for a file"


def test_a_key_of_the_admin_api_has_a_role_and_no_routers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("new", "finance", "--admin", "write", "--team", "ml") == 1
    assert "--team" in capsys.readouterr().err


def test_a_key_of_the_admin_api_has_the_pepper_of_the_config(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEPPER", PEPPER)
    (folder / "routers.yaml").write_text(f"{ROUTERS}auth: {{pepper: '${{env:PEPPER}}'}}\n")
    assert keys("new", "finance", "--admin", "read", "--config", "routers.yaml") == 0
    key, rest = shown(capsys)
    assert f"hmac-sha256:{hmac.digest(PEPPER.encode(), key.encode(), 'sha256').hex()}" in rest
