from __future__ import annotations

from gateway.core.secret import Secret
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.target import Target
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.providers.row import Surface
from gateway.upstream.transport import UpstreamReply, UpstreamRequest


class NoTransport:
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("nothing here is sent")

    async def close(self) -> None: ...


def target(surface: Surface) -> Target:
    endpoint = Endpoint(
        name="p",
        title="P",
        origin="http://127.0.0.1:9",
        surfaces=(surface,),
        auth="bearer",
        pool=KeyPool([], 60.0, 300.0),
        transport=NoTransport(),
    )
    return Target(
        index=0,
        weight=1,
        priority=0,
        endpoint=endpoint,
        site=endpoint.surfaces[0],
        url="",
        model="m",
        label="m",
        load=TargetLoad(),
        context=0,
        ask_usage=False,
        region="",
        reply_headers=[],
    )


def test_the_header_of_a_key_is_made_once() -> None:
    aim = target(Surface(dialect="openai", operations=("chat",)))
    key = Secret("main", "K")
    assert aim.authorization(key) == ("authorization", "Bearer K")
    assert aim.authorization(key) is aim.authorization(key)


def test_two_keys_of_one_name_are_two() -> None:
    aim = target(Surface(dialect="openai", operations=("chat",)))
    assert aim.authorization(Secret("main", "K")) == ("authorization", "Bearer K")
    assert aim.authorization(Secret("main", "L")) == ("authorization", "Bearer L")


def test_a_key_goes_the_way_of_the_surface_that_is_asked() -> None:
    aim = target(Surface(dialect="anthropic", operations=("messages",), auth="x-api-key"))
    assert aim.authorization(Secret("main", "K")) == ("x-api-key", "K")


def test_no_header_is_remembered_too() -> None:
    aim = target(Surface(dialect="openai", operations=("chat",), auth="none"))
    key = Secret("none", "")
    assert aim.authorization(key) is None
    assert aim.authorization(key) is None
