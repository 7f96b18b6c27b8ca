"""A route: one handler for each kind of request, and the model list that it answers itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, get_args
from urllib.parse import unquote

from gateway.core.access import Access
from gateway.core.errors import GatewayError
from gateway.core.exchange import GROUP_OF, Call, Exchange, Group, Handler, Operation, Reply
from gateway.dialects.model_list import render_models

_PLACE: Final[Mapping[Operation, int]] = {
    operation: get_args(Group).index(group) for operation, group in GROUP_OF.items()
}


class Route:
    """Chooses the handler by what is asked.

    handlers: by group. models: the names to list for a caller, with the provider of each. own_list: the list is the
    provider's own to give, but to a caller who may not see all of it.
    """

    __slots__ = ("_handlers", "_models", "_name", "_own_list", "_serves")

    def __init__(
        self,
        name: str,
        handlers: Mapping[Group, Handler],
        models: Callable[[Access | None], Mapping[str, str]],
        *,
        own_list: bool = False,
    ) -> None:
        fallback = handlers.get("default")
        self._name = name
        self._models = models
        self._own_list = own_list
        self._serves = ", ".join(handlers)
        self._handlers = tuple(handlers.get(group, fallback) for group in get_args(Group))

    async def __call__(self, exchange: Exchange) -> Reply:
        call = exchange.call
        if call.operation == "models" and (exchange.access is not None or not self._own_list):
            return self._list(exchange)
        handler = self._handlers[_PLACE[call.operation]]
        if handler is None:
            raise GatewayError("operation_not_served", f"{self._name} {self._lack(call)}")
        return await handler(exchange)

    def _lack(self, call: Call) -> str:
        if call.operation == "other":
            return (
                f"does not know the path {call.suffix!r}, and its load-balance has no `default`, to which such go. "
                "Paths of a provider's own are served at /<provider>/..."
            )
        return f"does not serve {call.operation!r}; its load-balance has: {self._serves}."

    def _list(self, exchange: Exchange) -> Reply:
        models = self._models(exchange.access)
        wanted = unquote(exchange.call.suffix.partition("/models/")[2])
        if wanted:
            if wanted not in models:
                raise GatewayError("model_not_found", f"{self._name} lists no model {wanted!r}.", param="model")
            models = {wanted: models[wanted]}
        body = render_models(exchange.call.dialect, models, single=bool(wanted))
        return Reply(200, [(b"content-type", b"application/json")], body)
