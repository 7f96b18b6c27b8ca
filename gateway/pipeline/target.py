"""A target: an endpoint and the model to ask it for, at one place of a router's list."""

from __future__ import annotations

from gateway.core.exchange import Headers
from gateway.core.secret import Secret
from gateway.dialects.translate import Way
from gateway.dialects.translate_whole import WholeWay
from gateway.pipeline.endpoint import Endpoint, Site, authorization
from gateway.policy.load import TargetLoad


class Target:
    """What a router may choose for one kind of call.

    index, weight and priority are the list entry's; load outlives the config. model is what the
    provider is asked for, `` where the operation has none; asked is what it is called there. context: its window in
    tokens, 0 where not known. reply_headers tell the client what was chosen. way: how the client's format becomes the
    provider's, None where they are one and bytes pass through.
    """

    __slots__ = (
        "_auth", "ask_usage", "asked", "context", "endpoint", "index", "label", "load", "model", "priority", "region",
        "reply_headers", "site", "url", "way", "weight",
    )  # fmt: skip

    def __init__(
        self,
        *,
        index: int,
        weight: int,
        priority: int,
        endpoint: Endpoint,
        site: Site,
        url: str,
        model: str,
        label: str,
        load: TargetLoad,
        context: int,
        ask_usage: bool,
        region: str,
        reply_headers: Headers,
        way: Way | WholeWay | None = None,
    ) -> None:
        self.index = index
        self.weight = weight
        self.priority = priority
        self.endpoint = endpoint
        self.site = site
        self.url = url
        self.model = model
        self.label = label
        self.load = load
        self.context = context
        self.ask_usage = ask_usage
        self.region = region
        self.reply_headers = reply_headers
        self.way = way
        self.asked = endpoint.deployed.get(model, model)
        # One for all targets of the endpoint, as everything is that can be: with a thousand routers asked in turn,
        # what each has for itself is what the processor's caches have lost.
        self._auth = endpoint.authorizations.setdefault(site.auth, {})

    def authorization(self, key: Secret) -> tuple[str, str] | None:
        """The header that carries `key` here; made once for each key."""
        try:
            return self._auth[key]
        except KeyError:
            header = self._auth[key] = authorization(self.site.auth, key)
            return header
