"""The admin API: who may, what is answered, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import io
import json
import re
import shlex
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from jsonschema import Draft202012Validator

from gateway.core.key_text import key_text
from gateway.core.money import in_dollars
from gateway.core.record import Record
from gateway.ingress.admin.csv_text import PIECE
from gateway.ingress.admin.openapi import openapi
from gateway.ingress.admin.query import DIMENSIONS
from gateway.policy.budget import MOST
from gateway.store.ledger.protocol import LedgerDatabase, LedgerDown, UsagePage, UsageQuery
from gateway.store.ledger.sqlite import SqliteLedger
from gateway.store.ledger.writer import LedgerWriter
from tests.support.asgi_client import AsgiClient, Response
from tests.support.exchange_records import served as record
from tests.support.house import ALPHA, HOUSE, KEYS, Serve, Served, chat
from tests.support.scripted import chat_reply, ok

READER, WRITER, EXPIRED, KEYED = (key_text(number) for number in (1, 2, 3, 4))
PEPPER: Final = "a-pepper-of-the-tests"


def digest(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def entry(name: str, key: str, more: str = "") -> str:
    return f"    - {{name: {name}, hash: '{digest(key)}'{more}}}\n"


ADMIN: Final = (
    "auth: {pepper: '${env:PEPPER}'}\nadmin:\n  keys:\n"
    + entry("eye", READER)
    + entry("hand", WRITER, ", role: write")
    + entry("old", EXPIRED, ", expires: 2001-01-01")
    + f"    - {{name: keyed, hash: 'hmac-sha256:{hashlib.sha256(b'').hexdigest()}'}}\n"
)
ENV: Final = {**KEYS, "PEPPER": PEPPER}
DAY: Final = 86_400.0


class Office:
    """A gateway with an admin API, and its ledger. start: the day of its first row, as Unix seconds."""

    def __init__(self, served: Served, database: LedgerDatabase) -> None:
        self.served = served
        self.database = database
        self.now = served.runtime.clock.wall()
        self.start = self.now // DAY * DAY - 2 * DAY

    def client(self, key: str = WRITER, **headers: str) -> AsgiClient:
        return AsgiClient(self.served.app, {"authorization": f"Bearer {key}", **headers})

    async def get(self, path: str, key: str = READER, **headers: str) -> Response:
        return await self.client(key, **headers).get(f"/admin/api{path}")

    async def post(self, path: str, json: object = None, key: str = WRITER, **headers: str) -> Response:
        return await self.client(key, **headers).post(f"/admin/api{path}", json=json)

    async def rows(self, count: int, **changes: Any) -> None:
        """So many records, a minute apart."""
        await self.database.insert([record(id=f"{n:06}", time=self.start + 60.0 * n, **changes) for n in range(count)])


@asynccontextmanager
async def office(serve: Serve, folder: Path, text: str = ADMIN + HOUSE) -> AsyncIterator[Office]:
    made = serve(f"ledger: {{url: 'sqlite:///{folder / 'ledger.db'}', spool: '{folder / 'spool'}'}}\n{text}", ENV)
    database = made.gateway.ledger()
    assert database is not None
    await database.open()
    try:
        yield Office(made, database)
    finally:
        await database.close()


def problem(reply: Response) -> tuple[int, str, str | None]:
    error = reply.json()["error"]
    assert sorted(error) == ["code", "message", "param"]
    assert reply.headers["x-gateway-error"] == error["code"]
    assert reply.headers["content-type"] == "application/json"
    return reply.status, error["code"], error["param"]


def table(reply: Response) -> list[list[str]]:
    assert reply.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(reply.text)))


async def test_it_is_off_unless_the_config_says_so(serve: Serve) -> None:
    served = serve(HOUSE)
    reply = await served.client.get("/admin/api/usage")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "not_found")
    assert await served.rewrite(HOUSE + "admin: {}")
    assert (await served.client.get("/admin/api/keys", {"host": "localhost"})).status == 200
    assert await served.rewrite(HOUSE + "admin: {port: 9000}")
    assert (await served.client.get("/admin/api/keys", {"host": "localhost"})).status == 404, "it is elsewhere"


KEY_CASES: dict[str, tuple[dict[str, str], int]] = {
    "the reader": ({"authorization": f"Bearer {READER}"}, 200),
    "in another spelling": ({"authorization": f"bearer  {READER}"}, 200),
    "in the other header": ({"x-api-key": READER}, 200),
    "nothing": ({}, 401),
    "another scheme": ({"authorization": f"Basic {READER}"}, 401),
    "a key of nobody": ({"authorization": f"Bearer {key_text(99)}"}, 401),
    "a key cut short": ({"authorization": f"Bearer {READER[:-1]}"}, 401),
    "the hash itself": ({"authorization": f"Bearer {digest(READER)}"}, 401),
    "a key that has expired": ({"authorization": f"Bearer {EXPIRED}"}, 401),
    "no ASCII": ({"authorization": "Bearer \xff\xfe"}, 401),
}


@pytest.mark.parametrize("name", KEY_CASES)
async def test_a_key_is_asked_for(name: str, serve: Serve, tmp_path: Path) -> None:
    headers, status = KEY_CASES[name]
    async with office(serve, tmp_path) as admin:
        for path in ("/admin/api/keys", "/admin/api/openapi.json", "/admin/api/none"):
            reply = await AsgiClient(admin.served.app, headers).get(path)
            if status == 200:
                assert reply.status == (200 if path in ("/admin/api/keys", "/admin/api/openapi.json") else 404)
            else:
                assert problem(reply) == (401, "invalid_api_key", None), "nothing is told of what there is"
                assert reply.headers["www-authenticate"] == "Bearer"
        assert READER not in str(admin.served.log())


async def test_a_reader_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        change = {"kind": "team", "name": "ml", "change": "set", "amount": "5"}
        for path, body in (("/quotas", change), ("/reload", None), ("/targets/restore", {"provider": "alpha"})):
            assert problem(await admin.post(path, body, key=READER)) == (403, "access_denied", None)
        assert await admin.database.balances() == ()


async def test_wrong_keys_of_an_address_are_slowed_and_good_ones_are_not(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        wrong = [await admin.get("/keys", key=key_text(99)) for _ in range(11)]
        assert [reply.status for reply in wrong] == [401] * 10 + [429]
        assert wrong[-1].headers["retry-after"] == "6"
        assert (await admin.get("/keys")).status == 200
        assert len(admin.served.log("admin login refused")) == 10, "and no log is filled"
        elsewhere = AsgiClient(admin.served.app, {"x-api-key": "no"}, address="192.0.2.1")
        assert (await elsewhere.get("/admin/api/keys")).status == 401


NEIGHBOURS: dict[str, tuple[dict[str, str], str, int]] = {
    "on this machine": ({"host": "127.0.0.1:8080"}, "127.0.0.1", 200),
    "by its name": ({"host": "localhost"}, "127.0.0.1", 200),
    "a page of its own": ({"host": "localhost:8080", "origin": "http://localhost:8080"}, "127.0.0.1", 200),
    "a page of another": ({"host": "localhost:8080", "origin": "https://evil.test"}, "127.0.0.1", 403),
    "a page without an origin": ({"host": "localhost:8080", "origin": "null"}, "127.0.0.1", 403),
    "a name that leads here": ({"host": "evil.test"}, "127.0.0.1", 403),
    "from elsewhere": ({"host": "localhost"}, "192.0.2.1", 403),
    "through a proxy": ({"host": "localhost", "x-forwarded-for": "192.0.2.1"}, "127.0.0.1", 403),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
async def test_without_keys_only_this_machine_may_ask(name: str, serve: Serve) -> None:
    headers, address, status = NEIGHBOURS[name]
    client = AsgiClient(serve(HOUSE + "admin: {}").app, headers, address)
    assert (await client.get("/admin/api/targets")).status == status
    reply = await client.post("/admin/api/targets/restore", {"provider": "alpha"})
    assert reply.status == status
    assert "access-control-allow-origin" not in reply.headers


async def test_keys_of_a_new_config_count_at_once(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        assert (await admin.get("/keys")).status == 200
        assert await admin.served.rewrite("admin:\n  keys:\n" + entry("hand", WRITER) + HOUSE)
        assert (await admin.get("/keys")).status == 401
        assert problem(await admin.post("/reload")) == (403, "access_denied", None)


async def test_usage_comes_by_the_dimensions_that_are_asked_for(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.database.insert([
            record(id="a", time=admin.start, team="ml", cost=1),
            record(id="b", time=admin.start + DAY, team="ml", cost=999_999_999),
            record(id="c", time=admin.start + DAY, team="web", cost=None, saved=12_500_000_000),
        ])  # fmt: skip
        page = (await admin.get("/usage?by=team,day&since=7d")).json()
        assert [(row["group"]["team"], row["cost"], row["unpriced"], row["saved"]) for row in page["rows"]] == [
            ("ml", "0.000000001", 0, "0.00"),
            ("ml", "0.999999999", 0, "0.00"),
            ("web", "0.00", 1, "12.50"),
        ]
        assert (page["by"], page["currency"], page["cursor"]) == (["team", "day"], "USD", "")
        [everything] = (await admin.get("/usage?since=7d")).json()["rows"]
        assert (everything["group"], everything["requests"], everything["cost"]) == ({}, 3, "1.00")
        [web] = (await admin.get("/usage?since=7d&by=caller&where.team=web")).json()["rows"]
        assert (web["group"], web["requests"]) == ({"caller": "ml-ci"}, 1)


async def test_every_dimension_can_be_asked_for(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(1, rule="cheap", error_code="none", cache="miss", saved_by="target")
        for name in DIMENSIONS:
            [row] = (await admin.get(f"/usage?since=7d&by={name}")).json()["rows"]
            value = row["group"][name]
            assert value
            page = (await admin.get(f"/usage?since=7d&where.{name}={value}")).json()
            assert page["rows"][0]["requests"] == 1, name


async def test_times_are_days_moments_and_spans(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        page = (await admin.get("/usage?since=2026-11-01&until=2026-12-01T01:30:00%2B01:00")).json()
        assert (page["since"], page["until"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:30:00Z")
        page = (await admin.get("/usage?until=2026-12-01")).json()
        assert page["since"] == "2026-11-01T00:00:00Z", "thirty days, when nothing is said"


async def test_pages_answer_one_question_while_rows_arrive(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(25)
        for path, name in (("/records?since=7d", "id"), ("/usage?since=7d&by=hour,caller", "group")):
            seen: list[Any] = []
            reply = (await admin.get(f"{path}&limit=10")).json()
            first = reply
            while True:
                seen += [row[name] for row in reply["rows"]]
                if not reply["cursor"]:
                    break
                # One that is later than the question, and one that is earlier than the page.
                late = admin.served.runtime.clock.wall() + 1.0
                marks = f"{name}-{len(seen)}"
                await admin.database.insert([
                    record(id=f"late-{marks}", time=late), record(id=f"early-{marks}", time=admin.start - 1.0)
                ])  # fmt: skip
                reply = (await admin.get(f"{path}&limit=10&cursor={reply['cursor']}")).json()
                assert (reply["since"], reply["until"]) == (first["since"], first["until"])
            if name == "id":
                assert seen == [f"{n:06}" for n in range(25)]
            else:
                assert seen == [dict(t) for t in sorted({tuple(group.items()) for group in seen})]


async def test_a_record_is_told_whole(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.database.insert([record(time=admin.start + 0.25)])
        [row] = (await admin.get("/records?since=7d")).json()["rows"]
        assert row["time"].endswith("00.250Z")
        assert (row["cost"], row["saved"], row["asked"], row["model"]) == (
            "0.0038", "0.00", "gpt-4o", "gpt-4o-2024-08-06",
        )  # fmt: skip
        assert [attempt["fault"] for attempt in row["attempts"]] == ["unavailable", ""]
        assert (row["input_tokens"], row["cached_tokens"]) == (150, 100)


async def test_a_table_is_csv(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(2)
        for reply in (
            await admin.get("/usage?since=7d&by=team&format=csv"),
            await admin.get("/usage?since=7d&by=team", accept="text/csv"),
        ):
            head, line = table(reply)
            assert head[:3] == ["team", "requests", "failed"]
            assert dict(zip(head, line, strict=True))["cost_usd"] == "0.0076"
            assert reply.headers["content-disposition"] == 'attachment; filename="usage.csv"'
        head, *lines = table(await admin.get("/records?since=7d&format=csv"))
        assert len(lines) == 2
        assert dict(zip(head, lines[0], strict=True))["attempts"] == "2"
        json = await admin.get("/records?since=7d", accept="application/json, text/csv")
        assert json.headers["content-type"] == "application/json"


async def test_a_table_without_rows_has_its_head(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        assert len(table(await admin.get("/records?format=csv"))) == 1


async def test_what_a_spreadsheet_would_run_is_text(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        names = ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", " =1", 'a"b,c']
        await admin.database.insert(
            [record(id=str(n), time=admin.start + n, asked=name) for n, name in enumerate(names)]
        )
        head, *lines = table(await admin.get("/records?since=7d&format=csv"))
        asked = [line[head.index("asked")] for line in lines]
        assert asked == [*(f"'{name}" for name in names[:-1]), 'a"b,c']


async def test_a_large_table_is_sent_as_it_is_read(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(4 * PIECE)
        window = 2
        async with admin.client(READER).stream("GET", "/admin/api/records?since=7d&format=csv", window=window) as reply:
            # Nobody reads: so much is made and no more.
            reply_is_held = reply.unread
            assert reply_is_held <= window
            pieces = [piece async for piece in reply]
        assert len(pieces) >= 4
        assert b"".join(pieces).count(b"\r\n") == 4 * PIECE + 1
        groups = await admin.get("/usage?since=7d&by=hour,status&format=csv&limit=3")
        assert len(table(groups)) == 4, "a limit is one of all rows"


async def test_a_table_that_breaks_off_is_not_taken_for_whole(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(3)

        class Failing(SqliteLedger):
            async def records(self, query: UsageQuery) -> AsyncIterator[Record]:
                for n in range(2 * PIECE):
                    yield record(id=str(n))
                raise LedgerDown("away")

            async def usage(self, query: UsageQuery) -> UsagePage:
                raise LedgerDown("away: postgresql://u:secret@db/x")

        failing = Failing(tmp_path / "x.db")
        monkeypatch.setattr(admin.served.gateway, "ledger", lambda: failing)
        reply = await admin.get("/records?format=csv")
        assert reply.status == 200
        assert reply.broken
        for path in ("/usage", "/usage?format=csv"):
            reply = await admin.get(path)
            assert problem(reply) == (503, "ledger_unavailable", None)
            assert "secret" not in reply.text
        assert len(admin.served.log("admin request failed")) == 3
        assert "secret" not in str(admin.served.log())


async def test_a_reader_who_leaves_ends_the_table(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(3 * PIECE)
        async with admin.client(READER).stream("GET", "/admin/api/records?since=7d&format=csv", window=1) as reply:
            await anext(aiter(reply))
            await reply.disconnect()
        assert reply.ended
        assert not reply.complete


BAD_QUERIES: dict[str, tuple[str, str]] = {
    "an unknown dimension": ("by=team,moon", "by"),
    "a dimension twice": ("by=team,team", "by"),
    "an empty dimension": ("by=team,", "by"),
    "an unknown filter": ("where.moon=1", "where.moon"),
    "a filter by a column": ("where.id%3D1%20OR%201=1", "where.id=1 OR 1"),
    "a value without end": (f"where.team={'x' * 257}", "where.team"),
    "a value with a NUL": ("where.team=a%00b", "where.team"),
    "an unknown parameter": ("sinze=7d", "sinze"),
    "a parameter twice": ("since=7d&since=8d", "since"),
    "a time that is none": ("since=yesterday", "since"),
    "a day that the calendar has not": ("since=2026-02-30", "since"),
    "a time without its offset": ("since=2026-02-03T12:00", "since"),
    "a time before time": ("since=1969-12-31", "since"),
    "a span beyond time": ("since=99999999999d", "since"),
    "an end before the beginning": ("since=2026-11-02&until=2026-11-01", "since"),
    "no rows": ("limit=0", "limit"),
    "rows below zero": ("limit=-1", "limit"),
    "an absurd number of rows": ("limit=99999999999999999999999999", "limit"),
    "rows in other digits": ("limit=%D9%A1", "limit"),
    "a format of no kind": ("format=xml", "format"),
    "a cursor of no kind": ("cursor=%21", "cursor"),
    "a cursor of something else": (f"cursor={base64.urlsafe_b64encode(b'[1,2]').decode()}", "cursor"),
}


@pytest.mark.parametrize("name", BAD_QUERIES)
@pytest.mark.parametrize("form", ["", "&format=csv"])
async def test_a_bad_query_is_refused(name: str, form: str, serve: Serve, tmp_path: Path) -> None:
    query, param = BAD_QUERIES[name]
    async with office(serve, tmp_path) as admin:
        reply = await admin.get(f"/usage?{query}{form if 'format' not in query else ''}")
        assert problem(reply) == (400, "invalid_request", param)


async def test_an_unknown_dimension_is_answered_with_those_there_are(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        message = (await admin.get("/usage?by=moon")).json()["error"]["message"]
        assert all(name in message for name in DIMENSIONS)


async def test_a_cursor_goes_on_with_its_own_question(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(130)
        cursor = (await admin.get("/usage?by=hour&since=7d&limit=1")).json()["cursor"]
        assert (await admin.get(f"/usage?cursor={cursor}")).json()["by"] == ["hour"]
        assert problem(await admin.get(f"/usage?by=day&cursor={cursor}")) == (400, "invalid_request", "cursor")
        assert problem(await admin.get(f"/records?cursor={cursor}")) == (400, "invalid_request", "cursor")
        cursor = (await admin.get("/records?since=7d&limit=1")).json()["cursor"]
        assert problem(await admin.get(f"/usage?cursor={cursor}")) == (400, "invalid_request", "cursor")


INJECTIONS: Final = (
    "ml' OR '1'='1", "ml'; DROP TABLE ledger_rows; --", 'ml" OR 1=1 --', "ml) UNION SELECT 1 --", "%", "_l", "\\",
)  # fmt: skip


async def test_values_are_values_and_no_sql(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(3)
        for value in INJECTIONS:
            quoted = "".join(f"%{byte:02X}" for byte in value.encode())
            for name in DIMENSIONS:
                for path in ("usage", "records"):
                    reply = await admin.get(f"/{path}?since=7d&where.{name}={quoted}")
                    assert reply.status == 200, reply.text
                    assert reply.json()["rows"] == []
            await admin.post("/quotas", {"kind": "team", "name": value, "change": "set", "amount": "1", "note": value})
        assert (await admin.get("/usage?since=7d")).json()["rows"][0]["requests"] == 3
        assert {line["name"] for line in (await admin.get("/quotas")).json()["quotas"]} == set(INJECTIONS)


async def test_without_a_ledger_that_is_said(serve: Serve) -> None:
    client = AsgiClient(serve(ADMIN + HOUSE, ENV).app, {"x-api-key": WRITER})
    change = {"kind": "team", "name": "ml", "change": "set", "amount": "5"}
    for reply in (
        await client.get("/admin/api/usage"),
        await client.get("/admin/api/records?format=csv"),
        await client.get("/admin/api/quotas"),
        await client.post("/admin/api/quotas", change),
    ):
        assert problem(reply) == (404, "ledger_off", None)


async def test_a_balance_is_set_added_to_and_told(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        change = {"kind": "team", "name": "ml", "change": "set", "amount": "100", "note": "November"}
        first = (await admin.post("/quotas", change)).json()
        assert (first["quota"]["granted"], first["quota"]["left"]) == ("100.00", "100.00")
        more = await admin.post("/quotas", {**change, "change": "add", "amount": "0.000000001"})
        assert more.json()["quota"]["left"] == "100.000000001"
        less = await admin.post("/quotas", {**change, "change": "add", "amount": "-0.5"})
        assert less.json()["quota"]["left"] == "99.500000001"
        await admin.database.insert([record(id="x", time=admin.served.runtime.clock.wall() + 1, cost=500_000_001)])
        [line] = (await admin.get("/quotas?kind=team&name=ml")).json()["quotas"]
        assert (line["granted"], line["spent"], line["left"]) == ("99.500000001", "0.500000001", "99.00")
        assert (await admin.get("/quotas?kind=team&name=web")).json()["quotas"] == []
        assert (await admin.get("/quotas?kind=key")).json()["quotas"] == []
        assert problem(await admin.get("/quotas?name=ml")) == (400, "invalid_request", "kind")
        assert problem(await admin.get("/quotas?kind=moon")) == (400, "invalid_request", "kind")


async def test_a_change_that_is_sent_twice_counts_once(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        change = {"kind": "team", "name": "ml", "change": "add", "amount": "5"}
        once = {"idempotency-key": "invoice-7"}
        replies = [await admin.client(**once).post("/admin/api/quotas", json=change) for _ in range(2)]
        assert [reply.json()["quota"]["granted"] for reply in replies] == ["5.00", "5.00"]
        assert replies[0].json()["entry"] == "admin:hand:invoice-7"
        for other in ({"amount": "6"}, {"name": "web"}, {"change": "set"}):
            reply = await admin.client(**once).post("/admin/api/quotas", json={**change, **other})
            assert problem(reply) == (409, "idempotency_conflict", "idempotency-key"), other
        reply = await admin.client(**once).post("/admin/api/quotas", json={**change, "note": "again"})
        assert (reply.status, reply.json()["quota"]["granted"]) == (200, "5.00")
        assert [balance.consumer.name for balance in await admin.database.balances()] == ["ml"]
        reply = await admin.client(**{"idempotency-key": "a b"}).post("/admin/api/quotas", json=change)
        assert problem(reply) == (400, "invalid_request", "idempotency-key")


async def test_a_balance_has_an_end(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        most = in_dollars(MOST)
        change = {"kind": "team", "name": "ml", "change": "set", "amount": most}
        assert (await admin.post("/quotas", change)).status == 200
        more = {**change, "change": "add", "amount": "0.000000001"}
        assert problem(await admin.post("/quotas", more)) == (400, "invalid_request", "amount")
        less = {**change, "change": "add", "amount": f"-{most}"}
        assert [(await admin.post("/quotas", less)).status for _ in range(3)] == [200, 200, 400]
        assert (await admin.get("/quotas")).json()["quotas"][0]["left"] == f"-{most}"


async def test_a_change_of_a_balance_counts_at_once(serve: Serve, tmp_path: Path) -> None:
    caller = {"authorization": "Bearer gk-ann"}
    text = ADMIN.replace(
        "auth: {", "quotas: {}\nauth: {mode: keys, keys: [{name: ann, hash: '" + digest("gk-ann") + "'}], "
    )
    prices = "prices: {alpha/*: {input: 0, output: 1000}}\n"
    async with office(serve, tmp_path, text + prices + HOUSE) as admin:
        served = admin.served
        served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10))))
        writer = served.gateway.house.sinks.get("ledger")
        assert isinstance(writer, LedgerWriter)
        await writer.database.open()
        change = {"kind": "key", "name": "ann", "change": "set"}
        body = chat(max_tokens=10)
        assert (await admin.post("/quotas", {**change, "amount": "1"})).status == 200
        assert (await served.client.post("/alpha/v1/chat/completions", body, headers=caller)).status == 200
        await asyncio.sleep(0.001)
        assert (await admin.post("/quotas", {**change, "amount": "0"})).status == 200
        assert (await served.client.post("/alpha/v1/chat/completions", body, headers=caller)).status == 402
        assert (await admin.post("/quotas", {**change, "change": "add", "amount": "0.01"})).status == 200
        assert (await served.client.post("/alpha/v1/chat/completions", body, headers=caller)).status == 200
        await writer.database.close()


BAD_CHANGES: dict[str, tuple[object, str | None]] = {
    "a balance below zero": ({"change": "set", "amount": "-1"}, "amount"),
    "nothing": ({"change": "add", "amount": "0.00"}, "amount"),
    "a number": ({"amount": 1.1}, "amount"),
    "no number": ({"amount": "NaN"}, "amount"),
    "an exponent": ({"amount": "1e9"}, "amount"),
    "finer than is counted": ({"amount": "0.0000000001"}, "amount"),
    "more than there is": ({"amount": "1000000000"}, "amount"),
    "another kind": ({"kind": "moon"}, "kind"),
    "a name with a NUL": ({"name": "a\0b"}, "name"),
    "a note over several lines": ({"note": "a\nb"}, "note"),
    "no name": ({"name": ""}, "name"),
    "another change": ({"change": "steal"}, "change"),
    "another member": ({"give": 1}, None),
    "a long note": ({"note": "x" * 501}, "note"),
}


@pytest.mark.parametrize("name", BAD_CHANGES)
async def test_a_bad_change_is_refused(name: str, serve: Serve, tmp_path: Path) -> None:
    changed, param = BAD_CHANGES[name]
    async with office(serve, tmp_path) as admin:
        change = {"kind": "team", "name": "ml", "change": "add", "amount": "5", **(changed or {})}  # type: ignore[dict-item]
        assert problem(await admin.post("/quotas", change)) == (400, "invalid_request", param)
        assert await admin.database.balances() == ()


async def test_a_body_that_is_none_is_refused(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        client = admin.client()
        for body in (b"", b"{", b"\xff", b'"'):
            reply = await client.post("/admin/api/quotas", body=body)
            assert problem(reply)[1:] == ("malformed_body", None), body[:5]
        assert problem(await client.post("/admin/api/quotas", body=b"[]")) == (400, "invalid_request", None)
        reply = await client.post("/admin/api/quotas", body=b"x" * 70_000)
        assert problem(reply)[:2] == (413, "body_too_large")
        slow = client.connect("POST", "/admin/api/quotas", body=b"{", whole=False, length=False)
        assert await slow.head() == 408
        await slow.wait()


async def test_what_is_changed_is_logged_with_who_did_it(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        change = {"kind": "team", "name": "ml", "change": "add", "amount": "5", "note": "for November"}
        await admin.post("/quotas", change)
        await admin.post("/targets/restore", {"provider": "alpha"})
        await admin.post("/reload")
        events = {line["event"]: line for line in admin.served.log() if "by" in line}
        assert list(events) == ["quota changed", "target restored", "reload asked for"]
        assert {line["by"] for line in events.values()} == {"hand"}
        assert events["quota changed"]["amount"] == "5"


async def test_keys_are_listed_and_never_shown(serve: Serve, tmp_path: Path) -> None:
    keys = (
        f"auth:\n  mode: keys\n  keys:\n    - {{name: ci, hash: '{digest(key_text(7))}', team: ml, routers: [solo]}}\n"
        f"    - {{name: gone, hash: '{digest(key_text(8))}', expires: 2001-01-01}}\n"
    )
    text = ADMIN.replace("auth: {pepper: '${env:PEPPER}'}\n", keys).split("    - {name: keyed")[0] + HOUSE
    async with office(serve, tmp_path, text) as admin:
        reply = await admin.get("/keys")
        ci, gone = reply.json()["keys"]
        assert (ci["name"], ci["team"], ci["routers"], ci["state"]) == ("ci", "ml", ["solo"], "active")
        assert (gone["name"], gone["state"]) == ("gone", "expired")
        assert "sha256" not in reply.text


async def test_targets_are_told_and_restored(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        page = (await admin.get("/targets")).json()
        assert page["worker"] == admin.served.runtime.name
        assert {(key["provider"], key["name"]) for key in page["keys"]} >= {("pool", "one"), ("pool", "two")}
        pool = next(iter(admin.served.gateway.serving.pools()["pool"]))
        now = admin.served.runtime.clock.monotonic()
        held = pool.pick(now)
        assert held is not None
        pool.quarantine(held, now)
        states = {key["name"]: key["state"] for key in (await admin.get("/targets")).json()["keys"]}
        assert states["one"] == "quarantined"
        assert (await admin.post("/targets/restore", {"provider": "pool"})).json()["keys"] == 1
        states = {key["name"]: key["state"] for key in (await admin.get("/targets")).json()["keys"]}
        assert states["one"] == "active"
        for key in KEYS.values():
            assert key not in (await admin.get("/targets")).text
        missing = await admin.post("/targets/restore", {"provider": "moon"})
        assert problem(missing) == (404, "not_found", "provider")
        missing = await admin.post("/targets/restore", {"provider": "pool", "model": "moon"})
        assert problem(missing) == (404, "not_found", "model")


async def test_the_config_is_told_without_its_secrets(serve: Serve, tmp_path: Path) -> None:
    text = ADMIN + HOUSE.replace("'${env:BETA_1}'", "sk-typed-in-0000000000000000")
    async with office(serve, tmp_path, text) as admin:
        reply = await admin.get("/config")
        page = reply.json()
        assert page["hash"] == admin.served.gateway.house.hash
        assert page["files"] == [str(admin.served.path)]
        assert page["rejected"] == []
        assert "solo" in page["config"]["routers"]
        assert "sk-typed-in" not in reply.text
        assert PEPPER not in reply.text
        assert KEYS["ALPHA_1"] not in reply.text


async def test_a_reload_is_answered_when_it_is_done(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        path = admin.served.path
        path.write_text(ADMIN + HOUSE + "default-router: solo\n")
        reply = await admin.post("/reload")
        assert reply.json()["hash"] == admin.served.gateway.house.hash
        assert admin.served.gateway.spec.default_router == "solo"
        path.write_text(ADMIN + HOUSE + "default-router: moon\n")
        reply = await admin.post("/reload")
        assert problem(reply) == (409, "config_rejected", None)
        assert "moon" in reply.json()["error"]["message"]
        assert len((await admin.get("/config")).json()["rejected"]) == 1


async def test_a_ledger_that_moves_is_asked_where_it_is(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(1)
        assert len((await admin.get("/records?since=7d")).json()["rows"]) == 1
        text = admin.served.path.read_text()
        assert await admin.served.rewrite(text.replace("ledger.db", "other.db"))
        moved = admin.served.gateway.ledger()
        assert moved is not None
        await moved.migrate()
        assert (await admin.get("/records?since=7d")).json()["rows"] == []
        assert await admin.served.rewrite(text.partition("\n")[2])
        assert problem(await admin.get("/records")) == (404, "ledger_off", None)


async def test_sinks_and_their_troubles_are_told(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        assert (await admin.get("/sinks")).json()["sinks"] == [{"name": "ledger", "trouble": None}]


async def test_the_document_is_the_one_that_is_kept(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        assert (await admin.get("/openapi.json")).json() == msgspec.json.decode(msgspec.json.encode(openapi()))


async def test_other_methods_and_paths_are_refused(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        client = admin.client()
        reply = await client.request("DELETE", "/admin/api/quotas")
        assert problem(reply) == (405, "method_not_allowed", None)
        assert reply.headers["allow"] == "GET, POST"
        for path in ("/admin/", "/admin/api", "/admin/api/usage/", "/admin/api/%2e%2e/usage"):
            assert problem(await client.get(path)) == (404, "not_found", None), path
        head = await client.request("HEAD", "/admin/api/keys")
        assert (head.status, head.body) == (200, b"")
        head = await client.request("HEAD", "/admin/api/records?format=csv")
        assert (head.status, head.body) == (200, b"")


DOCS: Final = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def curls() -> list[list[str]]:
    lines = "".join(blocks("admin-api.md", "sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


async def test_every_curl_of_the_page_is_answered(serve: Serve, tmp_path: Path) -> None:
    async with office(serve, tmp_path) as admin:
        await admin.rows(3)
        asked = curls()
        assert len(asked) > 8
        for words in asked:
            path = next(word for word in words if word.startswith("$A")).removeprefix("$A")
            headers = dict(word.split(": ", 1) for word in words if re.match(r"[a-z-]+: ", word))
            headers["authorization"] = f"Bearer {WRITER}"
            body = words[words.index("-d") + 1].replace("openai", "alpha").encode() if "-d" in words else b""
            method = "POST" if body or "POST" in words else "GET"
            reply = await AsgiClient(admin.served.app, headers).request(method, f"/admin/api{path}", body=body)
            assert reply.status == 200, (words, reply.text)


async def test_every_sql_of_the_page_is_understood(tmp_path: Path) -> None:
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.open()
    await database.insert([record(team="ml", time=1_793_880_000.0), record(id="2", cost=None)])
    await database.close()
    queries = blocks("finance.md", "sql")
    assert len(queries) == 4
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        by_team, *_ = [connection.execute(query).fetchall() for query in queries]
    assert by_team == [("ml", 1, 0.0038, 0, 0.0)]


async def test_what_is_changed_or_refused_has_a_line_in_the_audit_log(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    quiet = f"audit: {{path: '{log}'}}\nglobal: {{privacy: {{log: none}}}}\n"
    async with office(serve, tmp_path, quiet + ADMIN + HOUSE) as admin:
        sink = admin.served.runtime.sinks.get("audit")
        assert sink is not None
        await sink.open()
        change = {"kind": "team", "name": "ml", "change": "set", "amount": "5", "note": f"for {READER}"}
        assert (await admin.post("/quotas", change)).status == 200
        assert (await admin.post("/quotas", change, key=READER)).status == 403
        assert (await admin.post("/targets/restore", {"provider": "elsewhere"})).status == 404
        await admin.get("/quotas")
        await sink.close()
    text = log.read_text()
    assert READER not in text
    assert WRITER not in text
    schema = Draft202012Validator(json.loads((Path(__file__).parents[2] / "schemas" / "audit.schema.json").read_text()))
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        schema.validate(line)
    said = [(line["caller"], line["request"]["path"], line["response"]["error_code"]) for line in lines]
    assert said == [
        ("admin:hand", "/admin/api/quotas", ""),
        ("admin:eye", "/admin/api/quotas", "access_denied"),
        ("admin:hand", "/admin/api/targets/restore", "not_found"),
    ]
    assert [line.get("change", {}).get("event") for line in lines] == ["quota changed", None, None]
    assert lines[0]["change"]["fields"] == {"kind": "team", "name": "ml", "change": "set", "amount": "5"}
    assert [line["cost"]["amount"] for line in lines] == [0, 0, 0]


async def test_a_change_that_is_broken_off_is_not_written_down_as_done(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def enter(_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.Event().wait()

    log = tmp_path / "audit.jsonl"
    async with office(serve, tmp_path, f"audit: {{path: '{log}'}}\n" + ADMIN + HOUSE) as admin:
        monkeypatch.setattr(admin.database, "enter", enter)
        sink = admin.served.runtime.sinks.get("audit")
        assert sink is not None
        await sink.open()
        change = {"kind": "team", "name": "ml", "change": "set", "amount": "5"}
        await asyncio.gather(admin.post("/quotas", change), return_exceptions=True)
        await sink.close()
    [line] = [json.loads(text) for text in log.read_text().splitlines()]
    assert (line["response"]["outcome"], line["response"]["error_code"]) == ("error", "internal_error")
