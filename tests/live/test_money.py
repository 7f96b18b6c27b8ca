"""What a killed process leaves of the money that it has charged."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from tests.support.processes import BOUND, Program, start_gateway


def config(folder: Path) -> str:
    return (
        f"ledger: {{url: 'sqlite:///{folder}/ledger.db', spool: '{folder}/spool'}}\n"
        "prices: {echo/*: {input: 0, output: 1000}}\n"
        "routers: {one: {load-balance: {chat: {providers: [echo]}}, budget: {amount: 1000}}}\n"
    )


def ask(program: Program) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=BOUND)
    try:
        body = json.dumps({"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]})
        connection.request("POST", "/router/one/v1/chat/completions", body, {"content-type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()


def spent(program: Program) -> float:
    return program.metric('gateway_budget_spent_ratio{kind="router",consumer="one",window="month"}')


@pytest.mark.real_time
def test_no_charge_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(tmp_path), {}) as program:
        assert [ask(program) for _ in range(5)] == [200] * 5
        before = spent(program)
        each = before / 5
        assert each > 0
        program.kill()
    with start_gateway(tmp_path, config(tmp_path), {}) as program:
        assert ask(program) == 200
        assert spent(program) == pytest.approx(before + each)
