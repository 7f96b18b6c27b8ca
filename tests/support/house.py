"""The whole application from a YAML text, on virtual time, with scripted providers.

What lives here: Served, the real loader, assembly and Starlette application around a ScriptedTransport.
There is no lifespan: no watcher, no signals. Each request is held to a law when it ends: every upstream
call that it made has ended too, and nothing of it is left in flight.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import application
from gateway.assemble.house import assemble
from gateway.config.check import loaded_and_checked
from gateway.config.load import Loaded
from gateway.gateway import Gateway
from gateway.runtime import Runtime
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from tests.support.asgi_client import AsgiClient
from tests.support.scripted import ScriptedTransport
from tests.support.virtual_time import virtual_clock

OPENAI: Final = "api.openai.com"
ANTHROPIC: Final = "api.anthropic.com"
GEMINI: Final = "generativelanguage.googleapis.com"
GROQ: Final = "api.groq.com"
MISTRAL: Final = "api.mistral.ai"
DEEPSEEK: Final = "api.deepseek.com"

KEYS: Final[Mapping[str, str]] = {
    "OPENAI_API_KEY": "sk-openai-0000000000000000",
    "ANTHROPIC_API_KEY": "sk-ant-0000000000000000",
    "GEMINI_API_KEY": "AIza-gemini-00000000000000000000000000",
    "GROQ_API_KEY": "gsk_groq_0000000000000000",
    "MISTRAL_API_KEY": "mistral-0000000000000000",
    "DEEPSEEK_API_KEY": "sk-deepseek-0000000000000000",
    "ALPHA_1": "alpha-key-1-00000000",
    "ALPHA_2": "alpha-key-2-00000000",
    "ALPHA_3": "alpha-key-3-00000000",
    "BETA_1": "beta-key-1-00000000",
}

ALPHA: Final = "alpha.test"
BETA: Final = "beta.test"
GAMMA: Final = "gamma.test"

PROVIDERS: Final = """
providers:
  alpha: {dialect: openai, base-url: 'http://alpha.test/v1', models: ['*'], keys: ['${env:ALPHA_1}']}
  beta: {dialect: openai, base-url: 'http://beta.test/v1', models: ['*'], keys: ['${env:BETA_1}']}
  gamma: {dialect: openai, base-url: 'http://gamma.test/v1', models: ['*']}
  pool:
    dialect: openai
    base-url: http://alpha.test/v1
    models: ['*']
    keys:
      - {name: one, value: '${env:ALPHA_1}'}
      - {name: two, value: '${env:ALPHA_2}'}
      - {name: three, value: '${env:ALPHA_3}'}
"""
"""Three providers of OpenAI's dialect that have every model, and one whose pool has three keys."""

ROUTERS: Final = """
routers:
  solo: {load-balance: {chat: {strategy: priority, providers: [alpha]}}}
  duo: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}
  trio: {load-balance: {chat: {strategy: priority, providers: [alpha, beta, gamma]}}}
  keys: {load-balance: {chat: {strategy: priority, providers: [pool]}}}
  keys-beta: {load-balance: {chat: {strategy: priority, providers: [pool, beta]}}}
  once: {load-balance: {chat: {strategy: priority, providers: [alpha]}}, retries: {max-retries: 0}}
"""
BARE: Final = "routers: {r: {load-balance: {chat: {providers: [openai]}}}}"
"""Nothing but what the catalog knows."""
HOUSE: Final = PROVIDERS + ROUTERS
"""Routers by what they choose from, with the usual policies; `once` never tries again."""


class Served:
    """A gateway that serves `text`. upstream: the providers. client: asks it. path: where the file is."""

    def __init__(self, folder: Path, text: str = HOUSE, env: Mapping[str, str] = KEYS) -> None:
        self.upstream = ScriptedTransport()
        self.path = folder / "routers.yaml"
        self.path.write_text(text)
        self._output = io.StringIO()
        clock = virtual_clock()
        self.runtime = Runtime(
            clock=clock,
            transport=self.upstream,
            echo=self.upstream,
            log=Log(clock.wall, "json", "debug", self._output),
            metrics=Metrics(),
        )
        loaded = _loaded(self.path, env)
        house = assemble(loaded.spec, loaded.hash, self.runtime, env)
        self.gateway = Gateway(self.path, house, loaded, self.runtime, env)
        self.app = application(self.gateway)
        self.client = AsgiClient(self._lawful)

    async def _lawful(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        task = asyncio.current_task()
        assert not [call.url for call in self.upstream.sent if call.task is task and not call.end], "leaked calls"
        assert task not in self.runtime.in_flight, "left in flight"

    async def rewrite(self, text: str) -> bool:
        """Put another text in the file and reload."""
        self.path.write_text(text)
        return await self.gateway.reload()

    def log(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of the log, those of one event."""
        lines = [msgspec.json.decode(line, type=dict[str, Any]) for line in self._output.getvalue().splitlines()]
        return [line for line in lines if event in ("", line["event"])]

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a sample on /metrics over the label sets that have these labels."""
        page = await self.client.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def in_flight(self) -> int:
        """Attempts that the targets think are under way."""
        return sum(load.in_flight for load in self.runtime.loads.values())

    def check(self) -> None:
        """What must hold after any scenario."""
        assert not self.log("request failed in the gateway")
        assert self.upstream.open_calls == 0
        assert self.in_flight() == 0
        assert not self.runtime.in_flight
        output = self._output.getvalue()
        assert not [key for key in KEYS.values() if key in output], "a credential is in the log"


_kept: Final[dict[tuple[str, tuple[tuple[str, str], ...]], Loaded]] = {}


def _loaded(path: Path, env: Mapping[str, str]) -> Loaded:
    """What `path` says. Equal texts are read and checked once: one that names no other file says the same wherever it
    stands, and only the paths of its own problems, of which it has none, are of elsewhere."""
    key = path.read_text(), tuple(env.items())
    kept = _kept.get(key)
    if kept is not None:
        return msgspec.structs.replace(kept, files=(path,))
    loaded, problems = loaded_and_checked(path, env)
    if loaded.files == (path,) and not problems:
        _kept[key] = loaded
    return loaded


Serve = Callable[..., Served]
"""The fixture of the scenarios: `serve(text, env)`."""


def chat(model: str = "gpt-4o", **members: Any) -> dict[str, Any]:
    """The body of an OpenAI chat request."""
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}], **members}


def message(model: str = "claude-sonnet-4-5", **members: Any) -> dict[str, Any]:
    """The body of an Anthropic messages request."""
    return {"model": model, "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}], **members}


def generate(**members: Any) -> dict[str, Any]:
    """The body of a Gemini request."""
    return {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **members}
