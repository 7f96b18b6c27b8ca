"""`gateway cache purge`: forget kept answers, all of them or some."""

from __future__ import annotations

import argparse
import asyncio
import sys

from gateway.cli.sound import sound
from gateway.config.spec import StoreSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """purge [--router NAME] [--prefix KEY] [--config FILE]."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    purge = actions.add_parser(
        "purge", help="forget kept answers", description="Forget kept answers in the store of a config: all, or some."
    )
    purge.add_argument(
        "--router", metavar="NAME", help="those of one router (`/ai` for /ai and /v1, `/openai` for a provider)"
    )
    purge.add_argument(
        "--prefix",
        metavar="KEY",
        help="those whose `x-gateway-cache-key` begins so; with --router, what follows the `:`",
    )
    purge.add_argument(
        "--config", metavar="FILE", default="routers.yaml", help="the configuration (default: routers.yaml)"
    )


def run(args: argparse.Namespace) -> int:
    """Print how many answers were forgotten."""
    loaded = sound(args.config)
    if loaded is None:
        return 1
    settings = loaded.spec.store
    if settings.url.startswith("memory://"):
        print(
            f"{args.config} keeps answers in memory (store.url: memory://), in each worker of the gateway for itself,\n"
            "where no other process reaches them. To forget them, write another `seed` into the cache of the router:\n"
            "the gateway reloads the file by itself. A restart forgets them, too.",
            file=sys.stderr,
        )
        return 1
    return asyncio.run(_purge(settings, _shown(args.router, args.prefix)))


def _shown(router: str | None, prefix: str | None) -> str:
    """What the keys begin with, as clients see them."""
    if router is None:
        return prefix or ""
    return f"{router}:{(prefix or '').removeprefix(f'{router}:')}"


async def _purge(settings: StoreSettings, shown: str) -> int:
    from gateway.assemble.stores import stores_for
    from gateway.dialects.cache_key import stored_prefix
    from gateway.runtime import Runtime, system_clock
    from gateway.store.protocol import StoreDown
    from gateway.telemetry.log import Log
    from gateway.telemetry.metrics import Metrics
    from gateway.upstream.echo import EchoTransport

    clock = system_clock()
    echo = EchoTransport(clock)
    log = Log(clock.wall, "text", "error", sys.stderr)
    stores = stores_for(settings, Runtime(clock=clock, transport=echo, echo=echo, log=log, metrics=Metrics()))
    try:
        gone = await stores.cache.purge(stored_prefix(shown))
    except StoreDown as down:
        print(f"The store cannot be asked: {down}", file=sys.stderr)
        return 1
    finally:
        await stores.close()
    print(f"{gone} answer{'' if gone == 1 else 's'} forgotten.")
    return 0
