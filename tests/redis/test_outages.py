"""What a store's troubles look like from here: each is named, told once, costs at most one deadline, and ends by itself
when it is mended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from gateway.policy.token_bucket import LARGEST, Rate
from gateway.store.link import Script
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import StoreDown, Take
from gateway.store.redis_limits import OnOutage, RedisLimits
from tests.support.loopback import Connection, serve, unused_port
from tests.support.redis_server import KINDS, RedisServer, run_server
from tests.support.store_link import Told, at_once, linked

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("client")]

SLOW = Rate(10, LARGEST // 10)
ONE = [Take("a", SLOW, 1)]
FOREVER = Script("forever", "while true do end")
SHORT = 0.25


@contextlib.asynccontextmanager
async def limits(url: str, told: Told, on_outage: OnOutage, timeout: float = 5.0) -> AsyncIterator[RedisLimits]:
    async with linked(url, told, timeout) as link:
        yield RedisLimits(link, "t:", on_outage, MemoryLimits(time.monotonic, "local"))


async def failing(store: RedisLimits) -> StoreDown:
    with pytest.raises(StoreDown) as raised:
        await store.take(ONE)
    return raised.value


async def test_a_killed_server_is_told_once_and_found_again(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "closed") as store:
        assert (await store.take(ONE)).granted
        server.kill()
        await told.wait_for("store is away")
        faults = [await failing(store) for _ in range(100)]
        assert {fault.kind for fault in faults} == {"refused"}
        assert f"the store at 127.0.0.1:{server.port} refuses the connection" in str(faults[0])
        server.start()
        await told.wait_for("store is back")
        assert (await store.take(ONE)).by == "store"
    assert told.events() == ["store is away", "store is back"]
    assert told.lines[0][2]["kind"] == "refused"


@pytest.mark.parametrize("on_outage", ["local", "open"])
async def test_no_check_is_lost_when_a_server_is_killed_in_the_middle(server: RedisServer, on_outage: OnOutage) -> None:
    """Five thousand checks, from 32 tasks, and the server killed and started again under them: each is decided, and no
    more is granted than the bound."""
    told = Told()
    capacity = 1_000
    rate = Rate(capacity, LARGEST // capacity)
    granted: dict[str, int] = {"store": 0, "local": 0, "open": 0}
    decided = 0

    async with limits(server.url, told, on_outage) as store:

        async def ask(count: int) -> None:
            nonlocal decided
            for _ in range(count):
                grant = await store.take([Take("a", rate, 1)])
                granted[grant.by] += grant.granted
                decided += 1

        async def break_and_mend() -> None:
            while decided < 500:
                await asyncio.sleep(0)
            server.kill()
            await told.wait_for("store is away")
            server.start()
            await told.wait_for("store is back")

        await asyncio.gather(break_and_mend(), *(ask(150) for _ in range(32)))
        await ask(200)
        assert decided == 5_000
        assert (await store.take([Take("b", rate, 1)])).by == "store"
    assert granted["local"] <= capacity
    assert (granted["local"] > 0) == (on_outage == "local")
    # The server came back without its memory: a full bucket before, and another after.
    assert granted["store"] <= 2 * capacity


async def test_under_closed_nothing_is_let_through(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "closed") as store:
        server.kill()
        await told.wait_for("store is away")
        await failing(store)
    assert told.errors


async def test_under_local_a_process_grants_its_capacity_once_however_often_the_store_goes(server: RedisServer) -> None:
    told = Told()
    granted = 0
    async with limits(server.url, told, "local") as store:
        for _ in range(3):
            server.kill()
            await told.wait_for("store is away")
            for _ in range(20):
                grant = await store.take(ONE)
                assert grant.by == "local"
                granted += grant.granted
            server.start()
            await told.wait_for("store is back")
            assert (await store.take([Take("other", SLOW, 1)])).by == "store"
    assert granted == 10


async def test_a_server_that_was_away_at_the_start_is_found(tmp_path: Path) -> None:
    with run_server("redis", tmp_path) as server:
        server.kill()
        told = Told()
        async with limits(server.url, told, "local") as store:
            assert (await store.take(ONE)).by == "local"
            server.start()
            await told.wait_for("store is back")
            assert (await store.take(ONE)).by == "store"


async def test_a_connection_that_was_only_closed_is_no_outage(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "closed") as store:
        for _ in range(5):
            await store.take(ONE)
            server.cli("CLIENT", "KILL", "TYPE", "normal")
            # The close is on its way; whichever side of it the check falls, it fails as `lost` at most once.
            with contextlib.suppress(StoreDown):
                await store.take(ONE)
            assert (await store.take(ONE)).by == "store"
            server.cli("FLUSHALL")
    assert told.events() == []
    assert set(told.errors) <= {"lost"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_password_is_named_and_never_shown(kind: str, tmp_path: Path) -> None:
    with run_server(kind, tmp_path, password="right-0123456789") as server:
        wrong = server.url.replace("right-0123456789", "wrong-0123456789")
        told = Told()
        async with limits(wrong, told, "closed") as store:
            fault = await failing(store)
            assert fault.kind == "auth"
            assert str(fault) == ("the store answers WRONGPASS: it refuses the user name or password of store.url")
        none = server.url.replace(":right-0123456789@", "")
        async with limits(none, told, "closed") as store:
            fault = await failing(store)
            assert (fault.kind, "write redis://:PASSWORD@host into store.url" in str(fault)) == ("auth", True)
        async with limits(server.url, told, "closed") as store:
            assert (await store.take(ONE)).granted
    assert "0123456789" not in repr(told.lines)


async def test_a_password_where_none_is_wanted_is_named(server: RedisServer) -> None:
    async with limits(server.url.replace("//", "//:secret-0123456789@"), Told(), "closed") as store:
        fault = await failing(store)
        assert fault.kind == "auth"
        assert "has no password" in str(fault) or "WRONGPASS" in str(fault)
        assert "secret" not in str(fault)


async def test_a_password_that_is_changed_takes_effect_at_the_next_connection(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "closed") as store:
        await store.take(ONE)
        server.cli("CONFIG", "SET", "requirepass", "new-0123456789")
        server.kill_connections("new-0123456789")
        await told.wait_for("store is away")
        assert (await failing(store)).kind == "auth"


async def test_a_user_without_rights_is_named(server: RedisServer) -> None:
    server.cli("ACL", "SETUSER", "guest", "on", ">guest-0123456789", "~other:*", "+@all")
    url = server.url.replace("//", "//guest:guest-0123456789@")
    async with limits(url, Told(), "closed") as store:
        fault = await failing(store)
        assert fault.kind == "permission"
        assert "its user may not do this" in str(fault)


async def test_the_rights_that_are_asked_for_are_enough(server: RedisServer) -> None:
    rights = ["+@read", "+@write", "+@scripting", "+@connection", "+time"]
    server.cli("ACL", "SETUSER", "guest", "on", ">guest-0123456789", "~t:*", *rights)
    async with limits(server.url.replace("//", "//guest:guest-0123456789@"), Told(), "closed") as store:
        assert (await store.take(ONE)).granted
        store.settle([(ONE[0], 1)])
        while (await store.take([Take("a", SLOW, 0)])).standings[0].remaining != 10:
            pass


async def test_full_memory_is_named_and_mended(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "closed") as store:
        await store.take(ONE)
        server.cli("CONFIG", "SET", "maxmemory", "1")
        fault = await failing(store)
        assert fault.kind == "full"
        assert "raise its `maxmemory`" in str(fault)
        server.cli("CONFIG", "SET", "maxmemory", "0")
        await told.wait_for("store is back")
        assert (await store.take(ONE)).granted


async def test_a_read_only_replica_is_named_and_mended(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "closed") as store:
        await store.take(ONE)
        server.cli("REPLICAOF", "127.0.0.1", unused_port())
        fault = await failing(store)
        assert fault.kind in ("read-only", "loading")
        assert "replica" in str(fault)
        server.cli("REPLICAOF", "NO", "ONE")
        await told.wait_for("store is back")
        assert (await store.take(ONE)).granted


async def test_a_script_of_somebody_that_blocks_the_server_is_named_and_mended(server: RedisServer) -> None:
    server.cli("CONFIG", "SET", "lua-time-limit", "50")
    told = Told()
    async with linked(server.url) as other, limits(server.url, told, "closed", SHORT) as store:
        blocking = asyncio.create_task(other.script(FOREVER, ["t:x"], []))
        while (await failing_or_none(store)) is None:
            pass
        await told.wait_for_reason("`SCRIPT KILL` ends that")
        assert (await failing(store)).kind == "busy"
        assert server.cli("SCRIPT", "KILL") == b"OK"
        with pytest.raises(StoreDown) as raised:
            await blocking
        assert raised.value.kind == "killed"
        await told.wait_for("store is back")
        assert (await store.take(ONE)).granted


async def failing_or_none(store: RedisLimits) -> StoreDown | None:
    try:
        await store.take([Take("free", SLOW, 0)])
    except StoreDown as fault:
        return fault
    return None


async def test_a_script_that_is_killed_is_the_fault_of_that_call_alone(server: RedisServer) -> None:
    server.cli("CONFIG", "SET", "lua-time-limit", "50")
    told = Told()
    async with linked(server.url, told) as link:
        running = asyncio.create_task(link.script(FOREVER, ["t:x"], []))
        while server.cli("SCRIPT", "KILL") != b"OK":
            await asyncio.sleep(0.01)
        with pytest.raises(StoreDown, match="ended our script") as raised:
            await running
        assert raised.value.kind == "killed"
        assert await link.command("PING") == b"PONG"
    assert told.events() == []


async def test_a_server_that_stops_answering_costs_one_deadline(server: RedisServer) -> None:
    told = Told()
    async with limits(server.url, told, "local", SHORT) as store:
        await store.take(ONE)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            grants = await asyncio.gather(*(store.take(ONE) for _ in range(50)))
            grants += [at_once(store.take(ONE)) for _ in range(50)]
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert {grant.by for grant in grants} == {"local"}
        await told.wait_for("store is back")
        assert (await store.take(ONE)).by == "store"
    assert told.lines[0][2]["kind"] == "timeout"


async def test_what_never_answers_is_a_timeout() -> None:
    async def silent(connection: Connection) -> None:
        await connection.wait_closed_by_client()

    async with serve(silent) as nobody:
        told = Told()
        async with limits(f"redis://127.0.0.1:{nobody.port}", told, "closed", SHORT) as store:
            faults = [await failing(store)]
            for _ in range(50):
                with pytest.raises(StoreDown) as raised:
                    at_once(store.take(ONE))
                faults.append(raised.value)
        assert {fault.kind for fault in faults} == {"timeout"}
        assert told.events() == ["store is away"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"$-7\r\n",
        b"*99999999999\r\n",
        b":12a\r\n",
    ],
)
async def test_what_does_not_speak_the_protocol_is_named(answer: bytes) -> None:
    async def babble(connection: Connection) -> None:
        await connection.write(answer)
        await connection.wait_closed_by_client()

    async with serve(babble) as other, limits(f"redis://127.0.0.1:{other.port}", Told(), "closed") as store:
        fault = await failing(store)
        assert fault.kind == "garbage"
        assert "does not speak Redis' protocol" in str(fault)


async def test_a_reply_that_is_not_the_scripts_is_named() -> None:
    """Something that says OK to everything is a Redis no more than something that cannot be read."""

    async def agree(connection: Connection) -> None:
        while await connection.read_some():
            await connection.write(b"+OK\r\n")

    async with serve(agree) as other, limits(f"redis://127.0.0.1:{other.port}", Told(), "closed") as store:
        assert (await failing(store)).kind == "garbage"


async def test_tls_is_spoken_to_a_server_whose_authority_is_named(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {name: str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem")}
    authority.cert_pem.write_to_path(files["ca.pem"])
    certificate.cert_chain_pems[0].write_to_path(files["cert.pem"])
    certificate.private_key_pem.write_to_path(files["key.pem"])
    options = (
        "--tls-cert-file", files["cert.pem"], "--tls-key-file", files["key.pem"], "--tls-ca-cert-file", files["ca.pem"],
        "--tls-auth-clients", "no",
    )  # fmt: skip
    with run_server("redis", tmp_path, *options, tls=True) as server:
        told = Told()
        plain = f"127.0.0.1:{server.port}"
        async with limits(f"rediss://{plain}?ssl_ca_certs={files['ca.pem']}", told, "closed") as store:
            assert (await store.take(ONE)).granted
        assert told.events() == []
        async with limits(f"rediss://{plain}", told, "closed") as store:
            fault = await failing(store)
            assert fault.kind == "tls"
            assert "see `?ssl_ca_certs=` in store.url" in str(fault)
        async with limits(f"rediss://{plain}?ssl_ca_certs={tmp_path}/none.pem", told, "closed") as store:
            fault = await failing(store)
            assert (fault.kind, "cannot be read" in str(fault)) == ("tls", True)
