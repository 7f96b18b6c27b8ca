# ruff: noqa: INP001
"""Makes a Python with its virtual environment fit to be shipped; runs in that, as root, while the image is built.

The gateway is put beside its libraries as it is (a build backend would be one more thing to lock), with the command
that starts it. pip goes, and what only tests and people at a terminal need. Bytecode is written here and not checked
against its source later: nothing can write it once the file system is read-only, and slim images come without that of
the standard library.
"""

from __future__ import annotations

import importlib
import py_compile
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

COMMAND: Final = """\
#!{python} -P
import sys

from gateway.cli.main import main

sys.exit(main())
"""

UNUSED: Final = ("ensurepip", "idlelib", "pydoc_data", "site-packages", "test", "tkinter", "turtledemo", "venv")
"""Of the standard library. Its site-packages has pip and nothing else."""

UNREAD: Final = ("*.c", "*.h", "*.pxd", "*.pyi", "*.pyx")
"""Of the libraries: what their extensions were made of, and types."""

STARTED: Final = (
    "gateway.app", "gateway.cli.check", "gateway.cli.serve", "gateway.cli.engines", "gateway.store.stores", "uvloop",
    "granian.server.mp", "gateway.upstream.http1_transport", "hypercorn.asyncio", "http.client", "jwt",
    "gateway.store.ledger.postgres", "gateway.store.ledger.sqlite", "gateway.telemetry.audit_seal",
    "gateway.telemetry.otlp", "re2", "zoneinfo",
)  # fmt: skip
"""What a start imports, whatever the configuration asks for. An image without one of them is not made."""

UNCHECKED: Final = py_compile.PycInvalidationMode.UNCHECKED_HASH


def furnish(build: Path) -> None:
    libraries, scripts = Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("scripts"))
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(build / "gateway", libraries / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    for script in scripts.iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    for tests in [*libraries.glob("*/tests"), *libraries.glob("*/test")]:
        shutil.rmtree(tests)
    command = scripts / "gateway"
    command.write_text(COMMAND.format(python=sys.executable), "utf-8")
    command.chmod(0o755)
    for sources in UNREAD:
        for source in libraries.rglob(sources):
            source.unlink()
    for unused in UNUSED:
        shutil.rmtree(standard / unused, ignore_errors=True)
    for charsets in Path("/usr/lib").glob("*/gconv"):
        shutil.rmtree(charsets)
    for script in (Path(sys.base_prefix) / "bin").glob("[ip]*"):
        if not script.name.startswith("python") or script.name.endswith("-config"):
            script.unlink()
    compile_all(libraries / "gateway")
    shutil.rmtree(build)


def compile_all(package: Path) -> None:
    """The gateway, and of the libraries what a start imports: the rest would be 5 MB for nobody."""
    for source in package.rglob("*.py"):
        py_compile.compile(str(source), doraise=True, invalidation_mode=UNCHECKED)
    for name in STARTED:
        importlib.import_module(name)
    for module in list(sys.modules.values()):
        source_file = getattr(module, "__file__", None)
        if source_file and source_file.endswith(".py") and Path(source_file) != Path(__file__):
            py_compile.compile(source_file, doraise=True, invalidation_mode=UNCHECKED)


if __name__ == "__main__":
    furnish(Path(sys.argv[1]))
