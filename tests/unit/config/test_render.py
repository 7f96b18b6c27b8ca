from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.check import loaded_and_checked
from gateway.config.load import load
from gateway.config.problem import Path as DocumentPath
from gateway.config.render import Value, effective
from gateway.config.yaml_text import yaml_text

PAGES = Path(__file__).parent / "pages"
ROOT = Path(__file__).parents[3]
ENV = {"OPENAI_API_KEY": "hush-openai", "PORT": "9000", "PASSWORD": "hush-password"}
MAIN = """\
include: teams/*.yaml
server: {workers: 2}
store: {url: 'redis://:${env:PASSWORD}@localhost:6379/0'}
auth:
  mode: keys
  pepper: hush-pepper-0123456789
  keys-file: keys.yaml
providers:
  openai:
    keys:
    - '${env:OPENAI_API_KEY}'
    - {value: '${env:NOT_THERE}', name: spare}
    - hush-typed
    headers: {x-a: "a: b", authorization: hush-header}
  anthropic:
global:
  timeouts: {total: 5m}
  model-mappings: {a: openai/x, b: openai/y}
  rate-limit: {total: {capacity: 5}}
routers:
  own:
    timeouts: {idle: 9s}
    model-mappings: {b: openai/z}
    load-balance: {chat: {strategy: weighted, providers: [{provider: openai, weight: '0.5'}, anthropic]}}
"""
TEAM = """\
routers:
  team:
    cache: {directive: max-age=5}
    load-balance: {chat: {providers: [{provider: openai, keys: ['${file:key.txt}']}]}}
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "teams").mkdir()
    (tmp_path / "routers.yaml").write_text(MAIN)
    (tmp_path / "teams" / "a.yaml").write_text(TEAM)
    (tmp_path / "teams" / "key.txt").write_text("hush-file")
    (tmp_path / "keys.yaml").write_text(f"- {{name: k, hash: 'sha256:{'0' * 64}'}}\n")
    return tmp_path


def at(value: Value, *path: str | int) -> Value:
    for part in path:
        assert isinstance(value.value, dict | list)
        value = value.value[part]  # type: ignore[index]  # a key of a mapping, an index of a list
    return value


def said(folder: Path, *path: str | int) -> tuple[object, str]:
    found = at(effective(load(folder / "routers.yaml", ENV)), *path)
    return found.plain(), found.origin.removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        (("server", "workers"), 2, "routers.yaml:2"),
        (("server", "port"), 8080, "default"),
        (("global", "timeouts", "total"), "5m", "routers.yaml:17"),
        (("global", "timeouts", "idle"), "30s", "default"),
        (("routers", "team", "timeouts", "total"), "5m", "routers.yaml:17"),
        (("routers", "own", "timeouts", "total"), "10m", "default"),
        (("routers", "own", "timeouts", "idle"), "9s", "routers.yaml:22"),
        (("routers", "own", "model-mappings"), {"a": "openai/x", "b": "openai/z"}, "routers.yaml:23"),
        (("routers", "own", "model-mappings", "a"), "openai/x", "routers.yaml:18"),
        (("routers", "team", "retries", "max-retries"), 2, "default"),
        (("routers", "team", "cache", "directive"), "max-age=5", "teams/a.yaml:3"),
        (("routers", "own", "load-balance", "chat", "providers", 0, "priority"), 0, "default"),
        (("routers", "own", "load-balance", "chat", "providers", 1), "anthropic", "routers.yaml:24"),
        (("providers", "anthropic", "enabled"), True, "default"),
        (("auth", "keys", 0, "name"), "k", "keys.yaml:1"),
    ],
)
def test_each_value_says_where_it_is_from(house: Path, path: DocumentPath, value: object, origin: str) -> None:
    assert said(house, *path) == (value, origin)


def test_no_secret_is_in_it(house: Path) -> None:
    text = yaml_text(effective(load(house / "routers.yaml", ENV)), origins=True)
    assert "hush" not in text
    assert said(house, "providers", "openai", "keys")[0] == [
        "${env:OPENAI_API_KEY}",
        {"value": "${env:NOT_THERE}", "name": "spare"},
        "***",
    ]
    assert said(house, "providers", "openai", "headers")[0] == {"x-a": "a: b", "authorization": "***"}
    assert said(house, "auth", "pepper")[0] == "***"
    assert said(house, "store", "url")[0] == "redis://:${env:PASSWORD}@localhost:6379/0"


def test_what_was_included_is_in_it_and_found_from_the_main_file(house: Path) -> None:
    document = effective(load(house / "routers.yaml", ENV))
    assert isinstance(document.value, dict)
    assert "include" not in document.value
    assert said(house, "routers", "team", "load-balance", "chat", "providers", 0, "keys", 0)[0] == (
        "${file:teams/key.txt}"
    )
    auth = at(document, "auth")
    assert isinstance(auth.value, dict)
    assert "keys-file" not in auth.value


def test_limits_are_not_handed_down(house: Path) -> None:
    router = at(effective(load(house / "routers.yaml", ENV)), "routers", "team")
    assert isinstance(router.value, dict)
    assert "rate-limit" not in router.value


def test_it_means_the_same_by_itself(house: Path) -> None:
    first = yaml_text(effective(load(house / "routers.yaml", ENV)))
    (house / "rendered.yaml").write_text(first.replace("***", "${env:PASSWORD}"))
    loaded, _ = loaded_and_checked(house / "rendered.yaml", ENV | {"PASSWORD": "long-enough-for-a-pepper"})
    again = yaml_text(effective(loaded))
    assert again == first.replace("***", "${env:PASSWORD}")
    assert list(loaded.spec.routers) == ["own", "team"]


@pytest.mark.parametrize("file", [ROOT / "routers.yaml", PAGES / "basic.yaml", PAGES / "environments.yaml"], ids=str)
def test_files_that_ship_render_to_what_is_accepted(file: Path, tmp_path: Path) -> None:
    text = yaml_text(effective(load(file, ENV)), origins=True)
    (tmp_path / "routers.yaml").write_text(text)
    loaded, _ = loaded_and_checked(tmp_path / "routers.yaml", ENV)
    assert yaml_text(effective(loaded)) == yaml_text(effective(load(file, ENV)))
    balances = {name: router.load_balance for name, router in loaded.spec.routers.items()}
    assert balances == {name: router.load_balance for name, router in load(file, ENV).spec.routers.items()}


def test_a_reference_without_quotes_stays_a_number(tmp_path: Path) -> None:
    (tmp_path / "routers.yaml").write_text(
        "server:\n  port: ${env:PORT}\nrouters: {a: {load-balance: {chat: {providers: [echo]}}}}\n"
    )
    text = yaml_text(effective(load(tmp_path / "routers.yaml", ENV)))
    assert "  port: ${env:PORT}\n" in text
    (tmp_path / "again.yaml").write_text(text)
    assert load(tmp_path / "again.yaml", ENV).spec.server.port == 9000


def test_virtual_models_are_handed_down_by_name(tmp_path: Path) -> None:
    file = tmp_path / "routers.yaml"
    file.write_text(
        "global: {virtual-models: {auto: [{to: openai/a}], smart: [{to: auto}]}}\n"
        "routers: {r: {virtual-models: {auto: [{to: openai/b}]}, load-balance: {chat: {providers: [openai]}}}}\n"
    )
    rendered = effective(load(file, {}))
    assert at(rendered, "routers", "r", "virtual-models", "auto", 0, "to").value == "openai/b"
    assert at(rendered, "routers", "r", "virtual-models", "smart", 0, "to").value == "auto"
    assert at(rendered, "unified-api", "virtual-models", "auto", 0, "to").value == "openai/a"
