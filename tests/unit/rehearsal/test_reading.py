from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.config.problem import ConfigError
from gateway.config.schema import schema_text
from gateway.rehearsal.reading import cases_schema, read_play

ROOT = Path(__file__).parents[3]
CONFIG = """\
providers:
  alpha: {dialect: openai, base-url: 'http://alpha.test/v1', models: ['*'], keys: ['${env:ALPHA}']}
routers:
  r: {load-balance: {chat: {providers: [alpha, openai]}}}
store: {url: '${env:REDIS_URL}'}
"""
CASE = "{name: a, traffic: [{router: r, model: m}], expect: {status: {200: 1}}}"


def problems(folder: Path, text: str, config: str = CONFIG) -> list[str]:
    (folder / "routers.yaml").write_text(config)
    (folder / "a.test.yaml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_play(folder / "a.test.yaml")
    return [str(problem).replace(f"{folder}/", "").partition("\n")[0] for problem in raised.value.problems]


def of_case(folder: Path, members: str) -> list[str]:
    """The problems of a case that has these members beside its name."""
    return problems(folder, f"config: routers.yaml\ncases:\n  - name: a\n    {members}\n")


GOOD_TRAFFIC = "traffic: [{router: r, model: m}]"
GOOD_EXPECT = "expect: {status: {200: 1}}"


def test_credentials_are_made_up_for_whatever_the_config_refers_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the machine's own")
    (tmp_path / "routers.yaml").write_text(CONFIG)
    (tmp_path / "a.test.yaml").write_text(f"config: routers.yaml\nenv: {{GIVEN: x}}\ncases: [{CASE}]\n")
    play = read_play(tmp_path / "a.test.yaml")
    assert play.parts[0].env == {
        "ALPHA": "made-up-value-of-alpha",
        "OPENAI_API_KEY": "made-up-value-of-openai-api-key",
        "REDIS_URL": "memory://",
        "GIVEN": "x",
    }
    assert play.parts[0].loaded.absent == ()
    assert play.files == (tmp_path / "a.test.yaml", tmp_path / "routers.yaml")


def test_a_case_that_asserts_nothing_is_an_error(tmp_path: Path) -> None:
    for expect in ("{}", "{latency: {}}", "{replies: [{request: 1}]}", "{status: {}}"):
        assert of_case(tmp_path, f"{GOOD_TRAFFIC}\n    expect: {expect}") == [
            "a.test.yaml:5:13: error: cases[0].expect: this case passes whatever happens"
        ]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (f"{GOOD_TRAFFIC}\n    expect: {{statuss: 1}}",
         'a.test.yaml:5:14: error: cases[0].expect.statuss: unknown key "statuss"; did you mean "status"?'),
        (f"{GOOD_TRAFFIC}\n    expect: {{status: {{200: many}}}}",
         "a.test.yaml:5:28: error: cases[0].expect.status.200: this is not what is expected here"),
        (f"{GOOD_TRAFFIC}\n    expect: {{status: {{2000: 1}}}}",
         "a.test.yaml:5:23: error: cases[0].expect.status.2000: `2000` is not a status"),
        (f"traffic: [{{router: s}}]\n    {GOOD_EXPECT}",
         "a.test.yaml:4:24: error: cases[0].traffic[0].router: there is no such router"),
        (f"traffic: [{{router: r, key: ann}}]\n    {GOOD_EXPECT}",
         "a.test.yaml:4:32: error: cases[0].traffic[0].key: there is no gateway key of this name"),
        (f"traffic: [{{router: r, rate: 1/s}}]\n    {GOOD_EXPECT}",
         "a.test.yaml:4:33: error: cases[0].traffic[0].rate: this never ends"),
        (f"traffic: [{{router: r, rate: 1/s, at: [1s], count: 1}}]\n    {GOOD_EXPECT}",
         "a.test.yaml:4:42: error: cases[0].traffic[0].at: `rate` and `at` exclude each other"),
        (f"traffic: [{{router: r, for: 1s}}]\n    {GOOD_EXPECT}",
         "a.test.yaml:4:27: error: cases[0].traffic[0].for: `for` goes with `rate`"),
        (f"{GOOD_TRAFFIC}\n    expect: {{calls: {{omega: 1}}}}",
         "a.test.yaml:5:22: error: cases[0].expect.calls.omega: there is no provider `omega`"),
        (f"providers: {{omega: []}}\n    {GOOD_TRAFFIC}\n    {GOOD_EXPECT}",
         "a.test.yaml:4:17: error: cases[0].providers.omega: there is no provider `omega`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, members: str, said: str) -> None:
    assert of_case(tmp_path, members) == [said]


def test_a_name_is_used_once(tmp_path: Path) -> None:
    text = f"config: routers.yaml\ncases:\n  - {CASE}\n  - {CASE}\n"
    assert problems(tmp_path, text) == ["a.test.yaml:4:12: error: cases[1].name: this name is used a second time"]


def test_a_config_that_is_not_there_or_broken(tmp_path: Path) -> None:
    assert problems(tmp_path, f"config: other.yaml\ncases: [{CASE}]\n") == [
        "a.test.yaml:1:9: error: config: there is no such file"
    ]
    broken = problems(tmp_path, f"config: routers.yaml\ncases: [{CASE}]\n", "routers: {r: 1}\n")
    assert broken == ["routers.yaml:1:14: error: routers.r: must be a mapping, not a number"]


def test_numbers_are_keys_only_where_a_status_stands(tmp_path: Path) -> None:
    text = f"config: routers.yaml\nenv: {{5: x}}\ncases: [{CASE}]\n"
    assert problems(tmp_path, text) == ["a.test.yaml:2:7: error: env: a key must be text, and this one is not"]


def test_the_schema_in_the_tree_is_the_one_of_the_structs() -> None:
    text = schema_text(cases_schema())
    assert (ROOT / "schemas" / "policy-test.schema.json").read_text("utf-8") == text, "run: make schema"
    Draft202012Validator.check_schema(json.loads(text))


def test_every_key_is_described_and_nothing_unknown_is_let_in() -> None:
    schema = cases_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    mappings = {"*.test.yaml": schema, **definitions}
    bare = [
        f"{name}.{key}"
        for name, mapping in mappings.items()
        for key, rule in mapping["properties"].items()
        if not rule.get("description")
    ]
    assert bare == []
    assert all(mapping["additionalProperties"] is False for mapping in mappings.values())


@pytest.mark.parametrize(
    ("more", "members", "said"),
    [
        ("", "quotas: {'key:ann': 1}", "5:5: error: cases[0].quotas: nobody pays in advance here"),
        ("quotas: {consumers: [team]}\nledger: {}\n", "quotas: {'key:ann': 1}",
         "5:14: error: cases[0].quotas[\"key:ann\"]: no key's balance is looked at"),
        ("quotas: {}\nledger: {}\n", "quotas: {'key:anna': 1}",
         "5:14: error: cases[0].quotas[\"key:anna\"]: there is no key of this name"),
        ("quotas: {}\nledger: {}\n", "quotas: {ann: 1}", "5:14: error: cases[0].quotas.ann: "),
        ("quotas: {}\nledger: {}\n", "quotas: {'key:ann': -1}", "5:25: error: cases[0].quotas[\"key:ann\"]: "),
    ],
)  # fmt: skip
def test_quotas_of_nobody_are_told(tmp_path: Path, more: str, members: str, said: str) -> None:
    found = problems(
        tmp_path, f"config: routers.yaml\ncases:\n  - name: a\n    {GOOD_TRAFFIC}\n    {members}\n    {GOOD_EXPECT}\n",
        f"{CONFIG}auth: {{mode: keys, keys: [{{name: ann, hash: 'sha256:{'0' * 64}'}}]}}\n{more}",
    )  # fmt: skip
    assert [problem[: len(said) + len("a.test.yaml:")] for problem in found] == [f"a.test.yaml:{said}"]


def test_accounts_that_are_not_there_are_told(tmp_path: Path) -> None:
    text = f"""config: routers.yaml
cases:
  - name: a
    {GOOD_TRAFFIC}
    expect:
      accounts:
        - {{of: 'key:ann', left: 1}}
        - {{of: 'router:r', window: month, spent: 0}}
"""
    config = CONFIG.replace("r: {", "r: {budget: {amount: 5, window: day}, ", 1)
    assert config != CONFIG
    assert problems(tmp_path, text, config) == [
        "a.test.yaml:7:16: error: cases[0].expect.accounts[0].of: key:ann has no balance in this case",
        "a.test.yaml:8:36: error: cases[0].expect.accounts[1].window: router:r has no budget of this window",
    ]
