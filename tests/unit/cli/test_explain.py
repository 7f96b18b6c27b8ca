from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main

ROOT = Path(__file__).parents[3]
CONFIG = """\
auth:
  mode: keys
  keys:
    - name: web
      team: shop
      hash: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
      models: [gpt-*]
      rate-limit: {unit: tokens, capacity: 1000, refill-frequency: 1m}
      networks: [10.0.0.0/8]
    - name: ci
      hash: 'sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
      routers: [other]
global:
  timeouts: {first-token: 10s}
routers:
  main:
    cache: {directive: max-age=600, scope: team}
    rate-limit:
      per-team: {unit: usd, capacity: 5, refill-frequency: 1d}
    retries: {max-retries: 1}
    model-mappings:
      gpt-4o: anthropic/claude-sonnet-4-5
    load-balance:
      chat:
        strategy: priority
        providers:
          - openai
          - anthropic
          - gemini
          - groq
  shares:
    load-balance:
      chat:
        strategy: weighted
        providers: [{provider: openai, weight: 3}, {provider: openai/gpt-4.1, weight: 1}]
  other: {load-balance: {chat: {providers: [openai]}}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "routers.yaml").write_text(CONFIG)
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict[str, Any]:
    assert main(["explain", *arguments, "--format", "json"]) == status
    decision = json.loads(capsys.readouterr().out)
    assert isinstance(decision, dict)
    return decision


def order(decision: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(line["turn"], line["note"]["provider"], line["place"]) for line in decision["targets"]]


def reasons(decision: dict[str, Any]) -> dict[str, str]:
    return {line["note"]["provider"]: line["note"]["why"] for line in decision["refused"]}


def test_targets_stand_in_the_order_in_which_they_are_asked(capsys: pytest.CaptureFixture[str]) -> None:
    decision = explained(capsys, "main", "-m", "gpt-4o", "--assume-keys")
    assert order(decision) == [
        (1, "openai", "routers.yaml:27"),
        (2, "anthropic", "routers.yaml:28"),
    ]
    assert reasons(decision) == {
        "gemini": "does not serve this model",
        "groq": "does not serve this model",
    }
    mapped = decision["targets"][1]
    assert (mapped["note"]["model"], mapped["via"], mapped["via_place"]) == (
        "claude-sonnet-4-5",
        "mapped",
        "routers.yaml:22",
    )


def test_each_policy_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    decision = explained(capsys, "main", "-m", "gpt-4o", "--assume-keys")
    assert decision["retries"]["most"] == 1
    assert decision["retries_place"] == "routers.yaml:20"
    assert decision["waits"]["first_token"] == 10
    assert decision["waits_place"] == "routers.yaml:14"
    assert decision["strategy_place"] == "routers.yaml:25"
    assert (decision["cache"]["directive"], decision["cache_place"]) == ("max-age=600", "routers.yaml:17")
    assert decision["on_loss_place"] == "default"


def test_a_caller_has_its_limits_and_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    decision = explained(capsys, "main", "-m", "gpt-4o", "--key", "web", "--assume-keys")
    caller = decision["caller"]
    assert (caller["name"], caller["team"], caller["models"], caller["place"]) == (
        "web",
        "shop",
        ["gpt-*"],
        "routers.yaml:4",
    )
    assert caller["asks"] == ["calls from 10.0.0.0/8"]
    found = {line["note"]["scope"]: line for line in decision["limits"]}
    assert found["gateway-key"]["place"] == "routers.yaml:8"
    assert found["gateway-key"]["note"]["takes"] == sum(decision["tokens"])
    assert found["per-team"]["place"] == "routers.yaml:19"
    assert found["per-team"]["note"]["bucket"].endswith(":shop")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("main", "-m", "gpt-4o", "--key", "ci"), "access_denied"),
        (("main", "-m", "claude-sonnet-4-5", "--key", "web"), "access_denied"),
        (("main", "-m", "gpt-4o"), "no_eligible_target"),
        (("main", "-m", "text-embedding-3-small", "--path", "/embeddings"), "operation_not_served"),
    ],
)
def test_what_nothing_could_serve(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: str) -> None:
    decision = explained(capsys, *arguments, status=3)
    assert (decision["serves"], decision["error"]["code"]) == (False, code)
    assert not decision["targets"]


def test_a_request_that_no_limit_ever_lets_in(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "long.json").write_text(json.dumps({"messages": [], "max_tokens": 2000}))
    arguments = ("main", "-m", "gpt-4o", "--key", "web", "--assume-keys", "--request", "long.json")
    decision = explained(capsys, *arguments, status=3)
    assert decision["error"]["code"] == "request_exceeds_limit"
    assert decision["limits"][0]["note"]["retry_after"] is None


def test_providers_without_keys_are_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-a-test")
    assert main(["explain", "main", "-m", "gpt-4o"]) == 0
    out = capsys.readouterr().out
    assert "missing: Set OPENAI_API_KEY" in out
    assert "first: anthropic with claude-sonnet-4-5" in out
    assert "sk-ant-of-a-test" not in out


@pytest.mark.parametrize(
    ("faults", "first", "why"),
    [
        ("openai=429", "anthropic", "its key cooling, next in 60 s"),
        ("openai=401", "anthropic", "its key cooling"),
        ("openai=503", "anthropic", "breaker open, probe in 10 s"),
        ("openai=connect", "anthropic", "breaker open, probe in 10 s"),
    ],
)
def test_who_is_next_when_a_provider_has_failed(
    capsys: pytest.CaptureFixture[str], faults: str, first: str, why: str
) -> None:
    decision = explained(capsys, "main", "-m", "gpt-4o", "--assume-keys", "--at-fault", faults)
    assert order(decision)[0][:2] == (1, first)
    assert reasons(decision)["openai"].startswith(why)


def test_when_all_have_failed_nothing_serves(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("main", "-m", "gpt-4o", "--assume-keys", "--at-fault", "openai=429,anthropic=503")
    decision = explained(capsys, *arguments, status=3)
    assert decision["error"]["code"] == "no_eligible_target"
    assert decision["error"]["retry_after"] > 0


def test_weights_are_shares(capsys: pytest.CaptureFixture[str]) -> None:
    decision = explained(capsys, "shares", "-m", "gpt-4o", "--assume-keys")
    assert [(line["note"]["model"], line["note"]["share"]) for line in decision["targets"]] == [
        ("gpt-4o", 0.75),
        ("gpt-4.1", 0.25),
    ]


def test_a_wish_is_heard_where_the_router_lets_clients_have_one(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    targets = "load-balance: {chat: {strategy: priority, providers: [openai/gpt-4o, openai/gpt-4o-mini]}}"
    (folder / "routers.yaml").write_text(
        f"routers:\n  a:\n    optimize-for: {{allow: [cost]}}\n    {targets}\n"
        f"  b:\n    {targets}\n  c:\n    optimize-for: {{default: cost}}\n    {targets}\n"
    )
    first = ("openai", "gpt-4o")
    cheap = ("openai", "gpt-4o-mini")
    for arguments, asked, strategy, said in (
        (["a"], first, ("priority", "routers.yaml:4"), ("", True)),
        (["a", "--optimize-for", "cost"], cheap, ("cost", "routers.yaml:3"), ("cost", True)),
        (["b", "--optimize-for", "cost"], first, ("priority", "routers.yaml:6"), ("cost", False)),
        (["c"], cheap, ("cost", "routers.yaml:8"), ("cost", True)),
    ):
        decision = explained(capsys, *arguments, "-m", "gpt-4o", "--assume-keys")
        note = decision["targets"][0]["note"]
        assert (note["provider"], note["model"]) == asked
        assert (decision["strategy"], decision["strategy_place"]) == strategy
        assert (decision["optimize_for"], decision["heard"]) == said
    refused = explained(capsys, "a", "--optimize-for", "speed", "-m", "gpt-4o", "--assume-keys", status=3)
    assert refused["error"]["code"] == "invalid_request"
    assert main(["explain", "b", "--optimize-for", "cost", "-m", "gpt-4o", "--assume-keys"]) == 0
    assert "optimize  cost, which nobody looks at: the router has no `optimize-for`" in capsys.readouterr().out


def test_the_request_of_a_file_and_what_is_lost(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    body = {"model": "gpt-4o", "seed": 7, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    (folder / "request.json").write_text(json.dumps(body))
    decision = explained(capsys, "main", "--request", "request.json", "--assume-keys", "--stream")
    assert (decision["model"], decision["stream"], decision["tokens"][1], decision["said"]) == (
        "gpt-4o",
        True,
        50,
        True,
    )
    (anthropic,) = (line["note"] for line in decision["targets"] if line["note"]["provider"] == "anthropic")
    assert anthropic["translated"]
    assert [loss["field"] for loss in anthropic["losses"]] == ["seed"]
    assert anthropic["cost"] > 0


def test_other_dialects_and_routes(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/v1beta/models/{model}:streamGenerateContent"
    decision = explained(capsys, "main", "-m", "gemini-2.5-flash", "--path", path, "--assume-keys")
    assert (decision["dialect"], decision["operation"], decision["stream"]) == ("gemini", "generate", True)
    assert explained(capsys, "/ai", "-m", "claude-sonnet-4-5", "--path", "messages", "--assume-keys")["serves"]
    assert order(explained(capsys, "/openai", "-m", "gpt-4o", "--assume-keys")) == [(1, "openai", "default")]


def test_what_other_files_say_has_their_lines(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "routers.yaml").write_text("include: more.yaml\nauth: {mode: keys, keys-file: keys.yaml}\n")
    (folder / "more.yaml").write_text("routers:\n  r: {load-balance: {chat: {providers: [openai, echo]}}}\n")
    keys = f"- name: filed\n  hash: 'sha256:{'0' * 64}'\n  rate-limit: {{capacity: 3, refill-frequency: 1m}}\n"
    (folder / "keys.yaml").write_text(f"{keys}  expires: 2020-01-01\n")
    expired = explained(capsys, "r", "-m", "gpt-4o", "--key", "filed", "--assume-keys", status=3)
    assert (expired["error"]["code"], expired["caller"]["place"]) == ("invalid_api_key", "keys.yaml:1")
    (folder / "keys.yaml").write_text(keys)
    decision = explained(capsys, "r", "-m", "gpt-4o", "--key", "filed", "--assume-keys")
    assert [line["place"] for line in decision["limits"]] == ["keys.yaml:3"]
    assert order(decision) == [(1, "openai", "more.yaml:2")]


def test_a_list_of_models_asks_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    decision = explained(capsys, "main", "--path", "/models")
    assert decision["serves"]
    assert not decision["targets"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("mian", "-m", "x"), 2, "did you mean 'main'?"),
        (("main",), 2, "--model says which model"),
        (("main", "-m", "x", "--key", "nobody"), 2, "no gateway key 'nobody'"),
        (("main", "-m", "x", "--at-fault", "openai"), 2, "openai=429"),
        (("main", "-m", "x", "--at-fault", "openai=400"), 2, "the request's own fault"),
        (("main", "-m", "x", "--at-fault", "nowhere=429"), 2, "no provider 'nowhere'"),
        (("main", "-m", "x", "--config", "nowhere.yaml"), 1, "nowhere.yaml"),
        (("main", "-m", "x", "--request", "nowhere.json"), 1, "nowhere.json"),
        (("main", "-m", "x", "--request", "routers.yaml"), 2, "not a request's body"),
    ],
)
def test_bad_arguments_are_told_of(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert main(["explain", *arguments]) == status
    assert said in capsys.readouterr().err


def test_text_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "main", "-m", "gpt-4o", "--key", "web", "--assume-keys"]) == 0
    assert capsys.readouterr().out == TEXT


def test_the_example_of_the_page_is_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "config-by-pull-request.md").read_text("utf-8")
    found = re.search(r"^\$ gateway (explain .*)\n([^`]*)```", page, re.MULTILINE)
    assert found is not None
    assert main(found[1].split()) == 0
    assert capsys.readouterr().out == found[2]


TEXT = """\
router    main                                                    routers.yaml:16
request   openai chat, model gpt-4o
caller    web of team shop; models: gpt-*; calls from 10.0.0.0/8  routers.yaml:4
cache     max-age=600, shared by team, key main:2a46b1af70ab020c  routers.yaml:17
estimate  16 tokens in, probably 400 out
strategy  priority: in the order of priority and of the list      routers.yaml:25
timeouts  connect 5 s, first token 10 s, gaps 30 s, all 600 s     routers.yaml:14
retries   at most 1, after 0.1 s to 5 s, in 20% of requests       routers.yaml:20
on loss   allow                                                   default

LIMIT        ALLOWS                TAKES    LEAVES   BUCKET                                             SAID IN
gateway-key  1000 tokens in 1 min  416      584      {/global}gateway-key:tokens:1000/60000000:key:web  routers.yaml:8
per-team     5 USD in 1 d          0.00404  4.99596  {main}per-team:usd:5000000/86400000000:shop        routers.yaml:19

ASKED  TARGET     MODEL SENT                                  SPEAKS                 COST       KEY      SAID IN
1      openai     gpt-4o             as asked                 openai                 $0.004040  assumed  routers.yaml:27
2      anthropic  claude-sonnet-4-5  mapped, routers.yaml:22  anthropic, translated  $0.006048  assumed  routers.yaml:28

NOT ELIGIBLE  MODEL   BECAUSE                    SAID IN
gemini        gpt-4o  does not serve this model  routers.yaml:29
groq          gpt-4o  does not serve this model  routers.yaml:30

assumed: every provider has a key
first: openai with gpt-4o
"""
