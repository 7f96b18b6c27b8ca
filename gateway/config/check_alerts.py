"""Rules about `alerts`: webhooks that are told apart, told of something, and reached by an address."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from gateway.config.check_traces import outgoing_address
from gateway.config.problem import Problem
from gateway.config.subject import Rule, Subject
from gateway.core.events import KINDS

_SHORTEST_SECRET: Final = 16


def webhooks(subject: Subject) -> Iterator[Problem]:
    alerts = subject.spec.alerts
    if alerts is None:
        return
    if not alerts.webhooks:
        yield subject.origins.warning(
            "alerts-unheard",
            ("alerts",),
            "nobody is told: there are no `webhooks`",
            "add one, or leave `alerts` out",
            at_key=True,
        )
    seen: set[str] = set()
    for index, webhook in enumerate(alerts.webhooks):
        path = ("alerts", "webhooks", index)
        if webhook.name in seen:
            yield subject.origins.error(
                "webhook-twice",
                (*path, "name"),
                f"another webhook is called `{webhook.name}`",
                "give each its own name",
            )
        seen.add(webhook.name)
        yield from outgoing_address(subject, (*path, "url"), webhook.url)
        if webhook.secret is not None and len(webhook.secret) < _SHORTEST_SECRET:
            yield subject.origins.error(
                "webhook-secret-short",
                (*path, "secret"),
                f"a secret has at least {_SHORTEST_SECRET} characters",
                "make one with `openssl rand -hex 32`",
            )
        if webhook.secret is None and webhook.format == "json":
            yield subject.origins.warning(
                "webhook-unsigned",
                path,
                "who receives this cannot know that it is from here: there is no `secret`",
                "add `secret: ${env:NAME}`, and let the receiver check the signature",
            )


def events_of_webhooks(subject: Subject) -> Iterator[Problem]:
    for index, webhook in enumerate(subject.spec.alerts.webhooks if subject.spec.alerts is not None else ()):
        for place, pattern in enumerate(webhook.events):
            if any(fnmatchcase(kind, pattern) for kind in KINDS):
                continue
            close = difflib.get_close_matches(pattern, KINDS, n=1)
            yield subject.origins.error(
                "event-unknown",
                ("alerts", "webhooks", index, "events", place),
                f"there is no such event as `{pattern}`",
                f"did you mean `{close[0]}`?" if close else f"there are {', '.join(KINDS)}",
            )


ALERT_RULES: Final[tuple[Rule, ...]] = (webhooks, events_of_webhooks)
