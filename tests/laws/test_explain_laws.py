"""An explanation is true: the target that it names first is the one that is asked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.decision import Decision, decision_of
from gateway.cli.dry_run import dry_run
from gateway.config.check import loaded_and_checked
from gateway.config.problem import ConfigError
from gateway.dialects.sniff import read_call
from gateway.rehearsal.virtual_time import run_virtual, virtual_clock
from tests.support.house import ANTHROPIC, GEMINI, GROQ, KEYS, MISTRAL, OPENAI, Served
from tests.support.scripted import ok

HOSTS = {OPENAI: "openai", ANTHROPIC: "anthropic", GEMINI: "gemini", GROQ: "groq", MISTRAL: "mistral"}
MODELS = ["gpt-4o", "gpt-4.1-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "mistral-large-latest", "nobodys-model"]
PATHS = ["/chat/completions", "/v1/messages", "/v1/responses", "/v1/messages/count_tokens"]

targets = st.builds(
    lambda provider, model, weight, priority: {
        "provider": f"{provider}/{model}" if model else provider,
        "weight": weight,
        "priority": priority,
    },
    st.sampled_from(sorted(HOSTS.values())),
    st.sampled_from(["", "", *MODELS]),
    st.integers(1, 5),
    st.integers(0, 2),
)
configs = st.builds(
    lambda strategy, listed, mappings, on_loss, caps: {
        "routers": {
            "r": {
                "load-balance": {"chat": {"strategy": strategy, "providers": listed}},
                "model-mappings": mappings,
                "on-loss": on_loss,
                **caps,
            }
        }
    },
    st.sampled_from(["weighted", "latency", "priority", "least-busy"]),
    st.lists(targets, min_size=1, max_size=5, unique_by=lambda target: target["provider"]),
    st.dictionaries(st.sampled_from(MODELS), st.sampled_from([f"openai/{MODELS[0]}", f"anthropic/{MODELS[2]}"])),
    st.sampled_from(["allow", "reject"]),
    st.sampled_from(
        [
            {},
            {"cache": {"directive": "max-age=60"}},
            {"rate-limit": {"total": {"unit": "tokens", "capacity": 60, "refill-frequency": "1m"}}},
        ]
    ),
)
bodies = st.fixed_dictionaries(
    {"model": st.sampled_from(MODELS)},
    optional={
        "seed": st.just(7),
        "temperature": st.just(1.5),
        "stream": st.booleans(),
        "n": st.just(2),
        "max_tokens": st.sampled_from([16, 100]),
    },
)
environments = st.sets(st.sampled_from([name for name in KEYS if name.endswith("_API_KEY")]), min_size=2).map(
    lambda names: {name: KEYS[name] for name in sorted(names)}
)


@settings(max_examples=100)
@given(configs, st.sampled_from(PATHS), bodies, environments)
def test_the_first_that_is_named_is_the_first_that_is_asked(
    config: dict[str, Any], path: str, asked: dict[str, Any], env: dict[str, str]
) -> None:
    message = [{"role": "user", "content": "Hi"}]
    body = asked | ({"input": "Hi"} if path.endswith("responses") else {"messages": message})
    with tempfile.TemporaryDirectory() as folder:
        run_virtual(_compare(Path(folder), msgspec.json.encode(config).decode(), path, body, env))


async def _compare(folder: Path, text: str, path: str, body: dict[str, Any], env: dict[str, str]) -> None:
    try:
        served = Served(folder, text, env)
    except ConfigError:
        return
    for host in HOSTS:
        served.upstream.on(host, ok())
    decision = await _explained(served.path, path, body, env)
    response = await served.client.post(f"/router/r{path}", body)
    first = next(iter(served.upstream.sent), None)
    if first is None:
        assert (decision.error is not None) == (response.status != 200)
        if decision.error is not None:
            assert response.headers["x-gateway-error"] == decision.error.code
        assert not [line for line in decision.targets if line.turn]
        return
    named = decision.targets[0]
    assert (named.turn, named.note.provider) == (1, next(name for host, name in HOSTS.items() if host in first.url))
    assert decision.serves
    if named.note.dialect != "gemini":
        assert msgspec.json.decode(first.body)["model"] == named.note.model


async def _explained(config: Path, path: str, body: dict[str, Any], env: dict[str, str]) -> Decision:
    loaded, _ = loaded_and_checked(config, env)
    raw = msgspec.json.encode(body)
    call = read_call("POST", path, b"", b"application/json", raw)
    outcome = await dry_run(loaded, env, virtual_clock(), "r", call, ("POST", path, raw))
    return decision_of(loaded, outcome, key="", faults={}, assumed_keys=False)
