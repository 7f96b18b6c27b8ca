"""What an editor shows while routers.yaml and its tests are written, asked of a real language server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.language_server import LanguageServer, language_server

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "node_modules" / ".bin" / "yaml-language-server"
CONFIG = ROOT / "schemas" / "routers.schema.json"
TESTS = ROOT / "schemas" / "policy-test.schema.json"


@pytest.fixture(scope="module")
def program() -> Path:
    if shutil.which("node") is None:
        pytest.skip("no node")
    if not PROGRAM.exists():
        pytest.skip("no yaml-language-server: .ci/fetch-tools fetches it")
    return PROGRAM


@pytest.fixture(scope="module")
def config(program: Path) -> Iterator[LanguageServer]:
    with language_server(program, CONFIG) as server:
        yield server


@pytest.fixture(scope="module")
def tests(program: Path) -> Iterator[LanguageServer]:
    with language_server(program, TESTS) as server:
        yield server


def described(schema: Path) -> dict[str, dict[str, Any]]:
    """The keys of each mapping in a schema, by its name; of the whole file, by ``."""
    read = json.loads(schema.read_text("utf-8"))
    mappings = {"": read, **read["$defs"]}
    return {name: mapping["properties"] for name, mapping in mappings.items() if "properties" in mapping}


BALANCE = "routers:\n  a:\n    load-balance:\n      chat:\n        "
CASE = "config: routers.yaml\ncases:\n  - name: a\n    "


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        pytest.param(f"{BALANCE}strategy: |", ["latency", "priority", "weighted"], id="words"),
        pytest.param("providers:\n  openai:\n    enabled: |", ["true", "false"], id="true or false"),
        pytest.param("server:\n  port: |", ["8080"], id="a number's default"),
        pytest.param("global:\n  timeouts:\n    total: |", ["10m", "30s"], id="a duration's default and example"),
        pytest.param("server:\n  max-body-size: |", ["32MiB"], id="a size"),
        pytest.param("routers:\n  a:\n    cache:\n      directive: |", ["max-age=3600"], id="text with an example"),
        pytest.param("routers:\n  a:\n    on-loss: |", ["allow", "reject"], id="words or nothing"),
        pytest.param(f"{BALANCE}providers:\n          - |", ["provider", "weight", "model"], id="an entry of a list"),
    ],
)
def test_values_are_offered(config: LanguageServer, text: str, offered: list[str]) -> None:
    assert set(offered) <= set(config.completions(text))


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        pytest.param(f"{CASE}traffic:\n      - {{rate: |", ["10/s"], id="a rate"),
        pytest.param(
            f"{CASE}providers:\n      openai:\n        - fault: |", ["refused", "reset", "hang"], id="a fault"
        ),
        pytest.param(f"{CASE}expect:\n      breakers:\n        - state: |", ["open", "closed"], id="a state"),
        pytest.param(f"{CASE}expect:\n      |", ["status", "share", "limited", "received"], id="expectations"),
    ],
)
def test_values_of_policy_tests_are_offered(tests: LanguageServer, text: str, offered: list[str]) -> None:
    assert set(offered) <= set(tests.completions(text))


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("|", ""),
        ("server:\n  |", "Server"),
        ("auth:\n  |", "AuthSettings"),
        ("store:\n  |", "StoreSettings"),
        ("global:\n  |", "Policies"),
        ("global:\n  timeouts:\n    |", "Timeouts"),
        ("global:\n  retries:\n    |", "Retries"),
        ("global:\n  cache:\n    |", "Cache"),
        ("providers:\n  openai:\n    |", "Provider"),
        ("providers:\n  openai:\n    breaker:\n      |", "Breaker"),
        ("routers:\n  a:\n    |", "Router"),
        (f"{BALANCE}|", "Balance"),
        ("ceilings:\n  |", "Ceilings"),
    ],
)
def test_every_key_of_a_mapping_is_offered_with_its_description(
    config: LanguageServer, text: str, mapping: str
) -> None:
    offered = config.completions(text)
    keys = described(CONFIG)[mapping]
    assert {key: offered[key]["documentation"] for key in keys} == {key: keys[key]["description"] for key in keys}


def test_a_key_comes_with_its_default(config: LanguageServer) -> None:
    assert config.completions("server:\n  |")["port"]["insertText"] == "port: ${1:8080}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("serv|er: {port: 8080}\n", "Where the gateway listens and what it accepts."),
        ("server: {po|rt: 8080}\n", "The TCP port."),
        (f"{BALANCE}strat|egy: latency\n", "* `weighted`"),
        ("global: {timeouts: {tot|al: 5s}}\n", "```yaml\n30s\n```"),
    ],
)
def test_a_key_is_explained(config: LanguageServer, text: str, shown: str) -> None:
    assert shown in config.hover(text)


def test_a_key_of_policy_tests_is_explained(tests: LanguageServer) -> None:
    assert "Of all chance in it." in tests.hover(f"{CASE}se|ed: 1\n")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("routers:\n  a:\n    load-balanse: {}\n", 4, "Property load-balanse is not allowed."),
        ("server:\n  port: http\n", 3, 'Incorrect type. Expected "integer".'),
        ("server:\n  port: 70000\n", 3, "Value is above the maximum of 65535."),
        (f"{BALANCE}providers: [echo]\n        strategy: fastest\n", 7, "Value is not accepted. Valid values: "),
        ("global: {timeouts: {total: soon}}\n", 2, "Expected a duration: `250ms`, `1s`, `5m`, `1h`, `30d`."),
        ("server: {max-body-size: big}\n", 2, "Expected a size: `64KiB`, `32MiB`."),
    ],
)
def test_a_mistake_is_told_at_its_line(config: LanguageServer, text: str, line: int, said: str) -> None:
    found = config.problems(text)
    assert [place for place, _ in found] == [line]
    assert said in found[0][1]


def test_a_mistake_in_a_policy_test_is_told_at_its_line(tests: LanguageServer) -> None:
    text = f"{CASE}traffic: [{{rate: 10}}]\n    expekt: {{}}\n"
    assert sorted(line for line, _ in tests.problems(text)) == [4, 5, 6]


def test_the_shipped_files_have_no_mistakes(config: LanguageServer, tests: LanguageServer) -> None:
    for server, name in ((config, "routers.yaml"), (tests, "routers.test.yaml")):
        assert server.problems((ROOT / name).read_text("utf-8")) == []


@pytest.mark.parametrize("schema", [CONFIG, TESTS], ids=lambda path: path.name)
def test_every_key_has_a_description_and_a_default_unless_it_is_demanded(schema: Path) -> None:
    read = json.loads(schema.read_text("utf-8"))
    demanded = {name: set(mapping.get("required", ())) for name, mapping in {"": read, **read["$defs"]}.items()}
    bare = [
        f"{name}.{key}"
        for name, keys in described(schema).items()
        for key, rule in keys.items()
        if not rule.get("description") or not ("default" in rule or "$ref" in rule or key in demanded[name])
    ]
    assert bare == []
