"""`gateway serve` by granian, told to end at the worst moment: its worker runs, and its main process has not noted so.

python tests/support/hasty_serve.py CONFIG --port PORT
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from granian.server.common import AbstractWorker

from gateway.cli.main import main

_start = AbstractWorker.start


def start_and_be_told(worker: AbstractWorker) -> None:
    _start(worker)  # type: ignore[no-untyped-call]
    os.kill(os.getpid(), signal.SIGTERM)


AbstractWorker.start = start_and_be_told  # type: ignore[method-assign]
sys.exit(main(["serve", *sys.argv[1:]]))
