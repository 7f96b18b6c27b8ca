from __future__ import annotations

import asyncio

import pytest

from gateway.store.nonces import MemoryNonces, RedisNonces
from gateway.store.protocol import StoreDown
from tests.support.virtual_time import virtual_clock


class Commands:
    """A Redis that has one answer, or is away."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str | bytes | int, ...]] = []

    async def command(self, *parts: str | bytes | int) -> object:
        self.sent.append(parts)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def memory() -> MemoryNonces:
    return MemoryNonces(virtual_clock().monotonic, 3)


async def test_a_nonce_is_new_once_until_it_is_forgotten() -> None:
    nonces = memory()
    assert [await nonces.add("a", 10.0) for _ in range(2)] == [True, False]
    assert await nonces.add("b", 10.0)
    await asyncio.sleep(9.999)
    assert not await nonces.add("a", 10.0)
    await asyncio.sleep(0.001)
    assert await nonces.add("a", 10.0)


async def test_memory_is_bounded_and_says_so_instead_of_forgetting() -> None:
    nonces = memory()
    for name in "abc":
        assert await nonces.add(name, 10.0)
    with pytest.raises(StoreDown, match="Redis"):
        await nonces.add("d", 10.0)
    assert not await nonces.add("a", 10.0), "what is known is still told"
    assert len(nonces) == 3
    await asyncio.sleep(10.0)
    assert await nonces.add("d", 10.0)
    assert len(nonces) == 1


async def test_in_redis_one_command_asks_and_remembers() -> None:
    link = Commands(b"OK", None)
    nonces = RedisNonces(link, prefix="gw:", on_outage="closed", local=memory())
    assert [await nonces.add("ci:n", 600.5) for _ in range(2)] == [True, False]
    [first, second] = link.sent
    assert first == second
    assert (first[0], first[2:]) == ("SET", ("1", "NX", "PX", 600_500))
    assert str(first[1]).startswith("gw:nonce:")
    assert "ci" not in str(first[1]).removeprefix("gw:nonce:")


@pytest.mark.parametrize(("on_outage", "answers"), [("local", [True, False]), ("open", [True, True])])
async def test_while_redis_is_away_this_process_judges_or_nobody(on_outage: str, answers: list[bool]) -> None:
    link = Commands(StoreDown("away"), StoreDown("away"))
    nonces = RedisNonces(link, prefix="", on_outage=on_outage, local=memory())  # type: ignore[arg-type]
    assert [await nonces.add("a", 10.0) for _ in range(2)] == answers


async def test_or_it_cannot_be_said() -> None:
    nonces = RedisNonces(Commands(StoreDown("away")), prefix="", on_outage="closed", local=memory())
    with pytest.raises(StoreDown):
        await nonces.add("a", 10.0)
