from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.store.ledger.protocol import Consumer
from gateway.store.ledger.sqlite import SqliteLedger

HASH = f"sha256:{'a' * 64}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config with a ledger, a key of a team, and quotas of keys."""
    path = tmp_path / "routers.yaml"
    path.write_text(
        "routers: {a: {load-balance: {chat: {providers: [echo]}}}}\n"
        f"ledger: {{url: 'sqlite:///{tmp_path}/l.db', spool: '{tmp_path}/spool'}}\n"
        "quotas: {consumers: [key]}\n"
        f"auth: {{mode: keys, keys: [{{name: ci, team: ml, hash: '{HASH}'}}]}}\n"
    )
    return path


def quota(config: Path, *words: str) -> int:
    return main(["quota", *words, "--config", str(config)])


def shown(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_what_is_paid_in_adds_up_and_is_shown(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quota(config, "add", "key:ci", "12.50", "--note", "November") == 0
    assert quota(config, "add", "key:ci", "0.000000001") == 0
    assert quota(config, "show", "key:ci", "--json") == 0
    out, err = shown(capsys)
    assert json.loads(out[out.index("{") :])["quotas"][0]["left"] == "12.500000001"
    assert err == ""


def test_a_balance_is_set_whatever_it_was(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quota(config, "add", "key:ci", "100") == 0
    assert quota(config, "set", "key:ci", "5") == 0
    assert quota(config, "add", "key:ci", "-2") == 0
    out, _ = shown(capsys)
    assert out.splitlines()[-1].split()[:3] == ["key:ci", "3.00", "3.00"]


def test_all_who_paid_in_are_listed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quota(config, "add", "key:ci", "1")
    quota(config, "add", "team:ml", "2")
    shown(capsys)
    assert quota(config, "list") == 0
    assert [line.split()[0] for line in shown(capsys)[0].splitlines()] == ["consumer", "key:ci", "team:ml"]
    assert quota(config, "list", "--kind", "project") == 0
    assert "Nobody has paid in." in shown(capsys)[1]


def test_who_is_not_bounded_by_it_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quota(config, "add", "team:ml", "2") == 0
    assert "It bounds nobody yet" in shown(capsys)[1]


def test_who_did_it_and_why_is_kept(config: Path) -> None:
    assert quota(config, "add", "key:ci", "1", "--note", "a gift") == 0

    async def read() -> int:
        database = SqliteLedger(config.parent / "l.db")
        await database.open()
        try:
            balance = await database.balance(Consumer("key", "ci"))
            assert balance is not None
            return balance.granted
        finally:
            await database.close()

    assert asyncio.run(read()) == 1_000_000_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "ci", "1"), "is no consumer: write it as key:NAME"),
        (("add", "router:a", "1"), "is no consumer"),
        (("add", "key:", "1"), "is no consumer"),
        (("add", "key:ci", "1e5"), "is no amount of US dollars"),
        (("add", "key:ci", "1.0000000001"), "is no amount of US dollars"),
        (("add", "key:ci", "nan"), "is no amount of US dollars"),
        (("add", "key:ci", "0"), "Nothing is no change."),
        (("set", "key:ci", "-5"), "not set below zero"),
        (("add", "key:ci", "4000001"), "A balance is at most 4000000.00 USD"),
        (("add", "key:cii", "1"), "The config knows no key 'cii'. Did you mean 'ci'?"),
        (("add", "team:mll", "1"), "Did you mean 'ml'?"),
        (("add", "project:x", "1"), "The config knows no project 'x'."),
        (("add", "key:ci", "1", "--note", "a\nb"), "--note"),
        (("show", "key:ci"), "Nothing was ever paid in for key:ci"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert quota(config, *words) == 1
    out, err = shown(capsys)
    assert said in err
    assert out == ""


def test_a_consumer_that_the_config_does_not_name_is_paid_for_when_that_is_said(config: Path) -> None:
    assert quota(config, "add", "project:x", "1", "--unlisted") == 0


def test_without_a_ledger_there_are_no_balances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "routers.yaml"
    path.write_text("routers: {a: {load-balance: {chat: {providers: [echo]}}}}\n")
    assert quota(path, "list") == 1
    assert "`ledger: {}` keeps one" in shown(capsys)[1]
