from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.config.load import load

HELICONE = """\
helicone:
  features: all
cache-store:
  type: in-memory
rate-limit-store:
  type: redis
  host-url: redis://:hunter2@localhost:6379
global:
  cache:
    directive: max-age=60, max-stale=30
unified-api:
  rate-limit:
    per-api-key:
      capacity: 10
      refill-frequency: 1m 30s
providers:
  vllm-a:
    base-url: http://vllm.internal:8000/v1
    models: [llama-3]
    version: '1'
  mystery: {models: [x]}
server:
  address: 0.0.0.0
  port: 9000
routers:
  production:
    load-balance:
      chat:
        strategy: weighted
        providers:
          - provider: anthropic
            weight: '0.7'
          - provider: openai
            weight: '0.3'
    cache:
      directive: max-age=3600
      buckets: 10
      seed: s
    retries:
      strategy: constant
      delay: 200ms
      max-retries: 50
    model-mappings:
      gpt-4o: anthropic/claude-sonnet-4-5
    hedging: true
  frontend-team:
    load-balance:
      chat: {strategy: model-latency, models: {gpt-4o: [openai/gpt-4o, vllm-a/llama-3]}}
      video: {strategy: latency, providers: [openai]}
  nowhere:
    load-balance:
      chat: {strategy: random, providers: [unheard-of]}
"""
LITELLM = """\
model_list:
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 60, tpm: 1000, weight: 1}
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: os.environ/AZURE_BASE
      api_key: sk-hunter2
      api_version: 2024-02-01
      weight: 3
      order: 2
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/ANTHROPIC_API_KEY}
    model_info: {mode: chat}
  - model_name: local
    litellm_params: {model: hosted_vllm/llama-3, api_base: 'http://vllm.internal:8000', rpm: 5}
  - model_name: groq/*
    litellm_params: {model: groq/*, api_key: os.environ/GROQ_API_KEY}
  - model_name: lost
    litellm_params: {model: unheard-of/x}
router_settings:
  routing_strategy: simple-shuffle
  num_retries: 3
  timeout: 30
  allowed_fails: 3
  cooldown_time: 0.5
  fallbacks: [{gpt-4o: [claude]}, {nobody: [claude]}]
  redis_host: localhost
  model_group_alias: {gpt-4: gpt-4o}
litellm_settings:
  drop_params: true
  cache: true
  cache_params: {type: redis, ttl: 600}
  success_callback: [langfuse]
general_settings:
  master_key: sk-hunter2
environment_variables: {A: hunter2}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_helicone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "theirs.yaml").write_text(HELICONE)
    assert main(["import", "helicone", "theirs.yaml", "--output", "routers.yaml"]) == 0
    printed = capsys.readouterr()
    assert main(["check", "routers.yaml"]) == 0
    spec = load(folder / "routers.yaml", {}).spec
    assert list(spec.routers) == ["production", "frontend-tea"]
    production = spec.routers["production"]
    assert production.load_balance is not None
    assert production.load_balance.chat is not None
    assert production.load_balance.chat.strategy == "weighted"
    assert (production.cache and production.cache.buckets, production.retries and production.retries.max_retries) == (
        10,
        20,
    )
    limit = spec.unified_api.rate_limit
    assert limit is not None
    assert getattr(limit.per_api_key, "refill_frequency", None) == "90s"
    assert spec.server.port == 9000
    assert printed.out == ""
    assert "hunter2" not in printed.err + (folder / "routers.yaml").read_text()
    for line in (
        "  theirs.yaml:1: helicone: for keys of callers: `auth`, and `gateway keys new`; nothing is sent to Helicone",
        "  theirs.yaml:21: providers.mystery: no such provider is known, and no `base-url` says where it is",
        "  theirs.yaml:45: routers.production.hedging: nothing here does that",
        "  theirs.yaml:49: routers.frontend-team.load-balance.video: there is no such kind of request",
        "  theirs.yaml:46: routers.frontend-team: `frontend-tea`: names have 12 characters here, so its URL is another",
        "  theirs.yaml:50: routers.nowhere: nothing is left that could serve it",
    ):
        assert line in printed.err.splitlines()


def test_litellm(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "theirs.yaml").write_text(LITELLM)
    arguments = ["import", "litellm", "theirs.yaml", "--output", "routers.yaml", "--report", "report.txt"]
    assert main(arguments) == 0
    assert capsys.readouterr() == ("", "")
    text, report = (folder / "routers.yaml").read_text(), (folder / "report.txt").read_text()
    spec = load(folder / "routers.yaml", {"AZURE_BASE": "https://a.invalid/v1"}).spec
    router = spec.routers["litellm"]
    assert spec.default_router == "litellm"
    assert router.model_mappings == {
        "gpt-4o": ("openai/gpt-4o", "azure/gpt-4o-eu", "anthropic/claude-sonnet-4-5"),
        "gpt-4": ("openai/gpt-4o", "azure/gpt-4o-eu", "anthropic/claude-sonnet-4-5"),
        "claude": ("anthropic/claude-sonnet-4-5",),
        "local": ("vllm-1/llama-3",),
    }
    assert router.retries is not None
    assert router.retries.max_retries == 3
    assert router.load_balance is not None
    assert router.load_balance.default is not None
    shares = {getattr(t, "provider", ""): getattr(t, "weight", "") for t in router.load_balance.default.providers or ()}
    assert shares == {"openai": "1", "azure": "3", "anthropic": "1", "vllm-1": "1", "groq": "1"}
    vllm = spec.providers["vllm-1"]
    assert vllm is not None
    assert (vllm.base_url, vllm.breaker.open_for) == ("http://vllm.internal:8000/v1", "500ms")
    assert "&id" not in text
    assert "hunter2" not in text + report
    for line in (
        "  theirs.yaml:8: model_list: gpt-4o.api_key: typed into the file: set AZURE_API_KEY to it",
        "  theirs.yaml:16: model_list: local.rpm: without a key there is none to limit",
        "  theirs.yaml:19: model_list: lost: no provider `unheard-of` is known; define it under `providers`",
        "  theirs.yaml:27: fallbacks: nobody: it names no model of the list",
        "  theirs.yaml:27: fallbacks: gpt-4o: these answer beside the others, not only after them",
        "  theirs.yaml:36: general_settings.master_key: `auth: {mode: keys}`, and a key for each: `gateway keys new`",
    ):
        assert line in report.splitlines()


def test_what_is_made_needs_no_change_of_meaning_to_be_made_again(folder: Path) -> None:
    (folder / "theirs.yaml").write_text(LITELLM)
    for name in ("one.yaml", "two.yaml"):
        assert main(["import", "litellm", "theirs.yaml", "--output", name, "--report", "report.txt"]) == 0
    assert main(["plan", "one.yaml", "two.yaml"]) == 0


@pytest.mark.parametrize(
    "page", sorted((Path(__file__).parents[1] / "config/pages").glob("*.yaml")), ids=lambda p: p.stem
)
def test_the_examples_of_the_routers_page_pass(page: Path, folder: Path) -> None:
    assert main(["import", "helicone", str(page), "--output", "routers.yaml", "--report", "report.txt"]) == 0
    assert main(["check", "routers.yaml"]) == 0


@pytest.mark.parametrize("gateway", ["helicone", "litellm"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "theirs.yaml:1:1: error: it must be a mapping"),
        ("a: [", "theirs.yaml:"),
        ("", "theirs.yaml:1:1: error: the file is empty"),
    ],
)
def test_what_is_no_config(
    gateway: str, text: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "theirs.yaml").write_text(text)
    assert main(["import", gateway, "theirs.yaml"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(said)
    assert printed.out == ""


@pytest.mark.parametrize("gateway", ["helicone", "litellm"])
def test_a_file_of_another_shape_is_reported_and_not_tripped_over(gateway: str, folder: Path) -> None:
    odd = "".join(f"{key}: {value}\n" for key, value in zip(
        ("routers", "global", "providers", "server", "model_list", "router_settings", "litellm_settings", "other"),
        ("[1]", "x", "{a: 1}", "{port: .inf}", "{b: [c]}", "[d]", "null", "{}"), strict=True))  # fmt: skip
    (folder / "theirs.yaml").write_text(odd)
    assert main(["import", gateway, "theirs.yaml", "--output", "routers.yaml", "--report", "report.txt"]) in (0, 1)


def test_a_place_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "theirs.yaml").write_text(LITELLM)
    assert main(["import", "litellm", "theirs.yaml", "--output", "none/routers.yaml"]) == 1
    assert capsys.readouterr().err == "none/routers.yaml: it cannot be written: no such file or directory\n"


CLOUDS = """\
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-gpt4o
      api_base: https://one.openai.azure.com
      api_version: '2024-10-21'
      api_key: os.environ/AZURE_KEY
  - model_name: gpt-4o-mini
    litellm_params:
      model: azure/my-mini
      api_base: https://one.openai.azure.com
      api_version: '2024-10-21'
      api_key: os.environ/AZURE_KEY
  - model_name: gpt-4o
    litellm_params:
      model: azure/other-gpt4o
      api_base: https://two.openai.azure.com
      api_version: '2024-06-01'
      api_key: os.environ/AZURE_KEY_TWO
  - model_name: claude
    litellm_params:
      model: bedrock/anthropic.claude-sonnet-4-5-v1:0
      aws_region_name: eu-central-1
  - model_name: claude-far
    litellm_params:
      model: bedrock/anthropic.claude-opus-4-5-v1:0
      aws_region_name: us-east-1
  - model_name: gemini
    litellm_params:
      model: vertex_ai/gemini-2.5-flash
      vertex_project: os.environ/PROJECT
      vertex_location: europe-west1
"""


def test_litellm_with_accounts_of_clouds(folder: Path) -> None:
    (folder / "theirs.yaml").write_text(CLOUDS)
    arguments = ["import", "litellm", "theirs.yaml", "--output", "routers.yaml", "--report", "report.txt"]
    assert main(arguments) == 0
    spec = load(folder / "routers.yaml", {"PROJECT": "acme"}).spec
    azure, bedrock, vertex = (spec.providers[name] for name in ("azure", "bedrock", "vertex"))
    assert azure is not None
    assert bedrock is not None
    assert vertex is not None
    assert (azure.base_url, azure.api_version) == ("https://one.openai.azure.com", "2024-10-21")
    assert azure.deployments == {"my-gpt4o": "my-gpt4o", "my-mini": "my-mini"}
    assert bedrock.region == "eu-central-1"
    assert (vertex.project, vertex.region) == ("acme", "europe-west1")
    other = next(found for name, found in spec.providers.items() if name.startswith("azure-"))
    assert other is not None
    assert (other.base_url, other.api_version) == ("https://two.openai.azure.com/openai/v1", None)
    report = (folder / "report.txt").read_text().splitlines()
    for line in (
        "  theirs.yaml:6: model_list: gpt-4o.api_version: `providers.azure.api-version`",
        "  theirs.yaml:18: model_list: gpt-4o.api_version: the v1 API is spoken, which has no dates",
        (
            "  theirs.yaml:27: model_list: claude-far.aws_region_name: `providers.bedrock` has another `region` already; "  # noqa: E501
            "define a second one for this"
        ),
        "  theirs.yaml:31: model_list: gemini.vertex_project: `providers.vertex.project`",
    ):
        assert line in report


@pytest.mark.parametrize(("gateway", "text"), [("litellm", LITELLM), ("litellm", CLOUDS), ("helicone", HELICONE)])
def test_every_part_of_the_file_is_in_the_report(
    folder: Path, capsys: pytest.CaptureFixture[str], gateway: str, text: str
) -> None:
    (folder / "theirs.yaml").write_text(text)
    main(["import", gateway, "theirs.yaml", "--output", "routers.yaml"])
    report = capsys.readouterr().err
    told = {int(number) for number in re.findall(r"theirs\.yaml:(\d+)", report)}
    sections = {number for number, line in enumerate(text.splitlines(), 1) if re.match(r"[a-z_-]+: *[^ ]|  - ", line)}
    assert sections <= told, sorted(sections - told)
    assert re.findall(r"^(no equivalent|approximated|carried): \d+$", report, re.MULTILINE) == [
        "no equivalent", "approximated", "carried",
    ]  # fmt: skip
