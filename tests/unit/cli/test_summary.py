from __future__ import annotations

import random
from pathlib import Path

from gateway.assemble.house import assemble
from gateway.cli.summary import SHOWN, summary
from gateway.config.check import loaded_and_checked
from gateway.core.clock import Clock
from gateway.runtime import Runtime
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.upstream.echo import EchoTransport


def told(folder: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    file = folder / "routers.yaml"
    file.write_text(text)
    loaded, warnings = loaded_and_checked(file, env or {})
    clock = Clock(lambda: 1.0, lambda: 1.0, random.Random(0).random)
    echo = EchoTransport(clock)
    runtime = Runtime(clock=clock, transport=echo, echo=echo, log=Log(clock.wall), metrics=Metrics())
    return summary(assemble(loaded.spec, loaded.hash, runtime, env or {}), "routers.yaml", warnings)


def router(name: str, provider: str) -> str:
    return f"  {name}: {{load-balance: {{chat: {{providers: [{provider}]}}}}}}\n"


def test_a_router_without_a_key_is_told_to_be_off_and_why(tmp_path: Path) -> None:
    lines = told(tmp_path, "routers:\n" + router("a", "openai") + router("b", "echo"))
    [off] = [line for line in lines if "/router/a " in line]
    [on] = [line for line in lines if "/router/b " in line]
    assert off.endswith("OFF: no key")
    assert "OFF" not in on
    assert any("Set OPENAI_API_KEY" in line for line in lines)


def test_a_key_of_the_environment_turns_it_on_and_is_called_by_its_variable(tmp_path: Path) -> None:
    lines = told(tmp_path, "routers:\n" + router("a", "openai"), {"OPENAI_API_KEYS": "sk-one,sk-two"})
    assert any("openai (2 keys: OPENAI_API_KEYS-1, OPENAI_API_KEYS-2)" in line for line in lines)
    assert not any("OFF" in line or "sk-" in line for line in lines)


def test_many_routers_are_shown_in_part_and_counted(tmp_path: Path) -> None:
    text = "routers:\n" + "".join(router(f"r{n}", "openai") for n in range(SHOWN + 5))
    lines = told(tmp_path, text)
    assert sum("/router/r" in line for line in lines) == SHOWN
    assert "  ... and 5 more routers; /health lists them all" in lines


def test_many_warnings_are_shown_in_part_and_counted(tmp_path: Path) -> None:
    text = "routers:\n" + "".join(
        f"  r{n}: {{load-balance: {{chat: {{strategy: weighted, providers: [{{provider: echo, weight: '0.5'}}]}}}}}}\n"
        for n in range(SHOWN + 5)
    )
    lines = told(tmp_path, text)
    assert lines[-1] == "  ... and 5 more warnings; `gateway check` lists them all"


def test_who_may_come_in_is_told(tmp_path: Path) -> None:
    text = "routers:\n" + router("b", "echo")
    assert any("open, because it listens on loopback only" in line for line in told(tmp_path, text))
    keys = f"auth: {{mode: keys, keys: [{{name: a, hash: 'sha256:{'0' * 64}'}}]"
    assert any(line.endswith("gateway keys (1)") for line in told(tmp_path, f"{text}{keys}}}\n"))
    issuer = "jwt: [{issuer: 'https://id.test', audience: a}]"
    assert any(
        "gateway keys (1), tokens of https://id.test" in line for line in told(tmp_path, f"{text}{keys}, {issuer}}}\n")
    )
