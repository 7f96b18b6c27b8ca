from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.config.schema import schema_text
from gateway.config.structure import PLANNED

CHAT = "routers: {{a: {{load-balance: {{chat: {}}}}}}}"


def told(text: str, folder: Path) -> list[str]:
    file = folder / "routers.yaml"
    file.write_text(textwrap.dedent(text), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    return [
        f"{problem.place.rpartition('.yaml:')[2]} {problem.code}: {problem.message}"
        for problem in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("routers: {a: {ratelimit: {}}}", '1:15 unknown-key: unknown key "ratelimit"; did you mean "rate-limit"?'),
        (
            "routers: {a: {load_balance: {}}}",
            '1:15 unknown-key: unknown key "load_balance"; did you mean "load-balance"?',
        ),
        ("shadow: 1", '1:1 unknown-key: "shadow" is a name kept for a later version; this one does not have it'),
        ("budget: 1", '1:1 unknown-key: unknown key "budget"'),
        ("zzz: 1", '1:1 unknown-key: unknown key "zzz"'),
        ("server: {port: '80'}", "1:16 wrong-type: must be a whole number, not text"),
        ("server: {port: 1.5}", "1:16 wrong-type: must be a whole number, not a number with a decimal point"),
        ("server: {port: 80.0}", "1:16 wrong-type: must be a whole number, not a number with a decimal point"),
        ("server: []", "1:9 wrong-type: must be a mapping, not a list"),
        ("routers:", "1:9 wrong-type: must be a mapping, not nothing"),
        ("routers: {a: }", "1:14 wrong-type: must be a mapping, not nothing"),
        ("[]", "1:1 wrong-type: must be a mapping, not a list"),
        ("text", "1:1 wrong-type: must be a mapping, not text"),
        ("server: {port: 70000}", "1:16 out-of-range: must be at most 65535"),
        ("server: {port: -1}", "1:16 out-of-range: must be at least 0"),
        ("teams: {a: {budget: {amount: 0, window: day}}}", "1:30 out-of-range: must be more than 0"),
        ("auth: {jwt: [{issuer: '', audience: a}]}", "1:23 out-of-range: must not be empty"),
        ("server: {drain-timeout: 30}", "1:25 wrong-type: must be text, not a number"),
        ("server: {drain-timeout: 30 s}", "1:25 bad-format: `30 s` is not a duration"),
        ("server: {max-body-size: 3 MiB}", "1:25 bad-format: `3 MiB` is not a size"),
        (
            "server: {engine: grannian}",
            "1:18 not-allowed: `grannian` is not one of the values allowed; did you mean `granian`?",
        ),
        ("auth: {mode: secret}", "1:14 not-allowed: `secret` is not one of the values allowed"),
        ("auth: {mode: 1}", "1:14 not-allowed: a number is not one of the values allowed"),
        ("auth: {keys: [{}]}", "1:15 missing: `name` is missing"),
        ("auth: {jwt: [{}]}", "1:14 missing: `issuer` and `audience` are missing"),
        (
            "auth: {keys: [{name: a, expires: 31.1.2027}]}",
            "1:34 bad-format: `31.1.2027` is not a day or a moment",
        ),
        ("auth: {keys: [{name: a, hash: sk-1}]}", "1:31 bad-format: this is not the hash of a key"),
        ("store: {url: mysql://u:p@h}", "1:14 bad-format: this is not the URL of a store"),
        ("providers: {a: {base-url: ftp://x}}", "1:27 bad-format: this is not a URL"),
        (CHAT.format("{providers: [{provider: a, weight: x}]}"), "1:71 bad-format: `x` is not a weight"),
        (CHAT.format("{providers: [{provider: a, weight: -1}]}"), "1:71 out-of-range: must be at least 0"),
        (
            CHAT.format("{providers: [{provider: a, wieght: 1}]}"),
            '1:63 unknown-key: unknown key "wieght"; did you mean "weight"?',
        ),
        (CHAT.format("{providers: [5]}"), "1:49 wrong-type: must be text or a mapping, not a number"),
        (CHAT.format("{providers: openai}"), "1:48 wrong-type: must be a list, not text"),
        (CHAT.format("{providers: [{weight: 1}]}"), "1:49 missing: `provider` is missing"),
        (
            "global: {rate-limit: {total: [{capacity: 0}]}}",
            "1:42 out-of-range: must be at least 1",
        ),
        (
            "global: {rate-limit: {total: {capacity: 1000000000000000000}}}",
            "1:41 out-of-range: is larger than any number here",
        ),
        ("global: {rate-limit: {total: {capacity: 'many'}}}", "1:41 wrong-type: must be a number, not text"),
        ("global: {rate-limit: {total: {}}}", "1:30 missing: `capacity` is missing"),
        (
            "routers: {very-long-router-name: {}}",
            "1:11 router-name: `very-long-router-name` is 21 characters; a router name has 1 to 12 of A-Z a-z 0-9 _ -",
        ),
        (
            "routers: {team@prod: {}}",
            "1:11 router-name: `team@prod` has `@` in it; a router name has 1 to 12 of A-Z a-z 0-9 _ -",
        ),
        (
            "routers: {a b: {}}",
            "1:11 router-name: `a b` has a space in it; a router name has 1 to 12 of A-Z a-z 0-9 _ -",
        ),
    ],
)
def test_a_mistake_is_told_in_plain_words(text: str, expected: str, tmp_path: Path) -> None:
    assert told(text, tmp_path) == [expected]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = """\
    server: {prot: 1, engine: x}
    routers:
      frontend-team: {cache: {}}
      a:
        retries: {factor: 0.5, max-retries: '2'}
      a: {}
    """
    assert [line.partition(":")[0] + " " + line.split()[1] for line in told(text, tmp_path)] == [
        "1 unknown-key:",
        "1 not-allowed:",
        "3 router-name:",
        "3 missing:",
        "5 out-of-range:",
        "5 wrong-type:",
        "6 key-twice:",
    ]


def test_no_key_that_is_there_is_called_one_of_a_later_version() -> None:
    assert not [key for key in PLANNED if f'"{key}":' in schema_text()]
