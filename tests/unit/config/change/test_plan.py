from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.change.comparison import At, Change, Comparison
from gateway.config.change.plan import plan
from gateway.config.change.rules import RULES
from gateway.config.change.side import Side, read_side
from gateway.config.origins import Origins
from gateway.config.problem import ConfigError
from gateway.config.spec import Spec
from gateway.config.tree import Mark, Node

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def planned(tmp_path: Path, old: str, new: str) -> tuple[Change, ...]:
    (tmp_path / "old.yaml").write_text(old)
    (tmp_path / "new.yaml").write_text(new)
    return plan(read_side(tmp_path / "old.yaml", lambda _: "old"), read_side(tmp_path / "new.yaml", lambda _: "new"))


def router(said: str, name: str = "a") -> str:
    return f"routers: {{{name}: {{load-balance: {{chat: {{providers: [openai]}}}}{', ' if said else ''}{said}}}}}"


def chat(said: str) -> str:
    return f"routers: {{a: {{load-balance: {{chat: {{{said}}}}}}}}}"


def weighted(*pairs: str) -> str:
    entries = ", ".join(f"{{provider: {name}, weight: {weight}}}" for name, weight in (pair.split() for pair in pairs))
    return chat(f"strategy: weighted, providers: [{entries}]")


def limit(capacity: str, more: str = "") -> str:
    return router(f"rate-limit: {{total: {{capacity: {capacity}}}{more}}}")


def key(said: str = "", secret: str = A) -> str:
    return f"auth: {{keys: [{{name: ci, hash: '{secret}'{', ' if said else ''}{said}}}]}}"


def issuer(said: str = "", audience: str = "x") -> str:
    return f"auth: {{jwt: [{{issuer: 'https://id', audience: {audience}{', ' if said else ''}{said}}}]}}"


def provider(said: str) -> str:
    return f"providers: {{vllm-2: {{dialect: openai, base-url: 'http://v'{', ' if said else ''}{said}}}}}"


def hook(said: str = "", url: str = "https://one.test/a") -> str:
    return f"alerts: {{webhooks: [{{name: ops, url: '{url}'{', ' if said else ''}{said}}}]}}"


def admin(said: str = "", secret: str = A) -> str:
    return f"admin: {{keys: [{{name: ops, hash: '{secret}'{', ' if said else ''}{said}}}]}}"


def budget(said: str) -> str:
    return router(f"budget: {{amount: {said}}}")


def auto(*rules: str, name: str = "auto") -> str:
    return router(f"virtual-models: {{{name}: [{', '.join(rules)}]}}")


GLOBAL = "global: {on-loss: reject}\n"
EMPTY = "server: {}"
CASES: dict[str, tuple[str, str]] = {
    "router-added": (EMPTY, router("")),
    "router-removed": (router(""), EMPTY),
    "default-router": (router(""), f"default-router: a\n{router('')}"),
    "balance-added": (router(""), "routers: {a: {load-balance: {chat: {providers: [openai]}, images: {}}}}"),
    "balance-removed": ("routers: {a: {load-balance: {chat: {providers: [openai]}, images: {}}}}", router("")),
    "balance-folded": (
        "routers: {a: {load-balance: {images: {providers: [openai]}, default: {}}}}",
        "routers: {a: {load-balance: {default: {}}}}",
    ),
    "strategy": (chat("providers: [openai]"), chat("strategy: least-busy, providers: [openai]")),
    "target-added": (chat("providers: [openai]"), chat("providers: [openai, gemini]")),
    "target-removed": (chat("providers: [openai, gemini]"), chat("providers: [gemini]")),
    "target-model": (chat("providers: [openai/x]"), chat("providers: [openai/y]")),
    "target-price": (chat("providers: [openai/gpt-4o]"), chat("providers: [openai/gpt-4o-mini]")),
    "target-address": (chat("providers: [openai]"), chat("providers: [{provider: openai, base-url: 'http://x'}]")),
    "target-region": (chat("providers: [openai]"), chat("providers: [{provider: openai, region: eu}]")),
    "weights": (weighted("openai 0.7", "gemini 0.3"), weighted("openai 0.6", "gemini 0.4")),
    "order": (
        chat("strategy: priority, providers: [openai, gemini]"),
        chat("strategy: priority, providers: [gemini, openai]"),
    ),
    "mapping-added": (router(""), router("model-mappings: {m: openai/x}")),
    "mapping-removed": (router("model-mappings: {m: openai/x}"), router("")),
    "mapping-changed": (router("model-mappings: {m: openai/x}"), router("model-mappings: {m: openai/y}")),
    "mapping-order": (
        router("model-mappings: {m: [openai/x, openai/y]}"),
        router("model-mappings: {m: [openai/y, openai/x]}"),
    ),
    "virtual-added": (router(""), auto("{to: openai/a}")),
    "virtual-shadowing": (router(""), auto("{to: openai/a}", name="gpt-5.5")),
    "virtual-removed": (auto("{to: openai/a}"), router("")),
    "rule-added": (auto("{to: openai/a}"), auto("{when: {tools: true}, to: openai/b}", "{to: openai/a}")),
    "rule-removed": (auto("{when: {tools: true}, to: openai/b}", "{to: openai/a}"), auto("{to: openai/a}")),
    "rule-default-removed": (
        auto("{when: {tools: true}, to: openai/b}", "{to: openai/a}"),
        auto("{when: {tools: true}, to: openai/b}"),
    ),
    "rule-order": (
        auto("{when: {tools: true}, to: openai/a}", "{when: {json: true}, to: openai/b}"),
        auto("{when: {json: true}, to: openai/b}", "{when: {tools: true}, to: openai/a}"),
    ),
    "rule-condition": (auto("{when: {text: code}, to: openai/a}"), auto("{when: {text: cod}, to: openai/a}")),
    "rule-target": (auto("{to: openai/a}"), auto("{to: [openai/b, openai/a]}")),
    "rule-shares": (
        auto("{split: {openai/a: 0.9, openai/b: 0.1}}"),
        auto("{split: {openai/a: 0.8, openai/b: 0.2}}"),
    ),
    "rule-renamed": (auto("{name: x, to: openai/a}"), auto("{name: y, to: openai/a}")),
    "rule-split-renamed": (
        auto("{name: x, split: {openai/a: 0.9, openai/b: 0.1}}"),
        auto("{name: y, split: {openai/a: 0.9, openai/b: 0.1}}"),
    ),
    "limit-added": (router(""), limit("100")),
    "limit-removed": (limit("100"), router("")),
    "limit-raised": (limit("100"), limit("101")),
    "limit-lowered": (limit("100"), limit("10")),
    "limit-slashed": (limit("100"), limit("9")),
    "limit-reshaped": (limit("100"), limit("200, refill-frequency: 10s")),
    "limit-enforced": (limit("1", ", enforce: shadow"), limit("1")),
    "limit-shadowed": (limit("1"), limit("1", ", enforce: shadow")),
    "budget-added": (router(""), budget("5")),
    "budget-removed": (budget("5"), router("")),
    "budget-raised": (budget("5"), budget("'5.01'")),
    "budget-lowered": (budget("5"), budget("4")),
    "budget-slashed": (budget("50"), budget("4")),
    "budget-exceeded": (budget("5"), budget("5, on-exceeded: {downgrade: gpt-4o-mini}")),
    "budget-alerts": (budget("5"), budget("5, alert-at: [0.5]")),
    "quotas-on": (EMPTY, "quotas: {consumers: [key]}"),
    "quotas-off": ("quotas: {consumers: [key]}", EMPTY),
    "quota-consumers": ("quotas: {consumers: [key]}", "quotas: {consumers: [key, team]}"),
    "quota-required": ("quotas: {consumers: [key]}", "quotas: {consumers: [key], required: true}"),
    "quota-not-required": ("quotas: {consumers: [key], required: true}", "quotas: {consumers: [key]}"),
    "quota-outage": ("quotas: {consumers: [key]}", "quotas: {consumers: [key], on-outage: closed}"),
    "key-project": (key("project: a"), key("project: b")),
    "cache-added": (router(""), router("cache: {directive: max-age=60}")),
    "cache-removed": (router("cache: {directive: max-age=60}"), router("")),
    "cache-shared": (
        router("cache: {directive: max-age=60}"),
        router("cache: {directive: max-age=60, scope: router}"),
    ),
    "cache-separated": (
        router("cache: {directive: max-age=60, scope: router}"),
        router("cache: {directive: max-age=60, scope: team}"),
    ),
    "cache-longer": (router("cache: {directive: max-age=60}"), router("cache: {directive: max-age=61}")),
    "cache-shorter": (router("cache: {directive: max-age=60}"), router("cache: {directive: max-age=59}")),
    "cache-off": (router("cache: {directive: max-age=60}"), router("cache: {directive: 'max-age=60, no-cache'}")),
    "cache-forgotten": (
        router("cache: {directive: max-age=60}"),
        router("cache: {directive: max-age=60, seed: x}"),
    ),
    "cache-tool-calls": (
        router("cache: {directive: max-age=60}"),
        router("cache: {directive: max-age=60, tool-calls: true}"),
    ),
    "cache-size": (
        router("cache: {directive: max-age=60}"),
        router("cache: {directive: max-age=60, max-size: 1MiB}"),
    ),
    "timeout-lowered": (router(""), router("timeouts: {total: 9m}")),
    "timeout-raised": (router(""), router("timeouts: {total: 11m}")),
    "retries-lowered": (router(""), router("retries: {max-retries: 1}")),
    "retries-raised": (router(""), router("retries: {budget: 0.5}")),
    "retries-pace": (router(""), router("retries: {strategy: constant}")),
    "content-policy": (router(""), router("retries: {on-content-policy: failover}")),
    "on-disconnect": (router(""), router("on-disconnect: finish")),
    "losses-rejected": (router(""), router("on-loss: reject")),
    "losses-allowed": (router("on-loss: reject"), router("")),
    "prompt-cache": (router(""), router("prompt-cache: auto")),
    "auth-opened": ("auth: {mode: keys}", "auth: {mode: open}"),
    "auth-closed": ("auth: {mode: open}", "auth: {mode: keys}"),
    "auth-said": (EMPTY, "auth: {mode: open}"),
    "auth-pepper": ("auth: {pepper: '${env:A}'}", "auth: {pepper: '${env:B}'}"),
    "key-added": (EMPTY, key()),
    "key-removed": (key(), EMPTY),
    "key-replaced": (key(), key(secret=B)),
    "key-rotated": (key(), key(f"previous: {{hash: '{A}', until: 2027-01-31}}", B)),
    "key-retired": (key(f"previous: {{hash: '{B}', until: 2027-01-31}}"), key()),
    "key-retained": (
        key(f"previous: {{hash: '{B}', until: 2027-01-30}}"),
        key(f"previous: {{hash: '{B}', until: 2027-01-31}}"),
    ),
    "key-expires-sooner": (key(), key("expires: 2027-01-31")),
    "key-expires-later": (key("expires: 2027-01-31"), key("expires: 2027-02-01")),
    "key-team": (key("team: a"), key("team: b")),
    "key-signing-required": (key(), key("signing: required")),
    "key-signing": (key(), key("signing: optional")),
    "key-signing-secret": (key("signing-secret: '${env:A}'"), key("signing-secret: '${env:B}'")),
    "access-narrowed": (key("models: ['gpt-*']"), key("models: ['gpt-4*']")),
    "access-widened": (key("networks: [10.0.0.0/16]"), key("networks: [10.0.0.0/8]")),
    "issuer-added": (EMPTY, issuer()),
    "issuer-removed": (issuer(), EMPTY),
    "issuer-narrowed": (issuer(), issuer("required-claims: [email]")),
    "issuer-widened": (issuer(), issuer(audience="[x, y]")),
    "issuer-changed": (issuer(), issuer("leeway: 1s")),
    "admin-on": (EMPTY, "admin: {}"),
    "admin-off": (admin(), EMPTY),
    "admin-listen": ("admin: {port: 9000}", "admin: {port: 9001}"),
    "admin-opened": (admin(), "admin: {}"),
    "admin-key-added": ("admin: {}", admin()),
    "admin-key-removed": (
        f"admin: {{keys: [{{name: a, hash: '{A}'}}, {{name: b, hash: '{B}'}}]}}",
        f"admin: {{keys: [{{name: a, hash: '{A}'}}]}}",
    ),
    "admin-role-raised": (admin(), admin("role: write")),
    "admin-role-lowered": (admin("role: write"), admin()),
    "provider-added": (EMPTY, provider("")),
    "provider-removed": (provider(""), EMPTY),
    "provider-disabled": (provider(""), provider("enabled: false")),
    "provider-enabled": (provider("enabled: false"), provider("")),
    "provider-address": (EMPTY, "providers: {openai: {base-url: 'http://x'}}"),
    "provider-dialect": (EMPTY, "providers: {openai: {dialect: anthropic}}"),
    "provider-auth": (EMPTY, "providers: {openai: {auth: none}}"),
    "provider-account": (EMPTY, "providers: {bedrock: {region: eu-west-1}}"),
    "provider-headers": (provider(""), provider("headers: {x-a: b}")),
    "provider-key-added": (provider("keys: [x]"), provider("keys: [x, y]")),
    "provider-key-removed": (provider("keys: [x, y]"), provider("keys: [y]")),
    "provider-keyless": (provider("keys: [x]"), provider("")),
    "provider-key-changed": (provider("keys: ['${env:A}']"), provider("keys: ['${env:B}']")),
    "key-free": (provider("keys: [{value: x}]"), provider("keys: [{value: x, free: true}]")),
    "price": ("prices: {openai/gpt-4o: {input: '1'}}", "prices: {openai/gpt-4o: {input: 2}}"),
    "priced": (EMPTY, "prices: {}"),
    "optimize-for": (router(""), router("optimize-for: {default: cost}")),
    "key-room-lowered": (
        provider("keys: [{value: x}]"),
        provider("keys: [{value: x, limit: {requests-per-minute: 5}}]"),
    ),
    "key-room-raised": (
        provider("keys: [{value: x, limit: {requests-per-minute: 5}}]"),
        provider("keys: [{value: x, limit: {requests-per-minute: 6}}]"),
    ),
    "models-narrowed": (provider("models: [a, b]"), provider("models: [a]")),
    "models-refused": (provider("models: [a]"), provider("models: [a], models-closed: true")),
    "models-widened": (provider("models: [a]"), provider("models: [a, b]")),
    "operations-narrowed": (provider(""), provider("operations: [embeddings]")),
    "operations-widened": (provider("operations: [embeddings]"), provider("")),
    "pacing": (provider(""), provider("breaker: {open-for: 20s}")),
    "listen": (EMPTY, "server: {port: 8081}"),
    "certificate": ("server: {tls: {certificate: a, key: b}}", "server: {tls: {certificate: c, key: b}}"),
    "accepted-less": (EMPTY, "server: {max-body-size: 1MiB}"),
    "accepted-more": (EMPTY, "server: {max-body-size: 64MiB}"),
    "engine": (EMPTY, "server: {engine: hypercorn}"),
    "proxies": (EMPTY, "server: {trusted-proxies: [10.0.0.0/8]}"),
    "process": (EMPTY, "server: {workers: 2}"),
    "store": (EMPTY, "store: {url: '${env:REDIS_URL}'}"),
    "store-outage": (EMPTY, "store: {on-outage: closed}"),
    "store-link": (EMPTY, "store: {timeout: 1s}"),
    "ledger-on": (EMPTY, "ledger: {}"),
    "ledger-off": ("ledger: {}", EMPTY),
    "ledger-place": ("ledger: {}", "ledger: {url: 'postgresql://a/b'}"),
    "ledger-spool": ("ledger: {}", "ledger: {spool: elsewhere}"),
    "ledger-full": ("ledger: {}", "ledger: {on-full: block}"),
    "ledger-kept-shorter": ("ledger: {}", "ledger: {retention: 90d}"),
    "ledger-kept-longer": ("ledger: {retention: 90d}", "ledger: {retention: 100d}"),
    "ledger-pace": ("ledger: {}", "ledger: {batch: 50ms}"),
    "audit-on": (EMPTY, "audit: {}"),
    "audit-off": ("audit: {}", EMPTY),
    "audit-place": ("audit: {}", "audit: {to: stdout}"),
    "audit-keys": ("audit: {}", "audit: {hash-key: '${env:A}'}"),
    "audit-kept-less": ("audit: {}", "audit: {retention: 30d}"),
    "audit-kept-more": ("audit: {}", "audit: {retention: 1000d}"),
    "audit-users-plain": ("audit: {users: hashed}", "audit: {}"),
    "audit-users-hashed": ("audit: {}", "audit: {users: hashed}"),
    "audit-plaintext": ("audit: {}", "audit: {plaintext-bodies: true}"),
    "audit-no-plaintext": ("audit: {plaintext-bodies: true}", "audit: {}"),
    "audit-pace": ("audit: {}", "audit: {compress: false}"),
    "privacy-more": (router(""), router("privacy: {log: full}")),
    "privacy-less": (router(""), router("privacy: {log: none}")),
    "ceilings": (EMPTY, "ceilings: {models: ['gpt-*']}"),
    "owners": (EMPTY, "owners: [{files: routers.yaml, names: ['@a/b']}]"),
    "other": (router("timeouts: {total: 9m}"), router("timeouts: {total: '${env:TOTAL}'}")),
    "traces-on": ("routers: {}", "traces: {}"),
    "traces-off": ("traces: {}", "routers: {}"),
    "traces-address": ("traces: {endpoint: 'https://a.test'}", "traces: {endpoint: 'https://b.test'}"),
    "traces-share": ("traces: {sampling: 0.5}", "traces: {sampling: 0.1}"),
    "traces-words": ("traces: {service-name: a}", "traces: {service-name: b}"),
    "traces-told": ("traces: {}", "traces: {propagate-to: [vllm]}"),
    "traces-told-less": ("traces: {propagate-to: [vllm]}", "traces: {}"),
    "alerts-on": ("routers: {}", hook()),
    "alerts-off": (hook(), "routers: {}"),
    "webhook-added": ("alerts: {}", hook()),
    "webhook-removed": (hook(), "alerts: {}"),
    "webhook-address": (hook(), hook(url="https://two.test/a")),
    "webhook-secret": (hook("secret: '0123456789abcdef'"), hook("secret: 'fedcba9876543210'")),
    "webhook-events": (hook(), hook("events: [limit-near]")),
    "webhook-format": (hook(), hook("format: slack")),
    "alerts-threshold": ("alerts: {limits-at: 0.9}", "alerts: {limits-at: 0.8}"),
    "telemetry-pace": ("alerts: {dedupe: 5m}", "alerts: {dedupe: 10m}"),
}


def test_every_rule_has_its_case() -> None:
    assert sorted(CASES) == sorted(RULES)


@pytest.mark.parametrize("code", CASES)
def test_a_rule_finds_its_change_and_no_other_does(code: str, tmp_path: Path) -> None:
    old, new = CASES[code]
    (change,) = planned(tmp_path, old, new)
    assert (change.rule, change.severity, change.kind) == (code, RULES[code].severity, RULES[code].kind)
    assert change.words
    assert any((change.old, change.new))


@pytest.mark.parametrize("code", CASES)
def test_nothing_changes_to_itself(code: str, tmp_path: Path) -> None:
    for text in CASES[code]:
        assert planned(tmp_path, text, text) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(weighted("openai 0.7", "gemini 0.3"), weighted("openai '0.7'", "gemini '0.30'"), id="spelling"),
        pytest.param(weighted("openai 0.7", "gemini 0.3"), weighted("openai 7", "gemini 3"), id="proportions"),
        pytest.param(weighted("openai 0.7", "gemini 0.3"), weighted("gemini 3", "openai 7"), id="order-of-shares"),
        pytest.param(router("timeouts: {total: 60s}"), router("timeouts: {total: 1m}"), id="durations"),
        pytest.param(router("timeouts: {total: 10m}"), router(""), id="defaults"),
        pytest.param(f"{GLOBAL}{router('')}", f"{GLOBAL}{router('on-loss: reject')}", id="inherited"),
        pytest.param(limit("60, refill-frequency: 60s"), limit("60.0, refill-frequency: 1m"), id="buckets"),
        pytest.param(chat("providers: [openai/x]"), chat("providers: [{provider: openai, model: x}]"), id="targets"),
        pytest.param(chat("strategy: provider-weighted"), chat("strategy: weighted"), id="names-of-strategies"),
        pytest.param(router("model-mappings: {m: x}"), router("model-mappings: {m: [x]}"), id="one-or-a-list"),
        pytest.param(provider("keys: [x]"), provider("keys: [{value: x}]"), id="keys"),
        pytest.param(key("routers: [a, b]"), key("routers: [b, a]"), id="order-of-a-list-of-names"),
        pytest.param("providers: {openai: null}", EMPTY, id="a-known-provider-untuned"),
        pytest.param("server: {max-body-size: 1MiB}", "server: {max-body-size: 1024KiB} # as before", id="sizes"),
    ],
)  # fmt: skip
def test_another_text_of_the_same_meaning(old: str, new: str, tmp_path: Path) -> None:
    assert planned(tmp_path, old, new) == ()


@pytest.mark.parametrize("code", CASES)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chance=st.randoms(use_true_random=False))
def test_the_order_of_keys_is_no_change(code: str, chance: Random, tmp_path: Path) -> None:
    for text in CASES[code]:
        document = yaml.safe_load(text)
        assert planned(tmp_path, text, yaml.safe_dump(shuffled(document, chance), sort_keys=False)) == ()


def shuffled(value: object, chance: Random) -> object:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(one, chance) for one in value] if isinstance(value, list) else value


def test_a_key_that_no_rule_knows_is_told_all_the_same() -> None:
    class Known(msgspec.Struct):
        mode: str = ""
        strange: int = 0

    side = Side(Spec(), Origins(Node({}, Mark("f", 1, 1))), (), str)
    found = Comparison(side, side)
    found.rest(At("x", ("auth",), ("auth",)), Known("a", 1), Known("b", 2), ("mode",))
    assert [(change.rule, change.path) for change in found.changes()] == [("other", "auth.strange")]


def test_includes_may_move(tmp_path: Path) -> None:
    (tmp_path / "part.d").mkdir()
    (tmp_path / "part.d/a.yaml").write_text(router(""))
    assert planned(tmp_path, router(""), "include: part.d/*.yaml\n") == ()


def test_shares_before_and_after(tmp_path: Path) -> None:
    old, new = weighted("openai 0.7", "gemini 0.3"), weighted("openai 1", "gemini 1", "anthropic 1")
    added, moved = planned(tmp_path, old, new)
    assert (added.words, moved.words) == ("anthropic gets 33.3%", "openai 70% -> 33.3%; gemini 30% -> 33.3%")


def test_a_target_that_comes_in_proportion_is_told_alone(tmp_path: Path) -> None:
    old, new = weighted("openai 0.5", "gemini 0.5"), weighted("openai 1", "gemini 1", "anthropic 2")
    assert [change.words for change in planned(tmp_path, old, new)] == ["anthropic gets 50%"]


def test_the_gravest_come_first_with_both_places(tmp_path: Path) -> None:
    old = "server: {workers: 1}\n" + router("timeouts: {total: 60s}, cache: {directive: max-age=60}")
    new = "\nserver: {workers: 2}\n" + router("timeouts: {total: 50s}, cache: {directive: max-age=60, scope: team}")
    found = planned(tmp_path, old, new)
    assert [(change.severity, change.old, change.new) for change in found] == [
        ("breaking", "old:2", "new:3"),
        ("risky", "old:2", "new:3"),
        ("safe", "old:1", "new:2"),
    ]


def test_what_global_says_is_told_once(tmp_path: Path) -> None:
    old, new = (f"global: {{timeouts: {{total: {total}}}}}\n{router('')}" for total in ("60s", "50s"))
    assert [change.about for change in planned(tmp_path, old, new)] == ["global"]


def test_what_a_router_begins_to_inherit_is_told_of_it(tmp_path: Path) -> None:
    old = f"global: {{timeouts: {{total: 60s}}}}\n{router('timeouts: {total: 50s}')}"
    (change,) = planned(tmp_path, old, f"global: {{timeouts: {{total: 60s}}}}\n{router('')}")
    assert (change.about, change.rule, change.new) == ("router a", "timeout-raised", "new:1")


@pytest.mark.parametrize(
    "said", ["server: {port: '${env:PORT}'}", "server:\n  port: ${env:PORT}", "auth: {mode: '${env:MODE}'}",
             "providers: {x: {dialect: openai, base-url: '${env:URL}', enabled: '${env:ON}'}}",
             "store: {url: '${file:/run/secrets/redis}'}", key(secret="${env:HASH}"), limit("'${env:MUCH}'")]
)  # fmt: skip
def test_references_need_not_stand_for_anything(said: str, tmp_path: Path) -> None:
    assert planned(tmp_path, said, said) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (limit("100"), limit("'${env:MUCH}'")),
        (limit("'${env:MUCH}'"), limit("'${env:MORE}'")),
        (key("expires: '${env:A}'"), key("expires: '${env:B}'")),
        ("auth: {mode: open}", "auth: {mode: '${env:MODE}'}"),
        ("server: {workers: 2}", "server: {workers: '${env:WORKERS}'}"),
        (
            provider("keys: [{value: x, limit: {requests-per-minute: 5}}]"),
            provider("keys: [{value: x, limit: {requests-per-minute: '${env:RPM}'}}]"),
        ),
    ],
)
def test_a_reference_is_never_called_safe(old: str, new: str, tmp_path: Path) -> None:
    (change,) = planned(tmp_path, old, new)
    assert change.severity == "risky"


def test_no_credential_is_told(tmp_path: Path) -> None:
    old = provider("keys: [hunter1], headers: {x-key: hunter2}") + "\nstore: {url: 'redis://:hunter3@a'}"
    new = provider("keys: [hunter4], headers: {x-key: hunter5}") + "\nstore: {url: 'redis://:hunter6@a'}"
    found = planned(tmp_path, old, new)
    assert len(found) == 3
    assert "hunter" not in repr(found)


def test_a_broken_side_is_told_by_the_name_that_people_know(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, "routers: ]", EMPTY)
    assert caught.value.problems[0].place.startswith("old:1:")


def test_a_keys_file_that_no_repository_has(tmp_path: Path) -> None:
    assert planned(tmp_path, "auth: {keys-file: keys.yaml}", "auth: {keys-file: keys.yaml}") == ()
