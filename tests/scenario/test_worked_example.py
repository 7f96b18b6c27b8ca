"""The example in docs/quotas-and-budgets.md: one request's money, from what it may cost to its row, as it is printed
there."""

from __future__ import annotations

import asyncio
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from gateway.core.money import NANO, in_dollars
from gateway.pipeline.accounts import Holding, budget_of, prepaid_by
from gateway.policy.budget import Ask, State, Window
from gateway.store.ledger.protocol import Consumer, QuotaEntry
from gateway.store.ledger.writer import LedgerWriter
from tests.support.book import Book
from tests.support.house import OPENAI, Serve, Served
from tests.support.scripted import chat_reply, ok, status

PAGE: Final = (Path(__file__).parents[2] / "docs" / "quotas-and-budgets.md").read_text("utf-8")
SECTION: Final = PAGE[PAGE.index("## One request's money") : PAGE.index("In general:")]
KEY: Final = Consumer("key", "ml-ci")
BALANCE: Final = prepaid_by(KEY)
BUDGET: Final = budget_of(Consumer("router", "production"), Window("day", "day"), 2 * NANO, ("production",))
DEAR, CHEAP = "gpt-4o", "gpt-4o-mini"
USAGE: Final = {
    "prompt_tokens": 90, "completion_tokens": 210, "total_tokens": 300, "prompt_tokens_details": {"cached_tokens": 64},
}  # fmt: skip


def config(folder: Path) -> str:
    """The one on the page, with a key that is known here and a ledger in a folder."""
    found = re.search(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    assert found is not None
    text = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{sha256(b'gk-ml-ci').hexdigest()}", found[1])
    return text.replace("ledger: {}", f"ledger: {{spool: '{folder / 'spool'}'}}")


def body() -> bytes:
    """400 bytes."""
    short = {"model": DEAR, "max_tokens": 300, "messages": [{"role": "user", "content": ""}]}
    short["messages"] = [{"role": "user", "content": "w" * (400 - len(json.dumps(short)))}]
    return json.dumps(short).encode()


async def state(served: Served, holding: Holding) -> State:
    """How an account stands in the store."""
    ask = Ask(holding.key, holding.limit, holding.at(served.runtime.clock.wall()), 0, soft=True)
    found = (await served.gateway.house.stores.accounts.reserve([ask], 60)).states[0]
    assert found is not None
    return found


async def left(served: Served) -> str:
    """Of both accounts, as the page has it."""
    return " | ".join([in_dollars((await state(served, holding)).left) for holding in (BALANCE, BUDGET)])


async def test_the_numbers_of_the_page_are_those_of_the_gateway(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    monkeypatch.setattr("gateway.assemble.ledger.ledger_database", lambda settings: book)
    served = serve(config(tmp_path))
    await book.enter(QuotaEntry("first", KEY, "add", 5 * NANO, served.runtime.clock.wall() - 1))
    answer = {**json.loads(json.dumps(chat_reply())), "model": CHEAP, "usage": USAGE}
    served.upstream.on(OPENAI, status(500), ok(answer, delay=5.0))
    assert len(body()) == 400
    accounts = served.gateway.house.accounts
    assert accounts is not None
    for holding in (BALANCE, BUDGET):
        # What the first request of a process would have asked the ledger.
        wall = served.runtime.clock.wall()
        await accounts.reserve([(holding, Ask(holding.key, holding.limit, holding.at(wall), 0))], wall, 60)
    before = await left(served)
    asked = asyncio.ensure_future(
        served.client.post(
            "/router/production/chat/completions", body=body(), headers={"authorization": "Bearer gk-ml-ci"}
        )
    )
    await asyncio.sleep(2.5)
    during = await left(served)
    reserved = (await state(served, BALANCE)).reserved
    assert (await state(served, BUDGET)).reserved == reserved
    reply = await asked
    assert (reply.status, reply.headers["x-gateway-model"]) == (200, CHEAP)
    models = [json.loads(sent.body)["model"] for sent in served.upstream.sent]
    after = await left(served)
    writer = served.gateway.house.sinks.get("ledger")
    assert isinstance(writer, LedgerWriter)
    await writer.open()
    await writer.close()
    (row,) = book.records
    assert (row.caller, row.router, row.cost) == (KEY.name, "production", (await state(served, BALANCE)).spent)
    assert row.cost is not None
    quoted, cost = in_dollars(reserved), in_dollars(row.cost)
    used = f"{row.usage.input - row.usage.cached} fresh + {row.usage.cached} cached + {row.usage.output} output"
    for line in (
        f"| quote | 100 + 300 tokens, at the dearest target that may answer | {quoted} | {before} |",
        f"| reserve | of each account, all or none, in one round trip | {quoted} | {during} |",
        f"| ask | `{models[0]}` fails, `{models[1]}` answers | 0.00 | {during} |",
        f"| price | {used}, of `{row.model}` | {cost} | {during} |",
        f"| settle | {quoted} back, {cost} spent, not waited for | | {after} |",
        f"| row | `cost` {row.cost}, `saved` {row.saved} by `{row.saved_by}`, in nano-USD | | | |",
    ):
        assert line in SECTION
