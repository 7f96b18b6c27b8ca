"""`${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` in a value; `$${` is a plain `${`.

This is how secrets enter a config, so nothing that comes from here is ever part of a message:
messages name the reference, not what it stands for.
"""

from __future__ import annotations

import pathlib
import re
import stat
from collections.abc import Mapping
from typing import Final

MAX_FILE: Final = 64 * 1024
_TOKEN: Final = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_ENV: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UnresolvedError(Exception):
    """A reference that stands for nothing. variable: the environment variable that is not set,
    empty where something else is wrong."""

    def __init__(self, code: str, message: str, hint: str = "", *, variable: str = "") -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.hint: Final = hint
        self.variable: Final = variable


class References:
    """Resolves references; read_files gathers the files that were read, for whoever watches them.

    base: the folder that relative paths start from.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env: Final = env
        self.read_files: Final[list[pathlib.Path]] = []

    def resolve(self, text: str, base: pathlib.Path) -> str:
        """`text` with every reference replaced; UnresolvedError at the first that cannot be."""
        pieces: list[str] = []
        end = 0
        for token in _TOKEN.finditer(text):
            pieces.append(text[end : token.start()])
            end = token.end()
            pieces.append("${" if token[0] == "$${" else self._value(token[1], token[2] == "}", base))
        pieces.append(text[end:])
        return "".join(pieces)

    def _value(self, inside: str, closed: bool, base: pathlib.Path) -> str:
        if not closed:
            raise UnresolvedError("reference-unknown", "`${` is not closed", "write `$${` for a plain `${`")
        variable = _ENV.fullmatch(inside)
        if variable is not None:
            return self._variable(variable[1], variable[2])
        if inside.startswith("file:"):
            return self._file(inside.removeprefix("file:"), base)
        hint = f"write `${{env:{inside}}}`" if _NAME.fullmatch(inside) else "write `${env:NAME}` or `${file:/path}`"
        raise UnresolvedError(
            "reference-unknown", f"`${{{inside[:60]}}}` is not a reference", f"{hint}; `$${{` is a plain `${{`"
        )

    def _variable(self, name: str, default: str | None) -> str:
        value = self._env.get(name, "")
        if value:
            return value.rstrip("\r\n")
        if default is not None:
            return default
        raise UnresolvedError(
            "env-unset",
            f"the environment variable {name} is not set",
            f"set it, or give a default: `${{env:{name}:-...}}`",
            variable=name,
        )

    def _file(self, name: str, base: pathlib.Path) -> str:
        path = base / name
        shown = f"`${{file:{name[:100]}}}`"
        try:
            # A named pipe would be waited for, and a device has no end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnresolvedError("file-unreadable", f"{shown} is not a regular file")
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
        except (OSError, ValueError) as error:
            raise UnresolvedError("file-unreadable", f"{shown} cannot be read: {_reason(error)}") from None
        if len(content) > MAX_FILE:
            raise UnresolvedError("file-unreadable", f"{shown} is larger than {MAX_FILE // 1024} KiB")
        self.read_files.append(path)
        try:
            return content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise UnresolvedError("file-unreadable", f"{shown} is not UTF-8 text") from None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or "it cannot be opened").lower() if isinstance(error, OSError) else "the path is not valid"
