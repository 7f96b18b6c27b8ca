from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.usage import Usage
from gateway.providers.prices import SHIPPED_BOOK
from gateway.rehearsal.reading import read_play
from gateway.rehearsal.record import Record
from gateway.rehearsal.stage import play
from gateway.rehearsal.verdict import Failure, failures_of

CONFIG = """\
providers:
  alpha:
    dialect: openai
    base-url: http://one.test/v1
    models: ['*']
    keys: [{name: x, value: '${env:AX}'}, {name: y, value: '${env:AY}'}]
  beta: {dialect: openai, base-url: 'http://one.test/v1', models: ['*'], keys: ['${env:B}']}
auth:
  mode: keys
  keys:
    - {name: ann, hash: 'sha256:HASH'}
    - {name: bob, hash: 'hmac-sha256:HASH', routers: [cached]}
  pepper: ${env:PEPPER}
store: {url: '${env:REDIS_URL}'}
routers:
  duo: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}
  few:
    load-balance: {chat: {providers: [beta]}}
    rate-limit: {per-api-key: {capacity: 5, refill-frequency: 1m}}
  cached: {load-balance: {chat: {providers: [beta]}}, cache: {directive: max-age=60}}
""".replace("HASH", "0" * 64)
ANN = "router: duo, model: m, key: ann"


def parts(folder: Path, members: str, config: str = CONFIG) -> tuple[Record, list[Failure]]:
    """What came of a case that has these members beside its name, and what it failed on."""
    (folder / "routers.yaml").write_text(config)
    (folder / "a.test.yaml").write_text(f"config: routers.yaml\ncases:\n  - name: a\n    {members.strip()}\n")
    part = read_play(folder / "a.test.yaml").parts[0]
    record = play(part)
    return record, failures_of(part.case.expect, record)


def failed(folder: Path, members: str) -> list[str]:
    return [failure.said for failure in parts(folder, members)[1]]


def test_providers_at_one_address_are_told_apart(tmp_path: Path) -> None:
    members = f"""
    providers: {{alpha: [{{status: 503}}]}}
    traffic: [{{{ANN}}}]
    expect: {{calls: {{alpha: 1, beta: 1}}, status: {{200: 1}}}}"""
    assert failed(tmp_path, members) == []


def test_phases_stack_and_the_last_that_applies_counts(tmp_path: Path) -> None:
    members = f"""
    providers:
      alpha:
        - {{latency: 1s}}
        - {{at: 10s, for: 10s, latency: 2s}}
        - {{at: 12s, times: 1, latency: 3s}}
        - {{key: y, latency: 4s}}
        - {{model: slow, latency: 5s}}
    traffic:
      - {{{ANN}, at: [0s, 10s, 12s, 13s, 20s, 21s, 22s]}}
      - {{router: duo, model: slow, key: ann, at: [30s]}}
    expect: {{status: {{200: 8}}}}"""
    record, failures = parts(tmp_path, members)
    assert failures == []
    assert [(call.key, call.took) for call in record.called] == [
        ("x", 1), ("y", 4), ("x", 3), ("y", 4), ("x", 1), ("y", 4), ("x", 1), ("y", 5),
    ]  # fmt: skip


def test_keys_of_callers_have_secrets_that_are_known(tmp_path: Path) -> None:
    members = """
    traffic:
      - {router: duo, model: m, key: ann}
      - {router: duo, model: m, key: bob}
      - {router: cached, model: m, key: bob}
      - {router: duo, model: m}
    expect:
      status: {200: 2, 403: 1, 401: 1}
      errors: {router_forbidden: 0}"""
    assert failed(tmp_path, members) == []


def test_limits_are_kept_in_memory_and_say_when_to_come_again(tmp_path: Path) -> None:
    members = """
    traffic: [{router: few, model: m, key: ann, count: 8}]
    expect: {status: {200: 5}, limited: {count: 3, retry-after: '<= 60s'}}"""
    assert failed(tmp_path, members) == []


def test_cached_answers_are_counted(tmp_path: Path) -> None:
    members = """
    traffic: [{router: cached, model: m, key: bob, rate: 1/s, count: 9, distinct: 3}]
    expect: {cache: {hit: 6, miss: 3}, calls: {beta: 3}}"""
    assert failed(tmp_path, members) == []


def test_states_are_those_after_all_that_happens_at_a_moment(tmp_path: Path) -> None:
    members = f"""
    providers: {{alpha: [{{status: 429, retry-after: 20s, latency: '0'}}]}}
    traffic: [{{{ANN}, at: [10s]}}]
    expect:
      keys:
        - {{at: 9s, provider: alpha, state: active}}
        - {{at: 10s, provider: alpha, key: x, state: cooling}}
        - {{at: 10s, provider: alpha, key: y, state: cooling}}
        - {{at: 30s, provider: alpha, state: active}}
      breakers: [{{at: 10s, target: beta/m, state: closed}}]"""
    assert failed(tmp_path, members) == []


def test_a_case_plays_the_same_every_time(tmp_path: Path) -> None:
    members = f"""
    seed: 5
    providers: {{alpha: [{{latency: {{p50: 100ms, p99: 1s}}}}]}}
    traffic: [{{{ANN}, rate: 5/s, count: 50}}]
    expect: {{status: {{200: 50}}}}"""
    first, second = ([call.took for call in parts(tmp_path, members)[0].called] for _ in range(2))
    assert first == second
    assert len(set(first)) > 40
    other = [call.took for call in parts(tmp_path, members.replace("seed: 5", "seed: 6"))[0].called]
    assert other != first


def test_a_stream_that_is_cut_ends_with_an_error(tmp_path: Path) -> None:
    members = f"""
    providers: {{alpha: [{{cut-after: 2, tokens: {{input: 5, output: 7}}}}]}}
    traffic: [{{{ANN}, stream: true}}]
    expect: {{replies: [{{request: 1, status: 200, contains: '"error"'}}]}}"""
    assert failed(tmp_path, members) == []


def test_a_body_of_ones_own(tmp_path: Path) -> None:
    members = f"""
    providers: {{alpha: [{{body: {{id: '7', choices: [{{message: {{content: Yes}}}}]}}, headers: {{x-mine: a}}}}]}}
    traffic: [{{{ANN}}}]
    expect:
      replies:
        - request: 1
          body: {{'choices[0].message.content': 'Yes', usage: null}}
          headers: {{x-mine: a}}"""
    assert failed(tmp_path, members) == []


def test_an_hour_of_a_hanging_provider_ends(tmp_path: Path) -> None:
    members = f"""
    providers: {{alpha: [{{fault: hang}}], beta: [{{fault: hang}}]}}
    traffic: [{{{ANN}, rate: 1/h, for: 1h, stream: true}}]
    expect: {{status: {{5xx: 1}}}}"""
    assert failed(tmp_path, members) == []


@pytest.mark.parametrize(
    ("traffic", "members"),
    [
        ("path: /openai/v1/chat/completions, model: gpt-4o, stream: true", "contains: lovely"),
        ("path: /anthropic/v1/messages, model: claude-x", "body: {'content[0].text': A lovely day}"),
        ("path: /anthropic/v1/messages, model: claude-x, stream: true", "contains: lovely"),
        ("path: '/gemini/v1beta/models/g:generateContent'", "contains: A lovely day"),
        ("path: '/gemini/v1beta/models/g:streamGenerateContent?alt=sse'", "contains: lovely"),
        ("path: /openai/v1/embeddings, model: e", "body: {'data[0].index': 0}"),
    ],
)
def test_answers_are_in_the_dialect_of_the_path(tmp_path: Path, traffic: str, members: str) -> None:
    members = f"""
    providers:
      openai: &good [{{text: A lovely day}}]
      anthropic: *good
      gemini: *good
    traffic: [{{key: ann, {traffic}}}]
    expect: {{replies: [{{request: 1, status: 200, whole: true, {members}}}]}}"""
    assert failed(tmp_path, members) == []


def test_a_path_without_words_is_told(tmp_path: Path) -> None:
    members = """
    providers: {openai: [{model: given, body: {}}]}
    traffic: [{key: ann, path: /openai/v1/moderations, model: m}, {key: ann, path: /openai/v1/audio, model: given}]
    expect: {status: {200: 2}}"""
    assert failed(tmp_path, members) == ["openai was asked for /v1/moderations, for which a phase must give a `body`"]


def test_spend_is_by_usage_and_the_shipped_prices(tmp_path: Path) -> None:
    members = """
    providers: {openai: [{tokens: {input: 1000, output: 100}}, {at: 3s, status: 500}]}
    traffic: [{path: /openai/v1/chat/completions, model: gpt-4o, key: ann, rate: 1/s, count: 4}]
    expect: {spend: {total: SPEND}}"""
    one = SHIPPED_BOOK.cost("openai", "gpt-4o", Usage(input=1000, output=100))
    assert one is not None
    assert failed(tmp_path, members.replace("SPEND", str(3 * one / 1_000_000_000))) == []
    _, [failure] = parts(tmp_path, members.replace("SPEND", f"'<= {2 * one / 1_000_000_000}'"))
    assert failure.at == 2
    assert failed(tmp_path, members.replace("SPEND", "0").replace("gpt-4o", "gpt-unheard-of")) == [
        "spend total: the price of openai/gpt-unheard-of is not known"
    ]


MONEY = f"""\
providers:
  alpha:
    dialect: openai
    base-url: http://one.test/v1
    keys: ['${{env:AX}}']
prices: {{alpha/m: {{input: 10000, output: 0}}}}
auth:
  mode: keys
  keys:
    - {{name: ann, hash: 'sha256:{"0" * 64}', budget: {{amount: '0.50', window: day}}}}
    - {{name: bob, hash: 'sha256:{"1" * 64}'}}
routers:
  duo: {{load-balance: {{chat: {{providers: [alpha]}}}}}}
quotas: {{consumers: [key]}}
ledger: {{}}
"""
"""One token of `m` at `alpha` costs a cent; ann may spend half a dollar a day."""


def failed_of_money(folder: Path, members: str) -> list[tuple[str, float | None]]:
    return [(failure.said, failure.at) for failure in parts(folder, members, MONEY)[1]]


def test_who_has_paid_in_spends_that_and_no_more(tmp_path: Path) -> None:
    members = f"""
    providers: {{alpha: [{{tokens: {{input: 10, output: 1}}}}]}}
    quotas: {{'key:ann': '0.38'}}
    traffic: [{{{ANN}, rate: 1/m, count: 4}}]
    expect:
      status: {{200: 3, 402: 1}}
      errors: {{insufficient_quota: 1}}
      accounts:
        - {{of: 'key:ann', at: 0s, left: '< 0.38', spent: 0}}
        - {{of: 'key:ann', at: 90s, spent: 0.2, left: 0.18}}
        - {{of: 'key:ann', spent: 0.3, left: '0.08'}}
        - {{of: 'key:ann', window: day, spent: 0.3, left: '0.2'}}"""
    assert failed_of_money(tmp_path, members) == []
    wrong = members.replace("spent: 0.2, left: 0.18", "spent: 0.00001").replace("left: '0.2'", "left: '> 0.2'")
    assert failed_of_money(tmp_path, wrong) == [
        ("spent of key:ann, balance at 90s: expected 0.00001, got 0.20", 90.0),
        ("left of key:ann, budget of day at the end: expected > 0.2, got 0.20", None),
    ]


def test_balances_count_only_in_a_case_that_gives_them(tmp_path: Path) -> None:
    members = f"traffic: [{{{ANN}, count: 2}}]\n    expect: {{status: {{200: 2"
    untouched = "accounts: [{of: 'key:bob', spent: 0, left: 7}, {of: 'key:ann', spent: 0, left: 0}]"
    assert failed_of_money(tmp_path, f"{members}}}}}") == []
    assert failed_of_money(tmp_path, f"quotas: {{}}\n    {members}}}}}") == []
    empty = "quotas: {'key:bob': 7, 'key:ann': 0}"
    assert failed_of_money(tmp_path, f"{empty}\n    {members.replace('200', '402')}}}, {untouched}}}") == []


EVERY_WRONG = f"""
    providers: {{alpha: [{{status: 503, at: 2s}}]}}
    traffic: [{{{ANN}, rate: 1/s, count: 4}}]
    expect:
      status: {{200: 3, 503: '>= 1'}}
      errors: {{rate_limited: 1}}
      share: {{beta: 60%}}
      calls: {{alpha: 1, beta: '> 2'}}
      cache: {{hit: 1}}
      attempts: {{max: 1, mean: 1, total: 4}}
      latency: {{p50: '< 100ms', max: 1s}}
      limited: {{count: 1, retry-after: 1s}}
      breakers: [{{at: 4s, target: alpha, state: open}}]
      keys: [{{at: 4s, provider: alpha, key: z, state: active}}, {{at: 4s, provider: beta, state: cooling}}]
      replies:
        - {{request: 9, status: 200}}
        - request: 1
          status: 201
          attempts: 2
          latency: '> 1s'
          whole: false
          headers: {{x-gateway-provider: beta, x-gateway-router: null, x-none: '*'}}
          body: {{'choices[0].index': 1, 'choices[1]': 0}}
          contains: nowhere
      received:
        - {{provider: alpha, call: 9}}
        - {{provider: beta, path: /v2/*, key: w, headers: {{x-a: b}}, body: {{model: n}}}}"""


def test_every_expectation_says_what_came_instead(tmp_path: Path) -> None:
    said = [text.partition(": {")[0] for text in failed(tmp_path, EVERY_WRONG)]
    assert said == [
        "status 200: expected 3, got 4",
        "status 503: expected >= 1, got 0",
        "errors rate_limited: expected 1, got 0",
        "share beta: expected 60%, got 2 of 4 (50.0%)",
        "calls of alpha: expected 1, got 4",
        "calls of beta: expected > 2, got 2",
        "cache hit: expected 1, got 0",
        "attempts max: expected 1, got 2",
        "attempts mean: expected 1, got 1.500",
        "attempts total: expected 4, got 6",
        "latency p50: expected < 100ms, got 100ms",
        "latency max: expected 1s, got 200ms",
        "limited 429: expected 1, got 0",
        "retry-after: expected 1s, got no reply of 429",
        "breaker of alpha at 4s: expected open, got closed",
        "key z of alpha at 4s: expected active, but there is no such key",
        "key of beta at 4s: expected cooling, got active (key-1)",
        "request 9: there were only 4",
        "request 1: expected status 201, got 200",
        "request 1, attempts: expected 2, got 1",
        "request 1, latency: expected > 1s, got 100ms",
        "request 1: expected a broken reply",
        "request 1, header x-gateway-provider: expected beta, got alpha",
        "request 1, header x-gateway-router: expected none, got duo",
        "request 1, header x-none: expected *, got none",
        "request 1, choices[0].index: expected 1, got 0",
        "request 1, choices[1]: expected 0, got nothing",
        "request 1: the body does not contain `nowhere`",
        "call 9 of alpha: there were only 4",
        "call 1 of beta: expected path /v2/*, got /v1/chat/completions",
        "call 1 of beta: expected key w, got key-1",
        "call 1 of beta, header x-a: expected b, got none",
        'call 1 of beta, model: expected "n", got "m"',
    ]


@pytest.mark.parametrize(("said", "at"), [("status 200", 3.0), ("calls of alpha", 1.0), ("attempts max", 2.0)])
def test_a_failure_knows_its_first_wrong_moment(tmp_path: Path, said: str, at: float) -> None:
    failures = parts(tmp_path, EVERY_WRONG)[1]
    assert next(failure.at for failure in failures if failure.said.startswith(said)) == at
