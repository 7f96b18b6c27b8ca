from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.core.key_material import key_bytes, key_id
from gateway.telemetry.audit_entry import hashed_user
from gateway.telemetry.audit_line import Content, encode
from gateway.telemetry.audit_record import line_of
from gateway.telemetry.audit_seal import Seal
from tests.support.exchange_records import served

KEY, OLD_KEY = base64.b64encode(bytes(range(32))).decode(), base64.b64encode(bytes(32)).decode()
ROUTER = "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIT_KEY", KEY)
    monkeypatch.setenv("OLD_KEY", OLD_KEY)
    config("audit: {}")


def config(text: str) -> None:
    Path("routers.yaml").write_text(ROUTER + text)


def text(content: Content | None = None, **changes: Any) -> bytes:
    return encode(line_of(served(**changes), content=content)) + b"\n"


def write(*lines: bytes, name: str = "audit.jsonl") -> None:
    Path(name).write_bytes(b"".join(lines))


def aside(*lines: bytes) -> None:
    Path("audit.20251120T000000.000000Z.jsonl.gz").write_bytes(gzip.compress(b"".join(lines)))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["audit", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def ids(out: str) -> list[str]:
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_tail_shows_the_last_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    write(*[text(id=str(number)) for number in range(20)], text(caller="", team="", provider="", user="", cost=None))
    status, out, err = run(capsys, "tail", "-n", "2")
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first == (
        "2025-11-21 11:00:00.123Z  prod  ml  user-456  chat gpt-4o -> openai/gpt-4o-2024-08-06  200 ok"
        "  150+230 tokens  $0.0038  1250 ms  cache miss  2 attempts"
    )
    assert "  prod  -  -  chat gpt-4o -> -  200 ok" in second
    assert "price unknown" in second


def test_what_a_client_made_up_does_not_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    write(text(user="\x1b[2Jnobody\nis here"))
    out = run(capsys, "tail")[1]
    assert out.count("\n") == 1
    assert "?[2Jnobody?is here" in out


def test_tail_begins_with_what_was_put_aside(capsys: pytest.CaptureFixture[str]) -> None:
    aside(text(id="a"), text(id="b"))
    write(text(id="c"))
    assert ids(run(capsys, "tail", "-n", "2", "--json")[1]) == ["b", "c"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--router", "dev"], ["dev"]),
        (["--team", "red"], ["team"]),
        (["--status", "5xx"], ["failed"]),
        (["--status", "503", "--router", "prod"], ["failed"]),
        (["--user", "ann"], ["user"]),
        (["--since", "2025-11-22"], ["late"]),
        (["--until", "2025-11-21T11:00:00Z"], []),
        (["--since", "2025-11-21T11:00:00Z", "--until", "2025-11-22", "--model", "o3"], ["model"]),
        (["--outcome", "error"], ["failed"]),
        (["--request", "req-9"], ["asked"]),
    ],
)
def test_lines_are_chosen_by_what_they_say(
    filters: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        text(id="plain"),
        text(id="dev", router="dev"),
        text(id="team", team="red"),
        text(id="failed", status=503, outcome="error"),
        text(id="user", user="ann"),
        text(id="late", time=1_763_800_000.0),
        text(id="model", asked="o3"),
        text(id="asked", request_id="req-9"),
    )
    assert ids(run(capsys, "query", "--lines", *filters)[1]) == expected
    assert ids(run(capsys, "tail", "-n", "99", "--json", *filters)[1]) == expected


def test_a_user_is_found_by_name_where_the_log_has_a_hash(capsys: pytest.CaptureFixture[str]) -> None:
    config("audit: {users: hashed, hash-key: '${env:AUDIT_KEY}'}")
    write(text(id="a", user=hashed_user("ann", key_bytes(KEY))), text(id="b", user=hashed_user("bob", key_bytes(KEY))))
    assert ids(run(capsys, "query", "--lines", "--user", "ann")[1]) == ["a"]


def test_query_adds_up_over_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    aside(text(), text(status=503, outcome="error", cost=None, seconds=3.25))
    write(text(saved=2_000_000, saved_by="cache"))
    status, out, err = run(capsys, "query")
    assert (status, err) == (0, "")
    heads, values = (line.split("  ") for line in out.splitlines())
    assert [one.strip() for one in heads if one] == [
        "lines", "failed", "prompt", "completion", "cost", "unpriced", "saved", "mean ms", "max ms",
    ]  # fmt: skip
    assert [one.strip() for one in values if one.strip()] == [
        "3", "1", "450", "690", "$0.0076", "1", "$0.002", "1916.7", "3250.0",
    ]  # fmt: skip


def test_groups_are_shown_with_the_most_lines_first(capsys: pytest.CaptureFixture[str]) -> None:
    write(text(team="red"), text(team="blue"), text(team="red"), text(team="", caller=""))
    out = run(capsys, "query", "--group-by", "day,team")[1]
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["day", "team", "lines"], ["2025-11-21", "red", "2"], ["2025-11-21", "-", "1"], ["2025-11-21", "blue", "1"],
    ]  # fmt: skip
    found = json.loads(run(capsys, "query", "--group-by", "team", "--format", "json", "--top", "1")[1])
    assert found == [
        {
            "team": "red", "lines": 2, "failed": 0, "prompt_tokens": 300, "completion_tokens": 460, "cost": 0.0076,
            "currency": "USD", "unpriced": 0, "saved": 0.0, "mean_latency_ms": 1250.0, "max_latency_ms": 1250.0,
        }
    ]  # fmt: skip


def test_what_is_broken_is_counted_and_told_and_the_rest_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    write(text(id="a"), b'{"half', b"\n", b'{"event":"config reloaded"}\n', text(id="b"))
    status, out, err = run(capsys, "query", "--lines")
    assert (status, ids(out)) == (0, ["a", "b"])
    assert err == "1 broken:\n  audit.jsonl:2: not whole JSON\n1 lines of others were passed over.\n"


def test_bodies_are_shown_where_the_key_is_at_hand(capsys: pytest.CaptureFixture[str]) -> None:
    config("audit: {encryption-key: '${env:AUDIT_KEY}', old-encryption-keys: ['${env:OLD_KEY}']}")
    said = Content("a question", "an answer")
    lines = [text(Seal(key_bytes(key))(said, one), id=one) for one, key in (("a", KEY), ("b", OLD_KEY))]
    foreign = text(Seal(bytes(31) + b"x")(said, "c"), id="c")
    write(*lines, foreign)
    _, out, err = run(capsys, "query", "--lines")
    contents = [json.loads(line)["content"] for line in out.splitlines()]
    assert contents[:2] == [{"request": "a question", "response": "an answer"}] * 2
    assert "sealed" in contents[2]
    assert err.startswith("1 bodies are encrypted with keys that the config does not have: ")
    assert key_id(bytes(31) + b"x") in err
    assert "audit.old-encryption-keys" in err
    config("audit: {}")
    _, out, err = run(capsys, "tail", "--json")
    assert "a question" not in out
    assert "3 bodies" in err


def test_a_body_that_was_changed_is_told_from_one_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    config("audit: {encryption-key: '${env:AUDIT_KEY}'}")
    sealed = Seal(key_bytes(KEY))(Content("a question"), "a")
    write(text(sealed, id="moved"))
    _, out, err = run(capsys, "query", "--lines")
    assert ids(out) == ["moved"]
    assert "a question" not in out
    assert err == "1 bodies are not what was written: changed, or another line's. The first is of the line 'moved'.\n"


def test_what_a_container_printed_can_be_piped_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config("audit: {to: stdout}")
    printed = b'{"time":"now","event":"request served"}\n' + text(id="a") + b"plain words\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(printed)))
    status, out, err = run(capsys, "query", "--lines", "-")
    assert (status, ids(out)) == (0, ["a"])
    assert "  -:3: not whole JSON" in err


def test_files_may_be_named_and_then_no_config_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("routers.yaml").unlink()
    write(text(id="a"), name="one")
    aside(text(id="b"))
    names = ["one", "audit.20251120T000000.000000Z.jsonl.gz"]
    assert ids(run(capsys, "tail", "--json", *names)[1]) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ("audit: {}", ["query"], "There is no audit.jsonl"),
        ("audit: {}", ["query", "nowhere"], "There is no file nowhere"),
        ("audit: {to: stdout}", ["query"], "kubectl logs POD | gateway audit query -"),
        ("", ["tail"], "has no `audit`"),
        ("audit: {", ["tail"], "routers.yaml:"),
        ("audit: {}", ["tail", "--since", "yesterday"], "write 2026-11-01"),
        ("audit: {}", ["tail", "-f", "a"], "--follow"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_to_do(
    text: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config(text)
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (1, "")
    assert told in err


@pytest.mark.parametrize(
    "arguments", [["query", "--group-by", "weather"], ["query", "--status", "ok"], ["tail", "-n", "0"], []]
)
def test_wrong_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["audit", *arguments])
    assert capsys.readouterr().err


def test_a_file_is_followed_until_somebody_has_seen_enough(tmp_path: Path) -> None:
    write(text(id="old"))
    command = [sys.executable, "-m", "gateway.cli", "audit", "tail", "-f", "--json"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[3]), "AUDIT_KEY": KEY, "PATH": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["id"] == "old"
        Path("audit.jsonl").rename("audit.20251120T000000.000000Z.jsonl")
        write(text(id="new"))
        assert json.loads(following.stdout.readline())["id"] == "new"
        following.terminate()
