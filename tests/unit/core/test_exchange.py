from __future__ import annotations

from typing import get_args

from gateway.core.exchange import GROUP_OF, Call, Exchange, Group, Handler, Layer, Operation, Reply, stack


def exchange() -> Exchange:
    call = Call("openai", "chat", "/chat/completions")
    return Exchange("1", "POST", "/chat/completions", b"", [], b"", call, "prod", 1.0, 2.0)


def test_every_operation_has_a_group_and_every_group_an_operation() -> None:
    assert set(GROUP_OF) == set(get_args(Operation))
    assert set(GROUP_OF.values()) == set(get_args(Group))


def test_two_exchanges_share_no_list() -> None:
    one, other = exchange(), exchange()
    one.on_settle.append(lambda settled: None)
    one.attempts.clear()
    assert one.attempts is not other.attempts
    assert other.on_settle == []


def test_an_exchange_is_itself_and_nothing_equal_to_it() -> None:
    one = exchange()
    assert one == one
    assert one != exchange()


async def test_the_first_layer_is_the_outermost() -> None:
    order: list[str] = []

    def named(name: str) -> Layer:
        def layer(inner: Handler) -> Handler:
            async def handle(exchange: Exchange) -> Reply:
                order.append(f"{name} in")
                reply = await inner(exchange)
                order.append(f"{name} out")
                return reply

            return handle

        return layer

    async def innermost(exchange: Exchange) -> Reply:
        order.append("innermost")
        return Reply(200, [], b"")

    await stack([named("a"), named("b")], innermost)(exchange())
    assert order == ["a in", "b in", "innermost", "b out", "a out"]


def test_no_layers_are_the_innermost_itself() -> None:
    async def innermost(exchange: Exchange) -> Reply:
        return Reply(200, [], b"")

    assert stack([], innermost) is innermost
