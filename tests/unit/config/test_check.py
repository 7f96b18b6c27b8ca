from __future__ import annotations

import re
import textwrap
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.config.check import examine, loaded_and_checked
from gateway.config.problem import ConfigError, Problem

PAGES = Path(__file__).parent / "pages"
ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000.0
"""2027-01-15, 8:00 UTC."""

KEYS = {"OPENAI_API_KEY": "k-open", "ANTHROPIC_API_KEY": "k-anth", "GEMINI_API_KEY": "k-gem"}


def problems_of(text: str, folder: Path, env: dict[str, str] | None = None) -> list[Problem]:
    file = folder / "routers.yaml"
    file.write_text(textwrap.dedent(text), "utf-8")
    return examine(file, KEYS if env is None else env, NOW)[1]


def in_short(problems: list[Problem]) -> list[str]:
    return [f"{problem.place.partition('.yaml:')[2]} {problem.code}" for problem in problems]


RANDOM = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC"
ROUTER = "routers: {a: {load-balance: {chat: {providers: [openai]}}}}\n"

CASES = {
    "a router without load-balance": ("routers:\n  a: {}\n", ["2:3 no-load-balance"]),
    "a load-balance that says nothing": ("routers:\n  a: {load-balance: {chat: null}}\n", ["2:3 no-load-balance"]),
    "a list without targets": (
        "routers: {a: {load-balance: {chat: {providers: []}}}}",
        ["1:30 no-targets"],
    ),
    "a list that is not there": ("routers: {a: {load-balance: {chat: {strategy: latency}}}}", ["1:30 no-targets"]),
    "a router named with a space": (ROUTER.replace("a:", "a b:", 1), ["1:11 router-name"]),
    "a router without a name": (ROUTER.replace("a:", "'':", 1), ["1:11 router-name"]),
    "an unknown provider": (
        "routers: {a: {load-balance: {chat: {providers: [opnai, {provider: claude}]}}}}",
        ["1:49 provider-unknown", "1:56 provider-unknown"],
    ),
    "a provider's name in capitals": (
        ROUTER + "providers: {Mine: {dialect: openai, base-url: 'http://localhost/v1'}}",
        ["2:13 provider-name"],
    ),
    "a provider named like a path": (
        ROUTER + "providers: {health: {dialect: openai, base-url: 'http://localhost/v1'}}",
        ["2:13 provider-reserved"],
    ),
    "a new provider with nothing said": (ROUTER + "providers: {mine: null}", ["2:13 provider-incomplete"]),
    "a new provider without its dialect": (
        ROUTER + "providers: {mine: {base-url: 'http://localhost/v1'}}",
        ["2:13 provider-incomplete"],
    ),
    "weights that add up to something else": (
        """\
        routers:
          a:
            load-balance:
              chat:
                strategy: weighted
                providers: [{provider: openai, weight: 70}, {provider: anthropic, weight: 30}]
        """,
        ["4:7 weights-sum"],
    ),
    "weights that are exact only as decimals": (
        """\
        routers:
          a:
            load-balance:
              chat:
                strategy: weighted
                providers:
                - {provider: openai, weight: 0.1}
                - {provider: anthropic, weight: '0.7'}
                - {provider: gemini, weight: 0.2}
        """,
        [],
    ),
    "no weight above zero": (
        "routers: {a: {load-balance: {chat: {strategy: weighted, providers: [{provider: openai, weight: 0}]}}}}",
        ["1:30 weights-zero"],
    ),
    "a weight for one and none for the other": (
        (
            "routers: {a: {load-balance: {chat: {strategy: weighted, "
            "providers: [{provider: openai, weight: 1}, anthropic]}}}}"
        ),
        ["1:100 weight-missing"],
    ),
    "a weight that nobody reads": (
        "routers: {a: {load-balance: {chat: {strategy: latency, providers: [{provider: openai, weight: 1}]}}}}",
        ["1:95 weight-ignored"],
    ),
    "a priority that nobody reads": (
        "routers: {a: {load-balance: {chat: {strategy: latency, providers: [{provider: openai, priority: 1}]}}}}",
        ["1:97 priority-ignored"],
    ),
    "models for a strategy of providers": (
        "routers: {a: {load-balance: {chat: {strategy: latency, models: [openai/gpt-4o]}}}}",
        ["1:56 models-unused"],
    ),
    "models and providers": (
        "routers: {a: {load-balance: {chat: {strategy: model-latency, models: [openai/gpt-4o], providers: [openai]}}}}",
        ["1:87 models-and-providers"],
    ),
    "no model for a strategy of models": (
        "routers: {a: {load-balance: {chat: {strategy: model-latency, models: [openai/gpt-4o, anthropic]}}}}",
        ["1:86 model-missing"],
    ),
    "models under providers for a strategy of models": (
        "routers: {a: {load-balance: {chat: {strategy: model-weighted, providers: [openai/gpt-4o, openai/gpt-4]}}}}",
        [],
    ),
    "two models in one entry": (
        "routers: {a: {load-balance: {chat: {providers: [{provider: openai/gpt-4o, model: gpt-4}]}}}}",
        ["1:82 model-twice"],
    ),
    "the same target twice": (
        "routers: {a: {load-balance: {chat: {providers: [openai, {provider: openai}]}}}}",
        ["1:57 target-twice"],
    ),
    "a target without the operation": (
        "routers: {a: {load-balance: {embeddings: {providers: [anthropic]}}}}",
        ["1:55 target-unable"],
    ),
    "a target that is disabled": (
        ROUTER + "providers: {openai: {enabled: false}}",
        ["1:49 target-unable"],
    ),
    "a target whose closed list lacks the model": (
        (
            "routers: {a: {load-balance: {chat: {providers: [mine/b, mine/a-1]}}}}\n"
            "providers: {mine: {dialect: openai, base-url: 'http://localhost', models: ['a-*'], models-closed: true}}"
        ),
        ["1:49 target-unable"],
    ),
    "a store": (ROUTER + "store: {url: 'redis://localhost'}", []),
    "a store whose address cannot be read": (
        ROUTER + "store: {url: 'redis://:hush-0123456789@localhost/first'}",
        ["2:14 secret-in-file", "2:14 store-url"],
    ),
    "a ledger": (ROUTER + "ledger: {}", []),
    "a ledger whose address cannot be read": (
        ROUTER + "ledger: {url: 'postgresql://gateway:hush-0123456789@localhost'}",
        ["2:15 secret-in-file", "2:15 ledger-url"],
    ),
    "a ledger of amounts without sense": (
        ROUTER + "ledger: {batch: 1ms, retention: 1h, max-spool: 10KiB}",
        ["2:17 ledger-batch", "2:33 ledger-retention", "2:48 ledger-spool"],
    ),
    "a store whose authority is in no file": (
        ROUTER + "store: {url: 'rediss://localhost?ssl_ca_certs=/nowhere.pem'}",
        ["2:14 store-file"],
    ),
    "a store that may take no time": (
        ROUTER + "store: {url: 'redis://localhost', timeout: 0s}",
        ["2:44 duration-zero"],
    ),
    "limits that each worker keeps by itself": (
        ROUTER + "server: {workers: 2}\nglobal: {rate-limit: {total: {capacity: 9}}}",
        ["3:10 limits-per-process"],
    ),
    "directives of another kind": (
        ROUTER + "global: {cache: {directive: 'max-ag=1, max-age=-1, max-age, no-store=1, max-stale'}}",
        ["2:29 cache-directive"] * 5,
    ),
    "an empty directive": (
        ROUTER + "global: {cache: {directive: ''}}",
        ["2:29 cache-directive"],
    ),
    "caches of every kind": (
        ROUTER + "global: {cache: {directive: no-store}}\n"
        "unified-api: {cache: {directive: 'max-age=60, stale-while-revalidate=30, stale-if-error=600, max-stale'}}\n",
        [],
    ),
    "an answer that is only there for bad times": (
        ROUTER + "global: {cache: {directive: 'no-cache, stale-if-error=60', max-size: 1MiB, max-entry-size: 1KiB}}",
        [],
    ),
    "a cache that never gives an answer": (ROUTER + "global: {cache: {directive: no-cache}}", ["2:29 cache-inert"]),
    "an age of nought": (ROUTER + "global: {cache: {directive: max-age=0}}", ["2:29 cache-inert"]),
    "half of a directive that has no effect": (
        ROUTER + "global: {cache: {directive: 'max-age=9, no-cache, max-stale=9, stale-if-error=5'}}",
        ["2:29 cache-inert"],
    ),
    "a cache without room": (
        ROUTER + "global: {cache: {directive: max-age=9, max-size: 0B, max-entry-size: 0B}}",
        ["2:50 cache-size", "2:70 cache-size"],
    ),
    "an answer larger than its cache": (
        ROUTER + "global: {cache: {directive: max-age=9, max-size: 1KiB}}",
        ["2:50 cache-size"],
    ),
    "a cache of teams that are not there": (
        ROUTER + "global: {cache: {directive: max-age=9, scope: team}}",
        ["2:47 cache-without-teams"],
    ),
    "a size that bounds nothing in Redis": (
        ROUTER + "global: {cache: {directive: max-age=9, max-size: 9MiB}}\nstore: {url: 'redis://localhost'}",
        ["2:50 cache-size-elsewhere"],
    ),
    "an address that others can reach": (ROUTER + "server: {host: 0.0.0.0}", ["2:16 open-to-the-network"]),
    "an address that others can reach, said aloud": (
        ROUTER + "server: {host: 0.0.0.0}\nauth: {mode: open}",
        [],
    ),
    "a certificate that is not there": (
        ROUTER + "server: {tls: {certificate: /nowhere/tls.crt, key: /nowhere/tls.key}}",
        ["2:29 tls-file", "2:52 tls-file"],
    ),
    "a certificate that is no certificate": (
        ROUTER + f"server: {{tls: {{certificate: '{__file__}', key: '{__file__}'}}}}",
        ["2:15 tls-pair"],
    ),
    "other names of loopback": (ROUTER + "server: {host: '::1'}", []),
    "keys wanted and none there": (ROUTER + "auth: {mode: keys}", ["2:14 auth-without-keys"]),
    "keys there and not wanted": (
        ROUTER + f"auth: {{keys: [{{name: a, hash: 'sha256:{'0' * 64}'}}]}}",
        ["2:14 auth-keys-ignored"],
    ),
    "keys that are the same": (
        ROUTER + f"auth:\n  mode: keys\n  keys:\n  - {{name: a, hash: 'sha256:{'0' * 64}'}}\n"
        f"  - {{name: a, hash: 'sha256:{'0' * 64}'}}\n",
        ["6:12 auth-key-twice", "6:21 auth-key-twice"],
    ),
    "a key for a router that is not there": (
        ROUTER + f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}', routers: [a, b]}}]}}",
        ["2:131 router-unknown"],
    ),
    "a key that nothing proves": (ROUTER + "auth: {mode: keys, keys: [{name: a}]}", ["2:27 key-without-hash"]),
    "a keyed hash without its pepper": (
        ROUTER + f"auth: {{mode: keys, keys: [{{name: a, hash: 'hmac-sha256:{'0' * 64}'}}]}}",
        ["2:43 pepper-missing"],
    ),
    "secrets that could be guessed": (
        ROUTER + "auth:\n  mode: keys\n  pepper: short\n"
        "  keys: [{name: a, signing: required, signing-secret: short}]\n",
        ["4:11 pepper-short", "4:11 secret-in-file", "5:55 signing-secret-short", "5:55 secret-in-file"],
    ),
    "half of a signing key": (
        ROUTER + f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}', signing: optional}}]}}",
        ["2:27 signing-incomplete"],
    ),
    "signing in several processes": (
        ROUTER + "server: {workers: 2}\n"
        f"auth: {{mode: keys, keys: [{{name: a, signing: required, signing-secret: {'s' * 32}}}]}}",
        ["3:46 signing-per-process", "3:72 secret-in-file"],
    ),
    "a day that no calendar has": (
        ROUTER + f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}', expires: 2027-02-30}}]}}",
        ["2:127 moment-wrong"],
    ),
    "a key that has expired, and one that soon will": (
        ROUTER + "auth:\n  mode: keys\n  keys:\n"
        f"  - {{name: a, hash: 'sha256:{'0' * 64}', expires: 2027-01-14}}\n"
        f"  - {{name: b, hash: 'sha256:{'1' * 64}', expires: 2027-01-28}}\n"
        f"  - {{name: c, hash: 'sha256:{'2' * 64}', expires: 2027-01-29T08:00:00Z}}\n",
        ["5:105 key-expired", "6:105 key-expires"],
    ),
    "lists that admit nothing, or nobody": (
        ROUTER + f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}', models: [],\n"
        "  providers: [opena], networks: [10.0.0.1/8, everywhere]}]}",
        ["2:126 list-empty", "3:15 provider-unknown", "3:34 network-wrong", "3:46 network-wrong"],
    ),
    "proxies that are everybody": (
        ROUTER + "server: {trusted-proxies: [0.0.0.0/0, 10.1/8]}",
        ["2:28 everybody-trusted", "2:39 network-wrong"],
    ),
    "tokens that nobody is asked for": (
        ROUTER + "auth: {jwt: [{issuer: 'https://id.test', audience: a}]}",
        ["2:13 auth-keys-ignored"],
    ),
    "issuers that cannot be told apart": (
        ROUTER + "auth:\n  mode: keys\n  jwt:\n"
        "  - {issuer: 'https://id.test', audience: a}\n  - {issuer: 'https://id.test', audience: []}\n",
        ["6:5 issuer-twice", "6:14 issuer-twice", "6:43 audience-empty"],
    ),
    "issuers whose keys are nowhere, twice, or in the clear": (
        ROUTER + "auth:\n  mode: keys\n  jwt:\n"
        "  - {issuer: nobody, audience: a}\n"
        "  - {name: b, issuer: b, audience: a, jwks-url: 'https://b.test', jwks-file: b.json}\n"
        "  - {name: c, issuer: 'http://c.test', audience: a}\n"
        "  - {name: d, issuer: 'http://localhost:8080/realm', audience: a}\n"
        "  - {name: e, issuer: e, audience: a, jwks-file: nowhere.json}\n",
        ["5:14 jwks-unknown", "6:78 jwks-twice", "7:23 jwks-unencrypted", "9:50 jwks-file"],
    ),
    "a default router that is not there": (ROUTER + "default-router: b", ["2:17 router-unknown"]),
    "timeouts that another ends": (
        ROUTER + "global: {timeouts: {connect: 9s, first-token: 20s, idle: 11s, total: 10s}}",
        ["2:47 timeout-order", "2:58 timeout-order"],
    ),
    "a short total alone": (ROUTER + "global: {timeouts: {total: 10s}}", []),
    "delays the wrong way round": (
        ROUTER + "global: {retries: {min-delay: 6s}}\nproviders: {openai: {breaker: {open-for: 1h}}}",
        ["2:31 delay-order", "3:42 delay-order"],
    ),
    "durations of nothing and of ages": (
        ROUTER + "global: {timeouts: {connect: 0s, total: 9999999d}}",
        ["2:30 duration-zero", "2:41 duration-too-long"],
    ),
    "a bucket that refills in no time": (
        ROUTER + "global: {rate-limit: {total: [{capacity: 1, refill-frequency: 0ms}]}}",
        ["2:63 duration-zero"],
    ),
    "buckets that cannot be counted": (
        ROUTER
        + """\
global:
  rate-limit:
    total:
    - {capacity: 2.5}
    - {capacity: 0.5, unit: tokens}
    - {capacity: 0.1234567, unit: usd}
    - {capacity: 9999999999999999}
    - {capacity: 1000003, refill-frequency: 30d}
""",
        [f"{line}:18 capacity" for line in range(5, 10)],
    ),
    "buckets that can be counted": (
        ROUTER + "global: {rate-limit: {total: [{capacity: 2.0}, {capacity: 2.5, unit: usd}, {capacity: 1000000000}]}}",
        [],
    ),
    "a provider's key with limits that say nothing or too much": (
        ROUTER + "providers: {openai: {keys: [{value: '${env:OPENAI_API_KEY}', limit: {}}, "
        "{value: '${env:ANTHROPIC_API_KEY}', limit: {requests-per-minute: 15, tokens-per-minute: 99999999999999}}]}}",
        ["2:69 limit-empty", "2:162 capacity"],
    ),
    "a limit for teams where nobody has one": (
        ROUTER + "global: {rate-limit: {per-team: {capacity: 1}}}",
        ["2:23 limit-without-team"],
    ),
    "a limit in dollars before a model without a price": (
        (
            "routers: {a: {rate-limit: {total: [{capacity: 1}, {capacity: 1, unit: usd}]}, "
            "load-balance: {chat: {providers: [openai/gpt-4o, openai/made-up]}}}}"
        ),
        ["1:51 limit-unpriced"],
    ),
    "prices that say something": (
        f"{ROUTER}prices: {{vllm/*: {{input: '0.1', output: 0}}, openai: {{factor: 0.85}}, openai/o3: {{input: 2}}}}",
        [],
    ),
    "a price of nobody's": (f"{ROUTER}prices: {{opennai/gpt-4o: {{input: 1}}}}", ["2:10 provider-unknown"]),
    "a price of no model": (f"{ROUTER}prices: {{openai/: {{input: 1}}}}", ["2:19 price-model"]),
    "a price that is absurd": (f"{ROUTER}prices: {{openai/a: {{input: 100001}}}}", ["2:28 price-amount"]),
    "a price without an end": (f"{ROUTER}prices: {{openai/a: {{input: .inf}}}}", ["2:28 bad-format"]),
    "a price below nothing": (f"{ROUTER}prices: {{openai/a: {{input: '-1'}}}}", ["2:28 bad-format"]),
    "a price that is too fine": (
        f"{ROUTER}prices: {{openai/a: {{input: '0.0000000000001'}}}}",
        ["2:28 price-amount"],
    ),
    "a fee that is absurd": (
        f"{ROUTER}prices: {{openai/a: {{input: 1, request: 1001}}}}",
        ["2:40 price-amount"],
    ),
    "a factor that is none": (f"{ROUTER}prices: {{openai: {{factor: 11}}}}", ["2:27 price-amount"]),
    "a price of nothing": (f"{ROUTER}prices: {{openai/a: {{}}}}", ["2:10 price-empty"]),
    "a price and a factor": (
        f"{ROUTER}prices: {{openai/a: {{input: 1, factor: 2}}}}",
        ["2:31 price-twice"],
    ),
    "a price of output alone": (f"{ROUTER}prices: {{openai/a: {{output: 1}}}}", ["2:10 price-input"]),
    "a factor of nothing": (f"{ROUTER}prices: {{openai/made-up: {{factor: 0.5}}}}", ["2:27 price-factor"]),
    "a pattern that never counts": (
        f"{ROUTER}prices: {{openai/gpt-*: {{input: 1}}, openai/gpt-?*: {{input: 2}}}}",
        ["2:10 price-inert"],
    ),
    "a choice by cost of what has no price": (
        "routers: {a: {load-balance: {chat: {strategy: cost, providers: [openai/gpt-4o, openai/made-up]}}}}",
        ["1:80 cost-unpriced"],
    ),
    "a preference for what has no price": (
        "routers: {a: {optimize-for: {}, load-balance: {chat: {providers: [openai/made-up, {provider: ollama}]}}}}",
        ["1:67 cost-unpriced"],
    ),
    "a preference that nobody may have": (
        ROUTER.replace("a: {", "a: {optimize-for: {allow: []}, "),
        ["1:15 optimize-for"],
    ),
    "a limit that the global one never lets it reach": (
        ROUTER.replace("a: {", "a: {rate-limit: {total: {capacity: 120, refill-frequency: 60s}}, ")
        + "global: {rate-limit: {total: {capacity: 100, refill-frequency: 1m}, per-api-key: {capacity: 1}}}",
        ["1:35 limit-inert"],
    ),
    "a limit above the global one in one way and below it in another": (
        ROUTER.replace("a: {", "a: {rate-limit: {total: {capacity: 120, refill-frequency: 1h}}, ")
        + "global: {rate-limit: {total: {capacity: 100, refill-frequency: 1m}}}",
        [],
    ),
    "mappings to nothing, to nobody and to itself": (
        ROUTER + "global: {model-mappings: {x: [opena/y, openai/, x], z: ''}}",
        ["2:31 provider-unknown", "2:40 mapping-empty", "2:49 mapping-to-itself", "2:56 mapping-empty"],
    ),
    "a mapping that no target can use": (
        (
            "routers: {a: {model-mappings: {x: [anthropic/y], z: [openai/y, anthropic/y], b: c}, "
            "load-balance: {chat: {providers: [openai]}}}}"
        ),
        ["1:32 mapping-inert"],
    ),
    "base URLs that are none": (
        ROUTER
        + """\
providers:
  a: {dialect: openai, base-url: 'https://'}
  b: {dialect: openai, base-url: 'https://u:p@host/v1'}
  c: {dialect: openai, base-url: 'https://host/v1?x=1'}
  d: {dialect: openai, base-url: 'https://host:99999/v1'}
  e: {dialect: openai, base-url: 'https://ho st/v1'}
  f: {dialect: openai, base-url: 'https://host/v1#'}
""",
        [f"{line}:34 base-url" for line in range(3, 9)],
    ),
    "a base URL without encryption": (
        (
            "providers:\n  a: {dialect: openai, base-url: 'http://api.example.com/v1'}\n"
            "  b: {dialect: openai, base-url: 'http://10.1.2.3/v1'}\n"
            "  c: {dialect: openai, base-url: 'http://vllm.internal:8000/v1'}\n"
            "routers: {a: {load-balance: {chat: {providers: [{provider: openai, base-url: 'http://8.8.8.8/v1'}]}}}}"
        ),
        ["2:34 base-url-plain", "5:78 base-url-plain"],
    ),
    "headers that would frame the request anew": (
        ROUTER + "providers: {openai: {headers: {Host: h, transfer-encoding: chunked}}}",
        ["2:32 header", "2:41 header"],
    ),
    "headers that cannot be sent": (
        ROUTER + 'providers: {openai: {headers: {"x y": a, x-z: "a\\r\\nb"}}}',
        ["2:32 header", "2:47 header"],
    ),
    "credentials written into the file": (
        (
            "providers: {openai: {keys: [sk-1, {value: sk-2}, '${env:OPENAI_API_KEY}']}}\n"
            "routers: {a: {load-balance: {chat: {providers: [{provider: anthropic, keys: [sk-3]}]}}}}"
        ),
        ["1:29 secret-in-file", "1:43 secret-in-file", "2:78 secret-in-file"],
    ),
    "credentials in places that are not for them": (
        ROUTER
        + f"""\
store: {{url: 'redis://:${{env:OPENAI_API_KEY}}@localhost'}}
auth: {{pepper: '${{env:PEPPER:-{"p" * 20}}}'}}
providers:
  openai:
    headers: {{x-team: 'gsk_{"a1" * 10}', X-Api-Key: plain, authorization: 'Bearer ${{env:OPENAI_API_KEY}}'}}
unified-api:
  cache: {{directive: max-age=5, seed: {RANDOM}}}
  model-mappings: {{a: claude-sonnet-4-5-20250929-with-quite-a-long-Name, b: 0b6b0d4e-2f4b-4e5e-9d5c-3a1c6e5f7a90}}
""",
        [f"{place} secret-in-file" for place in ("3:16", "6:23", "6:62", "8:39")],
    ),
    "a router and a provider that nobody may use": (
        ROUTER
        + f"""\
auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{"0" * 64}', routers: [a]}}]}}
providers: {{openai: null, anthropic: null, mistral: {{enabled: false}}}}
""",
        ["3:27 provider-unreachable"],
    ),
    "a router that no key names": (
        (
            "routers:\n"
            "  a: {load-balance: {chat: {providers: [openai]}}}\n"
            "  b: {load-balance: {chat: {providers: [openai]}}}\n"
            f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}', routers: [b]}}]}}"
        ),
        ["2:3 router-unreachable"],
    ),
    "a token that says itself what it may use": (
        ROUTER
        + "auth: {mode: keys, jwt: [{issuer: 'https://id.test', audience: a, claims: {routers: r}, routers: []}]}\n"
        "providers: {anthropic: null}",
        ["2:98 list-empty"],
    ),
    "a key whose routers have none of its providers": (
        ROUTER
        + f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}', routers: [a], providers: [gemini]}}]}}",
        ["2:132 key-without-router"],
    ),
    "what is said twice": (
        (
            "global: {timeouts: {total: 60s}, on-loss: allow, model-mappings: {x: [openai/a, openai/a]}}\n"
            "routers:\n"
            "  a:\n"
            "    timeouts: {total: 60s}\n"
            "    on-loss: reject\n"
            "    model-mappings: {x: [openai/a, openai/a], y: openai/a}\n"
            "    load-balance: {chat: {providers: [openai]}}\n"
        ),
        ["1:81 meaning-twice", "4:5 repeats-global", "6:22 repeats-global", "6:36 meaning-twice"],
    ),
    "mappings in a circle": (
        ROUTER + "global: {model-mappings: {a: b, b: [c], c: a, d: a, e: f, x: openai/y, y: openai/x}}",
        ["2:27 mapping-loop"],
    ),
    "limits around a limit": (
        ROUTER
        + f"""\
global: {{rate-limit: {{total: {{capacity: 100}}, per-api-key: {{capacity: 200}}, per-end-user: {{capacity: 9}}}}}}
auth:
  mode: keys
  keys:
  - {{name: a, team: t, hash: 'sha256:{"0" * 64}', rate-limit: {{capacity: 300}}}}
  - {{name: b, hash: 'sha256:{"1" * 64}', rate-limit: [{{capacity: 50}}, {{capacity: 300, unit: tokens}}]}}
""",
        ["2:60 limit-inert", "6:117 limit-inert"],
    ),
    "operations that a dialect has no words for": (
        ROUTER + "providers: {mine: {dialect: gemini, base-url: 'http://localhost', operations: [chat, generate]}}",
        ["2:80 operation-foreign"],
    ),
    "a target without any model": (
        (
            "routers: {a: {load-balance: {chat: {providers: [mine]}}}}\n"
            "providers: {mine: {dialect: openai, base-url: 'http://localhost', models-closed: true}}"
        ),
        ["1:49 target-unable"],
    ),
    "a limit above its ceiling, one in the shadow and none": (
        """\
ceilings: {rate-limit: {total: {capacity: 60, refill-frequency: 1m}}}
routers:
  a: {rate-limit: {total: {capacity: 61, refill-frequency: 2m}}, load-balance: &b {chat: {providers: [openai]}}}
  b: {rate-limit: {total: {capacity: 2}}, load-balance: *b}
  c: {rate-limit: {total: {capacity: 1}, enforce: shadow}, load-balance: *b}
  d: {rate-limit: {per-api-key: {capacity: 1}}, load-balance: *b}
  e: {load-balance: *b}
  f: {rate-limit: {total: [{capacity: 9}, {capacity: 60, refill-frequency: 1h}]}, load-balance: *b}
  g: {rate-limit: {total: {capacity: 1}}, load-balance: *b}
""",
        ["3:27 ceiling-limit", "4:27 ceiling-limit", "5:3 ceiling-limit", "6:3 ceiling-limit", "7:3 ceiling-limit"],
    ),
    "a ceiling that the global limit keeps to": (
        ROUTER
        + """\
ceilings: {rate-limit: {total: {capacity: 60, refill-frequency: 1m}}}
global: {rate-limit: {total: {capacity: 60, refill-frequency: 1m}}}
""",
        [],
    ),
    "a ceiling that cannot be counted": (
        ROUTER + "ceilings: {rate-limit: {total: {capacity: 1.5, refill-frequency: 0s}}}",
        ["1:11 ceiling-limit", "2:43 capacity", "2:66 duration-zero"],
    ),
    "providers, models and caches beyond their ceilings": (
        """\
ceilings: {providers: [openai, anth*], models: ['gpt-4o*', 'anthropic/*'], cache-scope: caller}
unified-api: {model-mappings: {x: gemini/y}}
routers:
  a:
    cache: {directive: max-age=5, scope: router}
    model-mappings: {x: [anthropic/y, gpt-5], z: openai/gpt-4o-mini, a: gpt-4}
    load-balance: {chat: {providers: [openai/gpt-4o, {provider: openai, model: o1}, gemini, anthropic]}}
""",
        [
            "2:35 ceiling-model",
            "5:42 ceiling-cache",
            "6:39 ceiling-model",
            "6:73 ceiling-model",
            "7:54 ceiling-model",
            "7:85 ceiling-provider",
        ],
    ),
    "an address beyond the ceiling for providers": (
        """\
ceilings: {providers: [openai]}
routers: {a: {load-balance: {chat: {providers: [{provider: openai, base-url: 'https://elsewhere.test'}]}}}}
""",
        ["2:78 ceiling-provider"],
    ),
    "budgets above their ceiling, one that does not refuse and none": (
        """\
ceilings: {budget: {per-router: {amount: 310, window: month}, per-team: {amount: 50, window: rolling 30d}}}
store: {url: 'redis://localhost'}
routers:
  a: {budget: {amount: 311}, load-balance: &b {chat: {providers: [openai]}}}
  b: {budget: {amount: 310}, load-balance: *b}
  c: {budget: {amount: 10, window: day}, load-balance: *b}
  d: {budget: {amount: 10, window: day, time-zone: Europe/Berlin}, load-balance: *b}
  e: {budget: {amount: 62, window: rolling 7d}, load-balance: *b}
  f: {budget: {amount: 63, window: rolling 7d}, load-balance: *b}
  g: {budget: {amount: 5, on-exceeded: {downgrade: gpt-4o}}, load-balance: *b}
  h: {budget: [{amount: 900}, {amount: 3, window: day}], load-balance: *b}
  i: {load-balance: *b}
teams: {x: {budget: {amount: 16}}, y: {budget: {amount: 17}}, z: {}}
auth:
  mode: keys
  keys:
  - {name: one, hash: 'sha256:0HASH', team: x}
  - {name: two, hash: 'sha256:1HASH', team: y}
  - {name: three, hash: 'sha256:2HASH', team: w}
  - {name: four, hash: 'sha256:3HASH', team: z}
""".replace("HASH", "0" * 63),
        [
            "4:24 ceiling-budget",
            "7:24 ceiling-budget",
            "9:24 ceiling-budget",
            "10:24 ceiling-budget",
            "12:3 ceiling-budget",
            "13:57 ceiling-budget",
            "13:63 ceiling-budget",
            "19:100 ceiling-budget",
        ],
    ),
    "a ceiling of budgets in a time that there is not": (
        ROUTER + "ceilings: {budget: {per-router: {amount: 1, window: rolling 100d}}}\n",
        ["2:21 budget-window"],
    ),
    "bodies and lines beyond the ceiling for privacy": (
        """\
ceilings: {privacy: metadata}
audit: {plaintext-bodies: true}
global: {privacy: {log: full}}
unified-api: {privacy: {log: none}}
routers:
  a: {privacy: {log: full}, load-balance: &b {chat: {providers: [openai]}}}
  b: {privacy: {log: metadata}, load-balance: *b}
""",
        ["3:25 ceiling-privacy", "6:22 ceiling-privacy"],
    ),
    "an audit log that writes what nobody may know": (
        ROUTER + "ceilings: {privacy: none}\naudit: {}\n",
        ["1:1 ceiling-privacy"],
    ),
    "anybody where keys are demanded": (
        ROUTER + "ceilings: {auth-mode: keys}\nauth: {mode: open}",
        ["3:14 ceiling-auth"],
    ),
    "a key that the environment does not have": (
        ROUTER + "providers: {openai: {keys: ['${env:NOT_THERE}', '${env:OPENAI_API_KEY}']}}",
        ["2:29 key-unset"],
    ),
    "the only key is not there": (ROUTER + "providers: {openai: {keys: ['${env:NOT_THERE}']}}", ["2:29 key-unset"]),
    "keys that are not one thing, and whole": (
        ROUTER
        + """\
providers:
  vertex:
    keys:
    - {name: none}
    - {value: '${env:OPENAI_API_KEY}', google: metadata}
    - {google: {service-account: '${env:OPENAI_API_KEY}'}}
    - {azure: {tenant: t, client: c}}
    - {aws: container}
  bedrock:
    region: eu-west-1
    keys:
    - {aws: {role: 'arn:aws:iam::1:role/r'}}
    - {aws: {access-key-id: '${env:OPENAI_API_KEY}', secret-access-key: '${env:OPENAI_API_KEY}'}}
    - {aws: {role: 'arn:aws:iam::1:role/r', token-file: /token}}
    - {azure: {tenant: t, client: c, secret: '${env:NOT_THERE}'}}
""",
        [
            *(f"{line}:7 key-incomplete" for line in range(5, 10)),
            "13:5 key-incomplete",
            "13:5 key-incomplete",
            "16:7 key-unset",
        ],
    ),
    "a part of a key that refers to nothing": (
        ROUTER + "providers: {azure: {keys: [{azure: {tenant: '${bogus}', client: 007, format: slack}}]}}",
        ["2:45 reference-unknown"],
    ),
    "an admin API that others can reach": (
        ROUTER + "auth: {mode: open}\nserver: {host: 0.0.0.0}\nadmin: {}",
        ["4:1 admin-open"],
    ),
    "an admin port that others can reach": (ROUTER + "admin: {port: 9000, host: 0.0.0.0}", ["2:27 admin-open"]),
    "an admin API on loopback beside a port that others can reach": (
        ROUTER + "auth: {mode: open}\nserver: {host: 0.0.0.0}\nadmin: {port: 9000, host: 127.0.0.1}",
        [],
    ),
    "an admin address without a port": (ROUTER + "admin: {host: 127.0.0.1}", ["2:15 admin-host-alone"]),
    "an admin port that is the server's": (ROUTER + "admin: {port: 8080}", ["2:15 admin-port-taken"]),
    "an admin key that is another's": (
        ROUTER
        + f"auth: {{mode: keys, keys: [{{name: ci, hash: 'sha256:{'0' * 64}'}}]}}\n"
        + f"admin: {{keys: [{{name: a, hash: 'sha256:{'0' * 64}'}}, {{name: a, hash: 'hmac-sha256:{'1' * 64}'}}]}}",
        ["3:32 admin-key-twice", "3:115 admin-key-twice", "3:124 pepper-missing"],
    ),
    "an admin key that has expired": (
        ROUTER
        + f"admin: {{keys: [{{name: a, hash: 'sha256:{'0' * 64}', expires: 2026-01-31}},\n"
        + f" {{name: b, hash: 'sha256:{'1' * 64}', expires: 2027-01-20}},\n"
        + f" {{name: c, hash: 'sha256:{'2' * 64}', expires: 2027-02-30}}]}}",
        ["2:116 key-expired", "3:102 key-expires", "4:102 moment-wrong"],
    ),
    "a provider whose key nobody gave": (
        "routers: {a: {load-balance: {chat: {providers: [mistral, ollama, echo]}}}}",
        ["1:49 key-missing"],
    ),
    "an address that depends on an account": (
        "routers: {a: {load-balance: {chat: {providers: [{provider: azure, keys: ['${env:OPENAI_API_KEY}']}]}}}}",
        ["1:49 address-unset"],
    ),
    "traces sent without TLS": (
        ROUTER + "traces: {endpoint: 'http://otel.example:4318/v1/traces'}",
        ["2:20 address-plain"],
    ),
    "traces sent on this machine": (ROUTER + "traces: {endpoint: 'http://127.0.0.1:4318/v1/traces'}", []),
    "a collector with a password in its address": (
        ROUTER + "traces: {endpoint: 'https://me:abc@otel.example/'}",
        ["2:20 secret-in-file", "2:20 address-invalid"],
    ),
    "a credential of the collector's in the file": (
        ROUTER + "traces: {headers: {authorization: Bearer abc, x-tenant: one}}",
        ["2:35 secret-in-file"],
    ),
    "a header of the collector's that is none": (ROUTER + "traces: {headers: {'a b': c}}", ["2:20 header-invalid"]),
    "a provider that is to be told of traces and is not there": (
        ROUTER + "traces: {propagate-to: [opnai]}",
        ["2:25 provider-unknown"],
    ),
    "alerts that nobody hears": (ROUTER + "alerts: {}", ["2:1 alerts-unheard"]),
    "two webhooks of one name, one sent without TLS": (
        ROUTER
        + "alerts: {webhooks: [{name: a, url: 'https://a.test', format: slack},\n"
        + "  {name: a, url: 'http://b.test', format: slack}]}",
        ["3:10 webhook-twice", "3:18 address-plain"],
    ),
    "a webhook that signs nothing": (
        ROUTER + "alerts: {webhooks: [{name: a, url: 'https://a.test'}]}",
        ["2:21 webhook-unsigned"],
    ),
    "a webhook whose secret is short and in the file": (
        ROUTER + "alerts: {webhooks: [{name: a, url: 'https://a.test', secret: short}]}",
        ["2:62 secret-in-file", "2:62 webhook-secret-short"],
    ),
    "a webhook for what never happens": (
        ROUTER + "alerts: {webhooks: [{name: a, url: 'https://a.test', format: slack, events: [budget-*, outage]}]}",
        ["2:88 event-unknown"],
    ),
    "budgets that cannot be counted": (
        """\
        routers:
          a:
            load-balance: {chat: {providers: [openai]}}
            budget:
              - {amount: '0'}
              - {amount: 5000000, window: day}
              - {amount: 0.00000000001, window: rolling 30d}
        ledger: {}
        """,
        ["5:18 budget-amount", "6:18 budget-amount", "7:18 budget-amount"],
    ),
    "budgets of windows that are none": (
        """\
        routers:
          a:
            load-balance: {chat: {providers: [openai]}}
            budget:
              - {amount: 1, window: rolling 100h}
              - {amount: 1, window: month, time-zone: Europe/Atlantis}
              - {amount: 1, window: rolling 7d, time-zone: Europe/Berlin}
              - {amount: 1, window: day, time-zone: Europe/Berlin}
              - {amount: 2, window: day, time-zone: Europe/Berlin}
        ledger: {}
        """,
        ["5:29 budget-window", "6:47 budget-zone", "7:52 budget-zone", "9:9 budget-twice"],
    ),
    "downgrades to nobody, or without effect": (
        """\
        routers:
          a:
            load-balance: {chat: {providers: [openai]}}
            budget: {amount: 1, on-exceeded: {downgrade: gtp-nonsense}}
          b:
            load-balance: {chat: {providers: [opnai/x]}}
            budget: {amount: 1, on-exceeded: {downgrade: opnai/gpt-4o}}
          c:
            load-balance: {chat: {providers: [openai]}}
            budget: {amount: 1, on-exceeded: cheapest}
          d:
            load-balance: {chat: {providers: [openai/gpt-4o]}}
            budget: {amount: 1, on-exceeded: {downgrade: gpt-4o-mini}}
          e:
            load-balance: {chat: {providers: [openai, anthropic]}, default: {providers: [openai]}}
            budget: {amount: 1, on-exceeded: cheapest}
            virtual-models: {auto: [{to: openai/gpt-4o}]}
        ledger: {}
        """,
        ["4:50 downgrade-unknown", "6:39 provider-unknown", "7:50 downgrade-unknown", "10:38 downgrade-inert"],
    ),
    "budgets of those who never come": (
        ROUTER + "ledger: {}\nteams: {ml: {budget: {amount: 1}}}\nprojects: {x: {budget: {amount: 1}}}\nquotas: {}\n",
        ["3:9 budget-unused", "4:12 budget-unused", "5:1 quota-unused"],
    ),
    "a budget that each worker keeps": (
        (
            "server: {workers: 4}\nledger: {}\n"
            "routers: {a: {load-balance: {chat: {providers: [openai]}}, budget: {amount: 1}}}\n"
        ),
        ["3:60 budgets-per-process"],
    ),
    "money without a ledger": (
        ROUTER
        + "teams: {ml: {budget: {amount: 1}}}\nquotas: {}\n"
        + "auth: {mode: keys, keys: [{name: a, team: ml, hash: 'sha256:"
        + "a" * 64
        + "'}]}\n",
        ["2:22 budget-without-ledger", "3:1 quota-without-ledger"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    assert in_short(problems_of(text, tmp_path)) == expected


def test_the_examples_of_the_routers_page_are_accepted() -> None:
    for page in ("basic", "environments"):
        loaded, problems = loaded_and_checked(PAGES / f"{page}.yaml", KEYS)
        assert len(loaded.spec.routers) == 3
        assert problems == []


def test_string_weights_are_exact() -> None:
    loaded, _ = loaded_and_checked(PAGES / "basic.yaml", KEYS)
    balance = loaded.spec.routers["production"].load_balance
    assert balance is not None
    assert balance.chat is not None
    weights = [Decimal(str(target.weight)) for target in balance.chat.providers or () if not isinstance(target, str)]
    assert weights == [Decimal("0.7"), Decimal("0.3")]


def test_the_name_of_thirteen_characters_is_the_one_error_of_its_page() -> None:
    with pytest.raises(ConfigError) as caught:
        loaded_and_checked(PAGES / "teams.yaml", KEYS)
    errors = [problem for problem in caught.value.problems if problem.level == "error"]
    assert [str(error).splitlines()[0] for error in errors] == [
        (
            f"{PAGES / 'teams.yaml'}:13:3: error: routers.frontend-team: "
            "`frontend-team` is 13 characters; a router name has 1 to 12 of A-Z a-z 0-9 _ -"
        )
    ]


def test_the_page_with_a_shorter_name_is_accepted(tmp_path: Path) -> None:
    text = (PAGES / "teams.yaml").read_text("utf-8").replace("frontend-team", "frontend")
    assert problems_of(text, tmp_path) == []


def test_the_shipped_file_has_no_error_without_any_key() -> None:
    loaded, problems = loaded_and_checked(ROOT / "routers.yaml", {})
    assert list(loaded.spec.routers) == ["demo", "production", "development"]
    assert loaded.spec.default_router == "demo"
    assert {problem.code for problem in problems} == {"key-missing"}


def test_a_missing_key_names_its_variable(tmp_path: Path) -> None:
    [problem] = problems_of(ROUTER, tmp_path, {})
    assert problem.code == "key-missing"
    assert "OPENAI_API_KEY" in problem.hint


def test_a_pool_in_the_plural_variable_is_a_key(tmp_path: Path) -> None:
    assert problems_of(ROUTER, tmp_path, {"OPENAI_API_KEYS": "a,b"}) == []


def test_an_unknown_provider_is_met_with_a_suggestion(tmp_path: Path) -> None:
    [problem] = problems_of(ROUTER.replace("openai", "opnai"), tmp_path)
    assert problem.message == "there is no provider `opnai`"
    assert problem.hint == "did you mean `openai`?"


def test_structure_and_meaning_are_reported_together(tmp_path: Path) -> None:
    text = """\
    server: {prot: 1}
    routers:
      a: {load-balance: {chat: {providers: [opnai]}}}
      b: {load-balance: {chat: {providers: [openai], strategy: fastest}}}
    default-router: c
    """
    assert in_short(problems_of(text, tmp_path)) == [
        "1:10 unknown-key",
        "3:41 provider-unknown",
        "4:60 not-allowed",
        "5:17 router-unknown",
    ]


def test_what_was_left_out_is_not_held_against_the_rest(tmp_path: Path) -> None:
    text = f"""\
    auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{"0" * 64}', routers: [frontend-team]}}, 5]}}
    providers: {{mine: []}}
    routers:
      frontend-team: {{load-balance: {{chat: {{providers: [mine]}}}}}}
      b: {{load-balance: {{chat: {{providers: [mine, 5]}}}}}}
      c: {{load-balance: {{chat: {{providers: [mine]}}}}}}
    default-router: frontend-team
    """
    assert [problem.code for problem in problems_of(text, tmp_path)] == [
        "wrong-type",
        "wrong-type",
        "router-name",
        "wrong-type",
    ]


def test_what_was_left_out_makes_nobody_unreachable(tmp_path: Path) -> None:
    text = """\
    ceilings: {rate-limit: {total: {capacity: 5}}}
    auth: {mode: keys, keys: [5], jwt: [{issuer: 'https://id.test', audience: a, routers: [b]}]}
    global: {rate-limit: {total: 5}}
    routers:
      a: {load-balance: {chat: {providers: [openai]}}}
      b: {load-balance: {chat: {providers: [openai]}}}
    """
    assert in_short(problems_of(text, tmp_path)) == ["2:27 wrong-type", "3:30 wrong-type"]


OWNED = """\
include: [teams/*.yaml, other.yaml]
owners:
- {files: 'teams/ml-*.yaml', routers: ['ml-*'], providers: [vllm], names: ['@acme/ml']}
- {files: 'teams/**', routers: [shared]}
routers: {main: {load-balance: {chat: {providers: [openai]}}}}
"""
DEFINED = "{load-balance: {chat: {providers: [openai]}}}"
OWNER_CASES = {
    "what is theirs": (
        "teams/ml-1.yaml",
        (
            f"routers: {{ml-a: {DEFINED}, shared: {DEFINED}}}\n"
            "providers: {vllm: {dialect: openai, base-url: 'http://localhost/v1'}}"
        ),
        [],
    ),
    "what is another's": (
        "teams/ml-1.yaml",
        f"routers: {{ml-a: {DEFINED},\n web: {DEFINED}}}\nproviders: {{openai: {{enabled: true}}}}",
        ["2:2 owner-other", "3:13 owner-other"],
    ),
    "providers where only routers are allowed": (
        "teams/web.yaml",
        f"routers: {{shared: {DEFINED}}}\nproviders: {{openai: {{enabled: true}}}}",
        ["2:13 owner-other"],
    ),
    "a file that nobody owns": ("other.yaml", f"routers: {{shared: {DEFINED}}}", ["1:11 owner-missing"]),
}


@pytest.mark.parametrize("name", OWNER_CASES)
def test_an_included_file_defines_what_its_owner_may(name: str, tmp_path: Path) -> None:
    file, text, expected = OWNER_CASES[name]
    (tmp_path / "teams").mkdir()
    (tmp_path / file).write_text(text)
    problems = [problem for problem in problems_of(OWNED, tmp_path) if problem.code != "include-empty"]
    assert in_short(problems) == expected
    assert all(problem.place.startswith(str(tmp_path / file)) for problem in problems)


def test_every_code_of_a_rule_has_a_case() -> None:
    folder = ROOT / "gateway" / "config"
    cases = (*CASES.values(), *((text, expected) for _, text, expected in OWNER_CASES.values()))
    tried = {line.split()[1] for _, expected in cases for line in expected} | {"key-unsendable"}
    found = 0
    for path in folder.glob("check_*.py"):
        codes = set(re.findall(r"origins\.(?:error|warning)\(\s*\"([a-z-]+)\"", path.read_text("utf-8")))
        found += len(codes)
        twin = Path(__file__).with_name(f"test_{path.name}")
        told = set(re.findall(r"[a-z]+(?:-[a-z]+)*", twin.read_text("utf-8"))) if twin.exists() else set()
        assert codes - tried - told == set(), path.name
    assert found > 30


def test_a_router_that_is_refused_for_its_name_hides_nothing_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text(
        "routers:\n"
        "  frontend-team: {load-balance: {chat: {providers: [echo]}}}\n"
        "  b: {load-balance: {chat: {providers: [ehco]}}}\n"
    )
    _, problems = examine(file, {})
    assert [problem.code for problem in problems] == ["router-name", "provider-unknown"]


def test_a_part_that_lost_what_it_must_have_hides_nothing_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text(
        "default-router: c\n"
        "routers:\n"
        "  a: {budget: {amount: -1, window: day}, load-balance: {chat: {providers: [ehco]}}}\n"
        "  b: 1\n"
    )
    loaded, problems = examine(file, {})
    assert [f"{problem.place.rpartition('.yaml:')[2]} {problem.code}" for problem in problems] == [
        "1:17 router-unknown",
        "3:24 out-of-range",
        "3:76 provider-unknown",
        "4:6 wrong-type",
    ]
    assert loaded is not None
    assert set(loaded.spec.routers) == {"a"}


def test_a_router_that_cannot_be_read_is_not_said_to_be_absent(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text("default-router: b\nrouters:\n  a: {load-balance: {chat: {providers: [echo]}}}\n  b: 1\n")
    assert [problem.code for problem in examine(file, {})[1]] == ["wrong-type"]


def test_a_key_that_no_header_can_carry_is_told_before_it_is_asked_with(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text(ROUTER + "providers: {groq: {keys: ['${env:A}', {value: '${env:B}'}, '${env:C}']}}")
    problems = examine(file, {**KEYS, "A": "sk-1\r\nx-more: 2", "B": "sk-\u043a", "C": "sk-1\n"})[1]
    assert [f"{problem.place.rpartition('.yaml:')[2]} {problem.code}" for problem in problems] == [
        "2:27 key-unsendable",
        "2:39 key-unsendable",
    ]
    assert not any("sk-" in problem.message for problem in problems)


def test_an_entry_that_cannot_be_read_hides_nothing_of_those_in_front_of_it(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text(
        "routers:\n"
        "  a:\n"
        "    load-balance:\n"
        "      chat:\n"
        "        strategy: weighted\n"
        "        providers: [{provider: ehco, weight: 0.3}, {provider: echo, weight: '-1'}, {provider: ecoh}]\n"
    )
    assert [f"{problem.place.rpartition('.yaml:')[2]} {problem.code}" for problem in examine(file, {})[1]] == [
        "6:21 provider-unknown",
        "6:77 bad-format",
    ]


def test_weights_are_not_judged_by_a_strategy_that_was_not_understood(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text(
        "routers:\n"
        "  a: {load-balance: {chat: {strategy: wieghted, providers: [{provider: echo, weight: '1'}]}}}\n"
        "  b: {load-balance: {chat: {strategy: model-wieghted, models: [echo/a]}}}\n"
        "  c: {load-balance: {chat: {providers: [{provider: echo, weight: '1'}]}}}\n"
    )
    assert [f"{problem.place.rpartition('.yaml:')[2]} {problem.code}" for problem in examine(file, {})[1]] == [
        "2:39 not-allowed",
        "3:39 not-allowed",
        "4:66 weight-ignored",
    ]
