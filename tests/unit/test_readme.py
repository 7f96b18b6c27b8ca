"""What the pages say is so: configs pass the check, links lead somewhere, and each curl is answered as shown."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from gateway.app import application
from gateway.assemble.house import assemble
from gateway.config.check import examine, loaded_and_checked
from gateway.config.spec import Spec
from gateway.gateway import Gateway
from gateway.providers.catalog import CATALOG
from gateway.runtime import Runtime
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.upstream.echo import EchoTransport
from tests.support.asgi_client import AsgiClient, Response
from tests.support.scripted import ScriptedTransport
from tests.support.virtual_time import virtual_clock

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
README: Final = (ROOT / "README.md").read_text("utf-8")
TOP_KEYS: Final = {field.encode_name for field in msgspec.structs.fields(Spec)}
BASE: Final = "http://127.0.0.1:8080"
ENV: Final = {
    "REDIS_URL": "redis://redis:6379", "OTEL_TOKEN": "token-0000", "AUDIT_KEY": "0" * 43, "AUDIT_KEY_2025": "1" * 43,
    "LEDGER_PASSWORD": "word-0000", "ONCALL_URL": "https://oncall.test/1", "ONCALL_SECRET": "s" * 32,
    "SLACK_URL": "https://slack.test/1", "POSTGRES_PASSWORD": "word-0000",
}  # fmt: skip
"""What the shown configs refer to and cannot do without."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The sections of a page, as Markdown renderers name them."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/routing.md", "docs/adr/0002-upstream-engine.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    here = ROOT / page
    text = here.read_text("utf-8")
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (here.parent / path).resolve() if path else here
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            dead.append(link)
    assert dead == []


CONFIGS: Final = [
    (page, text)
    for page in PAGES
    # The tutorial shows a mistake, and its own test plays every block of it.
    if page != "docs/tutorial-config-change.md"
    for text in blocks(page, "yaml")
    # Policy tests name the config that they are about; tests/unit/cli/test_test.py plays them. A chart's values are
    # tried with the chart.
    if re.search(r"^[a-z-]+:", text, re.MULTILINE) and not text.startswith(("config:", "# values.yaml"))
]


def test_configs_are_shown() -> None:
    assert {"README.md", "docs/routing.md", "docs/providers.md"} <= {page for page, _ in CONFIGS}


@pytest.mark.parametrize(("page", "text"), CONFIGS)
def test_every_config_passes_the_check(tmp_path: Path, page: str, text: str) -> None:
    """A block that is a part of a router is checked as what it says of any route."""
    first = re.search(r"^([a-z-]+):", text, re.MULTILINE)
    if first is not None and first[1] not in TOP_KEYS:
        text = "global:\n" + re.sub(r"^", "  ", text, flags=re.MULTILINE)
    path = tmp_path / "routers.yaml"
    path.write_text(text)
    _, problems = examine(path, ENV)
    assert [str(problem) for problem in problems if problem.level == "error"] == []


def test_the_readme_names_the_routers_of_the_shipped_file() -> None:
    loaded, _ = loaded_and_checked(ROOT / "routers.yaml", {})
    for name in re.findall(r"/router/([a-z]+)/", README):
        assert name in loaded.spec.routers


CURLS: Final = [(page, text) for page in PAGES for text in blocks(page, "sh") if text.startswith("curl ")]


async def ask(command: str) -> Response:
    """The answer of the shipped config, with no key in the environment, to a curl as it is printed."""
    words = shlex.split(command.replace("\\\n", " "))
    url = next(word for word in words if word.startswith(BASE))
    body = words[words.index("-d") + 1].encode() if "-d" in words else b""
    clock = virtual_clock()
    runtime = Runtime(
        clock=clock,
        transport=ScriptedTransport(),
        echo=EchoTransport(clock),
        log=Log(clock.wall, "json", "info", io.StringIO()),
        metrics=Metrics(),
    )
    config = ROOT / "routers.yaml"
    loaded, _ = loaded_and_checked(config, {})
    house = assemble(loaded.spec, loaded.hash, runtime, {})
    client = AsgiClient(application(Gateway(config, house, loaded, runtime, {})))
    # As curl does it.
    headers = {"content-type": "application/x-www-form-urlencoded"} if body else {}
    return await client.request("POST" if body else "GET", url.removeprefix(BASE), headers=headers, body=body)


def holds(found: Any, shown: Any) -> bool:
    """Whether everything that is shown is in what was found."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(name in found and holds(found[name], shown[name]) for name in shown)
    if isinstance(shown, list):
        return isinstance(found, list) and len(found) == len(shown) and all(map(holds, found, shown))
    return bool(found == shown)


def test_curls_are_shown() -> None:
    assert [page for page, _ in CURLS].count("README.md") == 3


@pytest.mark.parametrize(("page", "command"), CURLS)
async def test_every_curl_is_answered(page: str, command: str) -> None:
    reply = await ask(command)
    if f"{BASE}/ai/" in command:
        assert reply.status == 503
        assert "OPENAI_API_KEY" in reply.json()["error"]["message"]
    elif '"stream": true' in command:
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
        assert reply.text.endswith("data: [DONE]\n\n")
    else:
        assert reply.status == 200
        assert reply.json()["choices"][0]["message"]["content"] == "You said: Hello"


async def test_the_first_curl_is_answered_with_what_is_shown_after_it() -> None:
    shown = msgspec.json.decode(blocks("README.md", "json")[0])
    found = (await ask(next(command for page, command in CURLS if page == "README.md"))).json()
    assert holds(found, shown)
    assert not holds(found, {**shown, "model": "another"})


def test_every_target_of_make_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(
            r"(?:`|^    (?:[A-Z_]+=\S+ )?)make ([a-z]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE
        )
    }
    assert {"run", "test", "bench"} <= named
    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_number_of_providers_is_right(page: str) -> None:
    """Those that are reached: all but echo."""
    assert f"{len(CATALOG) - 1} known providers" in (ROOT / page).read_text("utf-8").replace("**", "")
