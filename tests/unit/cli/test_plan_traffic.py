from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.cli.traffic import Progress
from gateway.rehearsal import audit_file
from gateway.rehearsal.audit_file import Counts, in_time, lines_of
from gateway.telemetry import audit_reader
from gateway.telemetry.audit_line import AuditLine, Tried
from tests.support.audit_log import line, with_attempt, write

CONFIG = """\
routers:
  a:
    load-balance:
      chat:
        strategy: priority
        providers: [{provider: openai, priority: 1}, {provider: anthropic, priority: 2}]
    model-mappings: {gpt-5.5: [openai/gpt-5.5, anthropic/claude-sonnet-5-5]}
"""
TURNED = CONFIG.replace("openai, priority: 1", "openai, priority: 3")
OTHER = {"provider": "anthropic", "model": "claude-sonnet-5-5"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(CONFIG)
    (tmp_path / "new.yaml").write_text(CONFIG)
    return tmp_path


def report(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    lines: Iterable[AuditLine | bytes],
    new: str = CONFIG,
    old: str = CONFIG,
) -> dict[str, Any]:
    (folder / "old.yaml").write_text(old)
    (folder / "new.yaml").write_text(new)
    write(folder / "audit.jsonl", lines)
    status = main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl", "--format", "json"])
    said = capsys.readouterr()
    assert status in (0, 2), said.err
    found: dict[str, Any] = json.loads(said.out)["traffic"]
    assert not [note for note in found["notes"] if "logged an error" in note]
    return found


def only(found: dict[str, Any]) -> dict[str, Any]:
    assert len(found["parts"]) == 1
    part: dict[str, Any] = found["parts"][0]
    return part


def test_without_a_change_everything_stays_where_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = only(report(folder, capsys, (line(n, n / 10) for n in range(40))))
    assert part["before"] == part["after"]
    assert part["after"]["targets"] == {"openai/gpt-5.5": 40}
    assert part["after"]["latency"]["p50"] == pytest.approx(0.5, rel=0.01)
    assert (part["moved"], part["newly_refused"], part["newly_limited"], part["swapped"]) == ([], [], [], 0)


def test_what_moves_is_told_with_what_it_costs_and_how_long_it_takes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [line(n, n, **OTHER, seconds=2.0, team="web") for n in range(4)]  # type: ignore[arg-type]
    found = report(folder, capsys, [*known, *(line(n, n) for n in range(10, 30))], new=TURNED)
    ml, web = found["parts"]
    assert ml["moved"] == [
        {"source": "openai/gpt-5.5", "target": "anthropic/claude-sonnet-5-5", "count": 20,
         "examples": ["req-10", "req-11", "req-12"]}
    ]  # fmt: skip
    assert ml["before"]["latency"]["p50"] == pytest.approx(0.5, rel=0.01)
    assert ml["after"]["latency"]["p50"] == pytest.approx(2.0, rel=0.01)
    assert float(ml["before"]["spend"]) > 0
    assert ml["before"]["spend"] != ml["after"]["spend"]
    assert (web["team"], web["after"]["targets"]) == ("web", {"anthropic/claude-sonnet-5-5": 4})
    assert any(note.startswith("20 requests went to targets that answered others") for note in found["notes"])


def test_a_target_that_the_record_does_not_know_has_no_latency(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(folder, capsys, (line(n, n) for n in range(5)), new=TURNED)
    assert found["unknown_targets"] == {"anthropic/claude-sonnet-5-5": 5}
    assert only(found)["after"]["latency"] == {"p50": None, "p99": None}
    assert "the record has nothing of anthropic/claude-sonnet-5-5, to which 5 requests went" in found["notes"][0]


def test_a_limit_that_is_new_refuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limited = CONFIG + "    rate-limit: {per-team: {capacity: 2, refill-frequency: 1m}}\n"
    keys = "auth: {mode: keys, keys: [{name: ci, team: ml, hash: 'sha256:" + "0" * 64 + "'}]}\n"
    lines = [line(n, 0.1 * n) for n in range(5)] + [line(9, 120)]
    part = only(report(folder, capsys, lines, old=keys + CONFIG, new=keys + limited))
    assert part["newly_limited"] == [{"code": "rate_limited", "count": 3, "examples": ["req-2", "req-3", "req-4"]}]
    assert (part["before"]["good"], part["after"]["good"], part["after"]["limited"]) == (6, 3, 3)


def test_a_limit_that_is_gone_serves(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limited = CONFIG + "    rate-limit: {total: {capacity: 1, refill-frequency: 1h}}\n"
    part = only(report(folder, capsys, (line(n, n) for n in range(3)), old=limited))
    assert part["newly_served"] == [{"code": "rate_limited", "count": 2, "examples": ["req-1", "req-2"]}]


def test_a_router_that_is_gone_refuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = only(report(folder, capsys, [line(1, 0)], new=CONFIG.replace("  a:", "  b:")))
    assert part["newly_refused"] == [{"code": "router_not_found", "count": 1, "examples": ["req-1"]}]


def test_callers_without_a_key_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "auth: {mode: keys, keys: [{name: ci, team: ml, hash: 'sha256:" + "0" * 64 + "'}]}\n"
    found = report(folder, capsys, [line(1, 0), line(2, 1, caller="", team="")], new=keys + CONFIG)
    stranger, known = found["parts"]
    assert [case["code"] for case in stranger["newly_refused"]] == ["invalid_api_key"]
    assert known["newly_refused"] == []


def test_callers_of_a_keys_file_need_not_be_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "auth: {mode: keys, keys-file: keys.yaml}\n"
    part = only(report(folder, capsys, [line(1, 0)], old=keys + CONFIG, new=keys + CONFIG))
    assert part["after"]["good"] == 1


def test_a_cache_answers_who_asks_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cached = CONFIG + "    cache: {directive: max-age=3600, scope: router}\n"
    lines = [line(n, n, digest=f"digest-{n % 3}") for n in range(9)]
    part = only(report(folder, capsys, lines, new=cached))
    assert (part["before"]["cache_hits"], part["after"]["cache_hits"]) == (0, 6)
    assert float(part["after"]["spend"]) == pytest.approx(float(part["before"]["spend"]) / 3)


def test_faults_are_played_again_and_answered_by_who_stands_behind(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = Tried("openai", "gpt-5.5", "K", 503, "unavailable", 100.0)
    answered = Tried("anthropic", "claude-sonnet-5-5", "K", 200, "", 700.0)
    lines = [with_attempt(line(1, 0, **OTHER), failed, answered)]  # type: ignore[arg-type]
    part = only(report(folder, capsys, lines))
    assert part["after"]["targets"] == {"anthropic/claude-sonnet-5-5": 1}
    assert part["after"]["attempts"] == 2
    alone = CONFIG.replace(", {provider: anthropic, priority: 2}", "").replace(", anthropic/claude-sonnet-5-5", "")
    part = only(report(folder, capsys, lines, new=alone + "    retries: {max-retries: 0}\n"))
    assert part["newly_refused"][0]["count"] == 1


def test_a_silent_provider_is_waited_for_as_long_as_the_config_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = Tried("openai", "gpt-5.5", "K", 0, "silent", 30_000.0)
    answered = Tried("anthropic", "claude-sonnet-5-5", "K", 200, "", 1000.0)
    lines = [with_attempt(line(1, 0, **OTHER, stream=True), silent, answered)]  # type: ignore[arg-type]
    part = only(report(folder, capsys, lines, new=CONFIG + "    timeouts: {first-token: 5s}\n"))
    assert part["before"]["latency"]["p50"] == pytest.approx(31.0, rel=0.02)
    assert part["after"]["latency"]["p50"] == pytest.approx(6.0, rel=0.02)


@pytest.mark.parametrize(
    ("dialect", "operation", "path"),
    [
        ("openai", "chat", "/chat/completions"),
        ("openai", "responses", "/responses"),
        ("anthropic", "messages", "/messages"),
        ("gemini", "generate", "/v1beta/models/gpt-5.5:generateContent"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_requests_of_all_dialects_are_made_anew(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    dialect: Any,
    operation: Any,
    path: str,
    stream: bool,
    provider: str,
) -> None:
    if stream:
        path = path.replace(":generate", ":streamGenerate")
    model = {"openai": "gpt-5.5", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-2.5-flash"}[provider]
    config = (
        "routers:\n  a:\n    load-balance: {chat: {providers: [" + provider + "]}}\n"
        f"    model-mappings: {{gpt-5.5: {provider}/{model}}}\n"
    )
    one = line(1, 0, dialect=dialect, operation=operation, path=path, stream=stream, provider=provider, model=model)
    part = only(report(folder, capsys, [one], old=config, new=config))
    assert part["after"]["targets"] == {f"{provider}/{model}": 1}
    assert part["after"]["unpriced"] == 0


def test_what_cannot_be_made_anew_is_left_out_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    form = line(1, 0, operation="audio", path="/audio/transcriptions")
    found = report(folder, capsys, [form, line(2, 1)])
    assert (found["replayed"], found["left_out"]) == (1, 1)


def test_broken_and_foreign_lines_are_counted_and_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = line(1, 0)
    lines: list[AuditLine | bytes] = [
        whole, b'{"schema": "gateway.audit/1", "timestamp"', b'{"level": "info", "msg": "hello"}', b"not JSON",
        b"\xff\xfe", b'{"schema": "gateway.audit/99"}', line(2, 1),
    ]  # fmt: skip
    found = report(folder, capsys, lines)
    assert found["lines"] == {"read": 2, "broken": 3, "foreign": 2}
    assert found["replayed"] == 2


def test_a_line_that_never_ends_is_passed_over(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_reader, "LONGEST", 4096)
    found = report(folder, capsys, [line(1, 0), b"x" * 100_000, line(2, 1)])
    assert found["lines"] == {"read": 2, "broken": 1, "foreign": 0}


def test_a_file_that_was_put_aside_is_read_compressed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "audit.jsonl", (line(n, n) for n in range(5)))
    (folder / "audit.jsonl.gz").write_bytes(gzip.compress((folder / "audit.jsonl").read_bytes()))
    assert main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl.gz"]) == 0
    assert "traffic: 5 requests replayed\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "audit.jsonl: it cannot be read: no such file or directory"),
        (b"", "audit.jsonl: no line of it is a line of the audit log (0 broken, 0 of something else)"),
        (b"hello\n{}\n", "audit.jsonl: no line of it is a line of the audit log (1 broken, 1 of something else)"),
    ],
)
def test_a_file_without_requests_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    if content is not None:
        (folder / "audit.jsonl").write_bytes(content)
    assert main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl"]) == 1
    assert capsys.readouterr().err == f"{said}\n"


def test_a_config_that_could_not_serve_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.yaml").write_text(CONFIG.replace("openai/gpt-5.5", "nobody/gpt-5.5"))
    write(folder / "audit.jsonl", [line(1, 0)])
    assert main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("new.yaml:7:")
    assert said.endswith("No plan: a side is broken.\n")


TEXT = """\
traffic: 3 requests replayed; lines passed over: 1 broken
router a, team ml: 3 requests
    good        3 -> 2
    refused     0 -> 0
    limited     0 -> 1
    cache hits  0 -> 0
    attempts    3 -> 2
    p50         500ms -> 500ms
    p99         500ms -> 500ms
"""


def test_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.yaml").write_text(CONFIG + "    rate-limit: {total: {capacity: 2, refill-frequency: 1h}}\n")
    write(folder / "audit.jsonl", [*(line(n, n) for n in range(3)), b"cut"])
    assert main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl"]) == 2
    said = capsys.readouterr()
    assert TEXT in said.out
    assert (
        "    by openai/gpt-5.5 3 (100.0%) -> 2 (100.0%)\n    1 newly limited: rate_limited (such as req-2)\n"
        in said.out
    )
    assert said.err == "", "what is no terminal gets no bar"


def test_as_markdown_nothing_of_a_record_is_markup(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.yaml").write_text(CONFIG + "    rate-limit: {total: {capacity: 1, refill-frequency: 1h}}\n")
    write(folder / "audit.jsonl", [line(n, n, team="a|b <i> @all") for n in range(3)])
    assert main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl", "--format", "markdown"]) == 2
    said = capsys.readouterr().out
    assert "| a | a\\|b &lt;i> &#64;all | 3 | 0 | 0 → 2 |" in said
    assert "@all" not in said


def test_equal_runs_say_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spread = CONFIG.replace("strategy: priority", "strategy: latency")
    lines = [line(n, n / 7, seconds=0.2 + n % 5 / 10) for n in range(60)]
    assert report(folder, capsys, lines, new=spread) == report(folder, capsys, lines, new=spread)


def test_that_chance_had_a_part_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spread = """\
routers:
  a:
    load-balance: {chat: {strategy: latency, providers: [openai, anthropic, gemini]}}
    model-mappings: {gpt-5.5: [openai/gpt-5.5, anthropic/claude-sonnet-5-5, gemini/gemini-2.5-flash]}
"""
    lines = [line(n, n / 7) for n in range(30)]
    # The first three are sent by order, so that each target is measured.
    told = "chance had a part in 27 requests, the same under both configs"
    found = report(folder, capsys, lines, new=spread, old=spread)
    assert [note.startswith(told) for note in found["notes"] if "chance" in note] == [True]
    assert only(found)["before"] == only(found)["after"]
    assert not [note for note in report(folder, capsys, lines)["notes"] if "chance" in note]


def test_lines_are_put_in_order_without_holding_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_file, "WINDOW", 8)
    path = write(folder / "audit.jsonl", (line(n, n ^ 1) for n in range(200)))
    counts = Counts()
    moments = []
    for moment, _ in in_time(lines_of(path, counts)):
        moments.append(moment)
        assert counts.read - len(moments) <= 8
    assert moments == sorted(moments)
    assert len(moments) == 200


def test_what_is_held_does_not_grow_with_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_file, "WINDOW", 16)
    peaks = []
    # The first is for what is loaded and kept by whoever is first.
    for number in (30, 300, 1500):
        write(folder / "audit.jsonl", (line(n, n) for n in range(number)))
        tracemalloc.start()
        assert main(["plan", "old.yaml", "new.yaml", "--traffic", "audit.jsonl", "--format", "json"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        capsys.readouterr()
    size = len((folder / "audit.jsonl").read_bytes()) / 1500
    assert (peaks[2] - peaks[1]) / 1200 < size / 10


def test_a_terminal_sees_how_far_it_is() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    progress = Progress(terminal)
    for done in (0.0, 0.001, 0.5, 1.0):
        progress(done)
    progress.end()
    shown = terminal.getvalue().split("\r")
    assert shown[1:4] == [
        f"replaying [{' ' * 25}]   0%", f"replaying [{'#' * 12}{' ' * 13}]  50%", f"replaying [{'#' * 25}] 100%",
    ]  # fmt: skip
    assert shown[-1] == ""
