"""`gateway alerts test`: send each webhook a test, and say what came back."""

from __future__ import annotations

import argparse
import asyncio
import sys

from gateway.cli.sound import sound
from gateway.config.spec import Alerts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """test [--webhook NAME] [--config FILE]."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    test = actions.add_parser(
        "test",
        help="send each webhook a test",
        description="Send each webhook of a config an event `test`, once, and say what came back.",
    )
    test.add_argument("--webhook", metavar="NAME", help="this one alone")
    test.add_argument(
        "--config", metavar="FILE", default="routers.yaml", help="the configuration (default: routers.yaml)"
    )


def run(args: argparse.Namespace) -> int:
    """0 when every webhook has taken it."""

    loaded = sound(args.config)
    if loaded is None:
        return 1
    alerts = loaded.spec.alerts
    names = [] if alerts is None else [webhook.name for webhook in alerts.webhooks]
    if args.webhook is not None and args.webhook not in names:
        known = ", ".join(names) or "none"
        print(f"{args.config} has no webhook {args.webhook!r}; there are: {known}.", file=sys.stderr)
        return 1
    if alerts is None or not names:
        print(f"{args.config} has no webhooks: give `alerts` some.", file=sys.stderr)
        return 1
    return asyncio.run(_test(alerts, args.webhook, loaded.spec.server.upstream_engine))


async def _test(alerts: Alerts, only: str | None, engine: str) -> int:
    from gateway.assemble.alerts import webhooks_for
    from gateway.core.events import SEVERITIES, Event
    from gateway.policy.alerting import Told
    from gateway.runtime import Runtime, system_clock
    from gateway.telemetry.alert_request import alert_of
    from gateway.telemetry.log import Log
    from gateway.telemetry.metrics import Metrics
    from gateway.upstream.echo import EchoTransport
    from gateway.upstream.engines import open_transport

    clock = system_clock()
    runtime = Runtime(
        clock=clock,
        transport=open_transport(engine),  # type: ignore[arg-type]  # the spec has the same names
        echo=EchoTransport(clock),
        log=Log(clock.wall, "text", "error", sys.stderr),
        metrics=Metrics(),
    )
    failed = False
    try:
        for webhook in webhooks_for(alerts, runtime):
            if only is not None and webhook.settings.name != only:
                continue
            event = Event("test", webhook.settings.name, clock.wall(), SEVERITIES["test"], {})
            started = clock.monotonic()
            answered = await webhook.ask(alert_of(Told(event), f"{runtime.name}-test", runtime.name))
            took = round((clock.monotonic() - started) * 1000)
            failed |= not answered.good
            said = answered.failure or str(answered.status)
            print(f"{webhook.settings.name}: {'ok' if answered.good else 'FAILED'}, {said}, {took} ms")
    finally:
        await runtime.close()
    return int(failed)
