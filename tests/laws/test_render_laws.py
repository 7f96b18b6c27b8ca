"""What is rendered is accepted, means the same, and renders to itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.check import examine
from gateway.config.render import effective
from gateway.config.spec import Policies, Provider, Retries, Router, Spec, Timeouts
from gateway.config.yaml_text import yaml_text

ENV: Final = {"A": "5", "OPENAI_API_KEY": "k"}
DURATIONS: Final = st.sampled_from(["250ms", "5s", "2m", "1h"])
BUCKETS: Final = st.fixed_dictionaries(
    {"capacity": st.integers(1, 10**6)},
    optional={"refill-frequency": DURATIONS, "unit": st.sampled_from(["requests", "tokens", "usd"])},
)
LIMITS: Final = st.dictionaries(
    st.sampled_from(["per-api-key", "per-team", "per-end-user", "total"]),
    BUCKETS | st.lists(BUCKETS, min_size=1, max_size=2),
    max_size=2,
)
MODELS: Final = st.text("abc.:/#'-{ é1", min_size=1, max_size=6)
POLICIES: Final[dict[str, st.SearchStrategy[object]]] = {
    "rate-limit": LIMITS,
    "cache": st.fixed_dictionaries(
        {"directive": st.just("max-age=5")}, optional={"scope": st.sampled_from(["caller", "team", "router"])}
    ),
    "retries": st.fixed_dictionaries({}, optional={"max-retries": st.integers(0, 20) | st.just("${env:A}")}),
    "timeouts": st.fixed_dictionaries({}, optional={"connect": DURATIONS, "total": DURATIONS}),
    "on-disconnect": st.sampled_from(["cancel", "finish"]),
    "on-loss": st.sampled_from(["allow", "reject"]),
    "model-mappings": st.dictionaries(MODELS, MODELS | st.lists(MODELS, max_size=2), max_size=2),
}
BALANCE: Final = {"chat": {"strategy": "weighted", "providers": [{"provider": "openai", "weight": "0.7"}, "echo"]}}
ROUTERS: Final = st.fixed_dictionaries({"load-balance": st.just(BALANCE)}, optional=POLICIES)
DOCUMENTS: Final = st.fixed_dictionaries(
    {"routers": st.dictionaries(st.sampled_from(["a", "no", "012", "b-b"]), ROUTERS, min_size=1, max_size=3)},
    optional={
        "global": st.fixed_dictionaries({}, optional=POLICIES),
        "unified-api": st.fixed_dictionaries({}, optional=POLICIES),
        "providers": st.just({"openai": {"keys": ["${env:OPENAI_API_KEY}", "${env:NOT_THERE}"]}, "mistral": None}),
    },
)


def written(document: object) -> str:
    # A reference that is to be read as a number has no quotes.
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False).replace("'${env:A}'", "${env:A}")


def route(router: Policies, everywhere: Policies) -> Policies:
    """What a route has, as assembly puts it together."""
    return msgspec.structs.replace(
        router,
        cache=router.cache or everywhere.cache,
        retries=router.retries or everywhere.retries or Retries(),
        timeouts=router.timeouts or everywhere.timeouts or Timeouts(),
        on_disconnect=router.on_disconnect or everywhere.on_disconnect or "cancel",
        on_loss=router.on_loss or everywhere.on_loss or "allow",
        prompt_cache=router.prompt_cache or everywhere.prompt_cache or "none",
        model_mappings={**(everywhere.model_mappings or {}), **(router.model_mappings or {})},
    )


def routes(spec: Spec) -> dict[str, Policies]:
    found: dict[str, Router] = {**spec.routers, "/ai": spec.unified_api}
    return {name: route(router, spec.global_) for name, router in found.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(document=DOCUMENTS)
def test_what_is_rendered_means_the_same(document: object, tmp_path: Path) -> None:
    file, again = tmp_path / "routers.yaml", tmp_path / "again.yaml"
    file.write_text(written(document), "utf-8")
    loaded, problems = examine(file, ENV)
    assert loaded is not None
    text = yaml_text(effective(loaded))
    again.write_text(text, "utf-8")
    reloaded, further = examine(again, ENV)
    assert reloaded is not None
    assert routes(reloaded.spec) == routes(loaded.spec)
    assert reloaded.spec.providers == {name: tuned or Provider() for name, tuned in loaded.spec.providers.items()}
    assert yaml_text(effective(reloaded)) == text
    errors = [{found.code for found in told if found.level == "error"} for told in (problems, further)]
    assert errors[0] == errors[1]
