"""Writes docs/dialects.md from the golden tests: what each client's request becomes at each provider, and what is lost.
`make schema` runs it, and a test fails when it was not run.

Nothing is claimed here that no case shows: a field that stands in no case is not in the table.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
GOLDEN: Final = ROOT / "tests" / "golden"
PAGE: Final = ROOT / "docs" / "dialects.md"

CLIENTS: Final = ("openai-chat", "openai-responses", "anthropic", "gemini")
TITLES: Final = {
    "openai-chat": "OpenAI chat",
    "openai-responses": "OpenAI Responses",
    "anthropic": "Anthropic",
    "gemini": "Gemini",
    "cohere": "Cohere",
    "bedrock": "Bedrock",
    "ollama": "Ollama",
}
_EFFECTS: Final = {"hint": "left out", "changed": "changed", "meaning": "**not eligible**"}
_PAGE: Final = re.compile(r"[#?]|, (?!docs/)")
_WEIGHT: Final = {"hint": 0, "changed": 1, "meaning": 2}

HEAD: Final = """\
# What each dialect becomes in each other

Generated from the golden tests (`tests/golden/`): it says what they prove and nothing else. What the words mean is in
[translation.md](translation.md).

{published} cases follow what providers and their SDKs document, {written} were written for what that does not show.
Source and date stand in each file.

## Requests

Clients in rows, providers in columns: of the client's cases, how many arrive whole, how many with something left out or
changed (`x-gateway-dropped` says what), and for how many such a provider is not asked, because what cannot be carried
is what the request is about. Requests that are malformed are not counted."""
REPLIES: Final = """\
## Replies and streams

Providers in rows, clients in columns. A stream that was cut, or ended with an error, is never complete."""
LOSSES: Final = """\
## What is lost, field by field

An empty cell: carried in every case that has the field. `left out` and `changed`: `x-gateway-dropped` shows it. **not
eligible**: the provider is not asked, because the request needs the field; with `or`, it depends on the value or on
what is known of the model."""

SOURCES: Final = """\
## Where the cases come from

Pages of providers and of their SDKs, and how many cases follow each. Section and date stand in the file of the case."""
SAID: Final = """\
## What of a reply has no room

In some reply of the cases. `x-gateway-dropped` shows it where the reply is whole."""

Effects = dict[str, dict[str, set[str]]]
"""Field -> provider -> effects."""


def cases(dialect: str, kind: str) -> list[str]:
    """Names of the cases of a kind, in order."""
    paths = [path for path in sorted((GOLDEN / dialect).glob("*.json")) if ".to." not in path.name]
    return [path.stem for path in paths if read(path)["kind"] == kind]


def expected(dialect: str, case: str, other: str) -> dict[str, Any]:
    return read(GOLDEN / dialect / f"{case}.to.{other}.json")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def providers() -> list[str]:
    return [name for name in TITLES if (GOLDEN / name).is_dir()]


def losses(client: str) -> Effects:
    found: Effects = defaultdict(lambda: defaultdict(set))
    for case in cases(client, "request"):
        for provider in providers():
            if provider != client:
                for loss in expected(client, case, provider).get("losses", ()):
                    field = re.sub(r"\[[^\]]*\]", "[]", loss["field"])
                    found[field][provider].add(loss["effect"])
    return found


def summary() -> list[str]:
    names = providers()
    rows = [f"| client | {' | '.join(TITLES[name] for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for client in CLIENTS:
        cells = []
        for provider in names:
            if provider == client:
                cells.append("byte for byte")
                continue
            made = [expected(client, case, provider) for case in cases(client, "request")]
            sent = [one for one in made if "error" not in one]
            whole = sum(not one.get("losses") for one in sent)
            refused = sum(any(loss["effect"] == "meaning" for loss in one.get("losses", ())) for one in sent)
            cells.append(f"{whole} whole, {len(sent) - whole - refused} with a loss, {refused} not eligible")
        rows.append(f"| {TITLES[client]} | {' | '.join(cells)} |")
    return rows


def replies() -> list[str]:
    rows = [f"| provider | {' | '.join(TITLES[name] for name in CLIENTS)} |", "|---" * (len(CLIENTS) + 1) + "|"]
    for provider in providers():
        whole, streams = cases(provider, "reply"), cases(provider, "stream")
        cells = []
        for client in CLIENTS:
            if client == provider:
                cells.append("byte for byte")
                continue
            complete = sum(expected(provider, case, client).get("complete") is True for case in streams)
            cells.append(f"{len(whole)} replies; {len(streams)} streams, {complete} of them complete")
        rows.append(f"| {TITLES[provider]} | {' | '.join(cells)} |")
    return rows


def table(client: str) -> list[str]:
    names = [name for name in providers() if name != client]
    rows = [f"| field | {' | '.join(TITLES[name] for name in names)} |", "|---" * (len(names) + 1) + "|"]
    found = losses(client)
    for field in sorted(found, key=str.lower):
        cells = []
        for name in names:
            effects = sorted(found[field].get(name, ()), key=_WEIGHT.__getitem__)
            cells.append(" or ".join(_EFFECTS[effect] for effect in effects))
        rows.append(f"| `{field}` | {' | '.join(cells)} |")
    return rows


def unsaid() -> list[str]:
    rows = [f"| part of a reply | {' | '.join(TITLES[name] for name in CLIENTS)} |", "|---" * (len(CLIENTS) + 1) + "|"]
    found: Effects = defaultdict(lambda: defaultdict(set))
    for provider in providers():
        for case in cases(provider, "reply"):
            for client in CLIENTS:
                if client != provider:
                    for loss in expected(provider, case, client).get("losses", ()):
                        found[loss["field"]][client].add(loss["effect"])
    for field in sorted(found):
        cells = [" or ".join(_EFFECTS[one] for one in sorted(found[field].get(name, ()))) for name in CLIENTS]
        rows.append(f"| `{field}` | {' | '.join(cells)} |")
    return rows


def sources() -> list[str]:
    rows = ["| dialect | published | written | pages |", "|---|---|---|---|"]
    for name in providers():
        pages: dict[str, int] = defaultdict(int)
        paths = [path for path in (GOLDEN / name).glob("*.json") if ".to." not in path.name]
        told = [read(path)["source"] for path in paths]
        for source in told:
            if not source.startswith("written here"):
                pages[_PAGE.split(source)[0]] += 1
        ours = len(told) - sum(pages.values())
        listed = ", ".join(f"{page} ({count})" for page, count in sorted(pages.items()))
        rows.append(f"| {TITLES[name]} | {len(told) - ours} | {ours} | {listed} |")
    return rows


def page() -> str:
    paths = [path for name in providers() for path in (GOLDEN / name).glob("*.json") if ".to." not in path.name]
    ours = sum(read(path)["source"].startswith("written here") for path in paths)
    lines = [
        *HEAD.format(published=len(paths) - ours, written=ours).splitlines(),
        "",
        *summary(),
        "",
        *REPLIES.splitlines(),
        "",
        *replies(),
        "",
        *LOSSES.splitlines(),
    ]
    for client in CLIENTS:
        lines += ["", f"### {TITLES[client]} clients", "", *table(client)]
    lines += ["", *SAID.splitlines(), "", *unsaid(), "", *SOURCES.splitlines(), "", *sources()]
    return "\n".join(lines) + "\n"


def made() -> dict[Path, str]:
    """The file, and what is to stand in it."""
    return {PAGE: page()}


def main() -> int:
    text = page()
    if "--check" in sys.argv:
        fresh = PAGE.exists() and PAGE.read_text("utf-8") == text
        if not fresh:
            print("docs/dialects.md is stale: make schema", file=sys.stderr)
        return 0 if fresh else 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
