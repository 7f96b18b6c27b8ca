"""A process that writes audit lines to a file, as a worker of the gateway does: one batch for each line of its standard
input, told when it is written.

    python tests/support/audit_worker.py PATH NAME ROTATE-SIZE LINES-A-BATCH PADDING
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.telemetry.audit_file import AuditFile
from gateway.telemetry.audit_line import encode
from gateway.telemetry.audit_place import Line
from gateway.telemetry.audit_record import line_of
from gateway.telemetry.audit_shelf import Shelf
from tests.support.exchange_records import served


def main(path: Path, name: str, size: int, lines: int, padding: int) -> None:
    shelf = Shelf(path, compress=True, keep=10_000, retention=3600.0, wall=time.time, complain=print)
    file = AuditFile(path, size=size, every=86_400.0, shelf=shelf, wall=time.time)
    number = 0
    for _ in sys.stdin:
        batch = []
        for _ in range(lines):
            record = served(id=f"{name}-{number}", user="x" * padding, time=time.time())
            batch.append(Line(record.time, encode(line_of(record))))
            number += 1
        file.write(batch)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    file.tend()
    file.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]))
