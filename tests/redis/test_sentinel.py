"""A store behind sentinels: its primary is found, and found again when another has taken its place."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.policy.token_bucket import LARGEST, Rate
from gateway.store.library_link import LibraryLink
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import StoreDown, Take
from gateway.store.redis_limits import RedisLimits
from gateway.store.redis_link import RedisLink
from tests.support.loopback import unused_port
from tests.support.redis_server import RedisServer, run_server, wait_until, wanted_binary
from tests.support.store_link import Told, linked

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("client")]

SLOW = Rate(10, LARGEST // 10)
ONE = [Take("a", SLOW, 1)]


class Watched:
    """A primary, its replica, and a sentinel that needs nobody's consent."""

    def __init__(self, primary: RedisServer, replica: RedisServer, sentinel: RedisServer) -> None:
        self.primary = primary
        self.replica = replica
        self.sentinel = sentinel

    def url(self, service: str = "main", *, before: str = "") -> str:
        return f"redis+sentinel://{before}127.0.0.1:{self.sentinel.port}/{service}"


@pytest.fixture
def watched(server_kind: str, tmp_path: Path) -> Iterator[Watched]:
    binary = wanted_binary(server_kind)
    with run_server(server_kind, tmp_path) as primary, run_server(server_kind, tmp_path) as replica:
        replica.cli("REPLICAOF", "127.0.0.1", primary.port)
        wait_until(lambda: "master_link_status:up" in str(replica.cli("INFO", "replication")), "the replica follows")
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"sentinel monitor main 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds main 300\n"
            "sentinel failover-timeout main 2000\n"
        )
        sentinel = RedisServer(binary, tmp_path, "--sentinel", config=config)
        sentinel.start()
        try:
            wait_until(lambda: len(as_list(sentinel.cli("SENTINEL", "REPLICAS", "main"))) == 1, "the replica is known")
            yield Watched(primary, replica, sentinel)
        finally:
            sentinel.kill()


def as_list(reply: object) -> list[object]:
    return reply if isinstance(reply, list) else []


@pytest.mark.parametrize(
    ("server_kind", "client"),
    [("redis", RedisLink), ("valkey", RedisLink), ("redis", LibraryLink)],
    ids=["redis-lean", "valkey-lean", "redis-redis-py"],
    indirect=["client"],
)
async def test_a_replica_that_was_promoted_is_found_and_a_wrong_name_is_told(watched: Watched) -> None:
    async with linked(watched.url("other")) as link:
        with pytest.raises(StoreDown, match="knows no service 'other'"):
            await link.command("GET", "t:a")
    told = Told()
    silent = f"127.0.0.1:{unused_port()},"
    async with linked(watched.url(before=silent), told) as link:
        store = RedisLimits(link, "t:", "closed", MemoryLimits(time.monotonic, "local"))
        assert (await store.take(ONE)).granted
        assert watched.primary.cli("DBSIZE") != 0
        watched.primary.kill()
        promoted = False
        # It is away for whoever asks before another is promoted, and on a slow machine nobody may.
        while not promoted and "store is away" not in told.events():
            with contextlib.suppress(StoreDown):
                await store.take(ONE)
                promoted = "role:master" in str(watched.replica.cli("INFO", "replication"))
        if not promoted:
            await told.wait_for("store is back")
        assert (await store.take(ONE)).by == "store"
        assert "role:master" in str(watched.replica.cli("INFO", "replication"))


async def test_sentinels_that_are_all_away_are_named(client: type[RedisLink | LibraryLink]) -> None:
    async with linked(f"redis+sentinel://127.0.0.1:{unused_port()},127.0.0.1:{unused_port()}/main") as link:
        with pytest.raises(StoreDown) as raised:
            await link.command("GET", "t:a")
    # The library does not say why it reaches none of them.
    assert raised.value.kind == ("refused" if client is RedisLink else "unreachable")


async def test_a_server_that_is_no_sentinel_is_named(server: RedisServer) -> None:
    async with linked(f"redis+sentinel://127.0.0.1:{server.port}/main") as link:
        with pytest.raises(StoreDown, match="unknown command"):
            await link.command("GET", "t:a")
