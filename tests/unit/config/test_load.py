from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.check import examine
from gateway.config.load import Loaded, load, without
from gateway.config.problem import ConfigError, Problem

SECRET = "sk-very-secret-1234567"


def loaded_from(folder: Path, text: str, env: dict[str, str] | None = None) -> Loaded:
    file = folder / "routers.yaml"
    file.write_text(textwrap.dedent(text), "utf-8")
    return load(file, env or {})


def refused(folder: Path, text: str, env: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded_from(folder, text, env)
    return caught.value


def test_references_reach_the_spec(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    loaded = loaded_from(
        tmp_path,
        """\
        server:
          port: ${env:PORT}
          host: "${env:HOST:-localhost}"
        providers:
          openai:
            keys: ["${env:KEY}", {name: spare, value: "${file:key}"}]
        """,
        {"KEY": "12345", "PORT": "8081"},
    )
    assert (loaded.spec.server.port, loaded.spec.server.host) == (8081, "localhost")
    openai = loaded.spec.providers["openai"]
    assert openai is not None
    assert [key if isinstance(key, str) else key.value for key in openai.keys] == ["12345", "from-file"]
    assert loaded.files == (tmp_path / "routers.yaml", tmp_path / "key")
    assert loaded.variables == {"KEY", "PORT"}


def test_a_key_without_its_variable_is_absent(tmp_path: Path) -> None:
    loaded = loaded_from(
        tmp_path,
        """\
        providers: {openai: {keys: ['${env:A}', {value: '${env:B}'}, '${env:C}']}}
        routers: {a: {load-balance: {chat: {providers: [{provider: openai, keys: ['${env:A}']}]}}}}
        """,
        {"C": "c"},
    )
    openai = loaded.spec.providers["openai"]
    assert openai is not None
    assert openai.keys == ("c",)
    assert [(absent.path[-2:], absent.variable) for absent in loaded.absent] == [
        (("keys", 0), "A"),
        (("keys", 1), "B"),
        (("keys", 0), "A"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {host: '${env:NOT}'}", "routers.yaml:1:16 env-unset"),
        ("server:\n  port: ${env:NOT}", "routers.yaml:2:9 env-unset"),
        ("providers: {openai: {base-url: '${file:/no/such}'}}", "routers.yaml:1:32 file-unreadable"),
        ("providers: {openai: {keys: ['${file:/no/such}']}}", "routers.yaml:1:29 file-unreadable"),
        ("providers: {openai: {keys: ['${KEY}']}}", "routers.yaml:1:29 reference-unknown"),
        ("providers: {openai: {keys: ['${env:NOT:-}']}}", "routers.yaml:1:29 key-empty"),
        ("auth: {keys: [{name: '${env:NOT}', hash: x}]}", "routers.yaml:1:22 env-unset"),
    ],
)
def test_elsewhere_a_reference_to_nothing_is_an_error(text: str, expected: str, tmp_path: Path) -> None:
    problem = refused(tmp_path, text).problems[0]
    assert f"{problem.place.removeprefix(f'{tmp_path}/')} {problem.code}" == expected


def test_no_message_shows_what_came_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    error = refused(
        tmp_path,
        """\
        server: {host: ['${env:KEY}'], drain-timeout: '${env:KEY}', engine: '${env:KEY}', port: '${env:KEY}'}
        store: {url: '${file:key}'}
        auth: {keys: [{name: a, hash: '${env:KEY}'}]}
        providers:
          openai: {base-url: '${env:KEY}', keys: [{valu: '${env:KEY}', value: '${env:KEY}'}], headers: ['${env:KEY}']}
        routers: {a: {load-balance: {chat: {strategy: '${env:KEY}', providers: [{provider: x, weight: '${env:KEY}'}]}}}}
        """,
        {"KEY": SECRET},
    )
    assert len(error.problems) >= 10
    assert SECRET not in str(error)


def test_a_reference_between_braces_is_told_to_take_quotes(tmp_path: Path) -> None:
    [problem] = refused(tmp_path, "server: {port: ${env:PORT}}").problems
    assert (problem.code, problem.hint) == ("yaml-syntax", "inside `{}` and `[]` a reference needs quotes")


def test_the_hash_tells_configs_apart_and_no_secret(tmp_path: Path) -> None:
    text = "providers: {openai: {keys: ['${env:KEY}']}}\nserver: {port: 80, workers: 2}\n"
    first = loaded_from(tmp_path, text, {"KEY": "a"}).hash
    assert len(first) == 12
    assert loaded_from(tmp_path, text, {"KEY": "b"}).hash == first
    assert loaded_from(tmp_path, "server: {workers: 2, port: 80}\n" + text.splitlines()[0]).hash == first
    assert loaded_from(tmp_path, text.replace("80", "81")).hash != first
    assert loaded_from(tmp_path, text.replace("KEY", "CAY")).hash != first


def test_a_split_config_has_the_hash_of_the_whole(tmp_path: Path) -> None:
    router = "a: {load-balance: {chat: {providers: [echo]}}}"
    whole = loaded_from(tmp_path, f"routers: {{{router}}}").hash
    (tmp_path / "part.yaml").write_text(f"routers: {{{router}}}")
    split = loaded_from(tmp_path, "include: part.yaml")
    assert split.hash == whole
    assert split.origins.place(("routers", "a")) == f"{tmp_path}/part.yaml:1:14"


def test_origins_fall_back_to_what_is_above(tmp_path: Path) -> None:
    origins = loaded_from(tmp_path, "server:\n  port: 1\n").origins
    file = tmp_path / "routers.yaml"
    assert origins.place(("server", "port")) == f"{file}:2:9"
    assert origins.key_place(("server", "port")) == f"{file}:2:3"
    assert origins.place(("server", "logging", "level")) == f"{file}:2:3"
    assert origins.key_place(("routers", "a")) == f"{file}:1:1"


def test_leaving_out_a_part_keeps_the_rest_in_place() -> None:
    document = {"a": {"b": 1, "c": [1, 2], "d": {"e": 1}}, "f": 2}
    assert without(document, [("a", "b")]) == {"a": {"c": [1, 2], "d": {"e": 1}}, "f": 2}
    assert without(document, [("a", "c", 1), ("a", "d", "e")]) == {"a": {"b": 1, "c": [1], "d": {}}, "f": 2}
    assert without(document, [("a", "c", 1, "x"), ("a", "c", 0)]) == {"a": {"b": 1, "d": {"e": 1}}, "f": 2}
    assert without(document, [("f",), ("a", "x", "y")]) == {"a": document["a"]}
    assert without(document, [()]) == {}
    assert without([1], [(0,)]) == {}


_KEYS = st.sampled_from(
    ["routers", "providers", "include", "server", "auth", "keys", "a", "load-balance", "chat", "<<"]
)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["${env:A}", "${env:", "${file:/}", "${file:\0}", "*.yaml", "[", "1s", "0.7"]),
)  # fmt: skip
_DOCUMENTS = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)


def outcome(file: Path, env: dict[str, str]) -> Loaded | tuple[Problem, ...]:
    try:
        return load(file, env)
    except ConfigError as error:
        return error.problems


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(text=st.one_of(st.text(), st.text(alphabet="a:-[]{}&*!|>'\"#%@\n\t ,?<$~"), st.binary()))
def test_any_text_is_read_or_refused(text: str | bytes, tmp_path: Path) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert outcome(file, {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(document=_DOCUMENTS)
def test_any_document_is_read_or_refused_and_its_rest_is_checked(document: object, tmp_path: Path) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    found = outcome(file, {"A": "1"})
    _, problems = examine(file, {"A": "1"})
    if isinstance(found, tuple):
        assert any(problem.level == "error" for problem in found)
        assert set(found) <= set(problems)
        assert all(problem.code != "structure" for problem in problems)
