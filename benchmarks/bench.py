"""`make bench`: the gateway against the floor, in one run, in turns, as ratios.

Absolute figures move with the machine; ratios stay, within a noise that --self-test shows: there the floor is measured
against itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import policies, systems, translation
from benchmarks.figures import COMPARABLE, Bench, Figure
from benchmarks.figures import GROUPS as SPINE
from benchmarks.loads import LoadFailed
from benchmarks.processes import CORES, GATEWAY_CORES, LOAD_CORES, Unready
from benchmarks.systems import System

GROUPS = {**SPINE, **policies.GROUPS, **translation.GROUPS}


def main() -> int:
    chosen = options().parse_args()
    missing = [tool for tool in ("wrk", "nginx", "taskset") if shutil.which(tool) is None]
    if missing:
        print(
            f"not found: {', '.join(missing)}. On Debian and Ubuntu: apt-get install wrk nginx-light", file=sys.stderr
        )
        return 2
    groups = pick_groups(chosen)
    print(headline(chosen), flush=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, systems.upstreams(Path(name)) as behind:
        bench = assemble(chosen, Path(name), behind)
        for group in groups:
            begun = time.perf_counter()
            try:
                found = list(GROUPS[group](bench))
            except (LoadFailed, Unready) as failure:
                print(f"{group}: {failure}", file=sys.stderr)
                return 1
            figures += found
            # At once: who stops a long run keeps what it has found.
            print(f"\n{group} ({time.perf_counter() - begun:.0f} s)\n{table(found)}", flush=True)
    if chosen.json:
        report = {"machine": machine(), "engines": bench.engines, "figures": msgspec.to_builtins(figures)}
        Path(chosen.json).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return 0


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", help=f"groups, with commas between them: {','.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="a look in a few minutes: fewer rounds, and shorter ones")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--engine", choices=["granian", "hypercorn"], default="granian")
    parser.add_argument("--upstream-engine", choices=["http1", "pyreqwest", "httpx"], default="http1")
    parser.add_argument("--self-test", action="store_true", help="the floor in the gateway's place: shows the noise")
    return parser


def pick_groups(chosen: argparse.Namespace) -> list[str]:
    offered = COMPARABLE if chosen.self_test else tuple(GROUPS)
    wanted = chosen.only.split(",") if chosen.only else list(offered)
    unknown = [group for group in wanted if group not in offered]
    if unknown:
        raise SystemExit(f"not a group here: {', '.join(unknown)} (there are {', '.join(offered)})")
    return wanted


def assemble(chosen: argparse.Namespace, directory: Path, behind: systems.Upstreams) -> Bench:
    engines = {"engine": chosen.engine, "upstream-engine": chosen.upstream_engine}

    def ours(
        routers: int,
        name: str,
        policies: Mapping[str, object] | None = None,
        root: Mapping[str, object] | None = None,
    ) -> AbstractContextManager[System]:
        if chosen.self_test:
            return systems.floor(directory, behind, name)
        return systems.gateway(directory, behind, engines, routers, name, policies, root)

    return Bench(
        directory=directory,
        behind=behind,
        floor=partial(systems.floor, directory, behind),
        ours=ours,
        engines=engines,
        rounds=2 if chosen.quick else 5,
        seconds=2.0 if chosen.quick else 6.0,
        soak=20_000 if chosen.quick else 100_000,
    )


def headline(chosen: argparse.Namespace) -> str:
    subject = "the floor itself" if chosen.self_test else f"the gateway ({chosen.engine}, {chosen.upstream_engine})"
    return f"{subject} against the floor; {machine()}"


def machine() -> str:
    apart = "" if len(CORES) > 1 else " (one core for all: expect noise)"
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {len(CORES)} cores, gateway on"
        f" {sorted(GATEWAY_CORES)}, load and upstreams on {sorted(LOAD_CORES)}{apart},"
        f" load average {os.getloadavg()[0]:.1f}"
    )


def table(figures: list[Figure]) -> str:
    rows = [("figure", "target", "measured", "", "ours", "floor", "note"), *map(row, figures)]
    widths = [max(len(line[i]) for line in rows) for i in range(6)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(line[i].rjust(widths[i]) for i in range(1, 6)), line[6]]).rstrip()
        for line in rows
    )


def row(figure: Figure) -> tuple[str, ...]:
    bound = "" if figure.target is None else f"<= {figure.target:g}{figure.scale}"
    verdict = "" if figure.target is None else "ok" if figure.measured <= figure.target else "OVER"
    return (
        figure.name,
        bound,
        f"{number(figure.measured)}{figure.scale}",
        verdict,
        "" if figure.ours is None else f"{number(figure.ours)} {figure.unit}",
        "" if figure.floor is None else f"{number(figure.floor)} {figure.unit}",
        figure.note,
    )


def number(value: float) -> str:
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
