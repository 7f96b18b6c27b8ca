"""Rules about secrets that are typed into the file, where everybody who reads the repository reads them.

A message never holds the value, nor a part of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from gateway.config.problem import Path, Problem
from gateway.config.subject import Rule, Subject
from gateway.config.tree import Node

_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}|gsk_[A-Za-z0-9]{16,}|xai-[A-Za-z0-9]{16,}|pplx-[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{16,}"
    r"|r8_[A-Za-z0-9]{16,}|nvapi-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{30,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY"
    r")"
)
"""How the credentials of well-known vendors begin."""

_SECRET_KEYS: Final = frozenset((
    "value", "pepper", "signing-secret", "secret", "secret-access-key", "session-token", "service-account",
))  # fmt: skip
_SECRET_HEADER: Final = re.compile(r"authorization|cookie|token|secret|password|(?:^|[-_])key$", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"^[a-z+]+://[^/@:\s]*:(?P<password>[^/@\s]+)@")
_RUN: Final = re.compile(r"[A-Za-z0-9+]{24,}")
"""Names of models have dashes or slashes between words, paths and URLs have slashes."""
_REFERENCE: Final = re.compile(r"\$\{[^}]*\}")
_DEFAULT: Final = re.compile(r"\$\{env:[A-Za-z0-9_]+:-([^}]*)\}")
_BITS: Final = 4.0
"""Per character, beyond which text is taken for a random one: hexadecimal digits have at most 4, words about 3.5."""


def secrets_in_the_file(subject: Subject) -> Iterator[Problem]:
    texts: list[tuple[Path, str]] = []
    _gather(subject.origins.root, (), texts)
    seen: dict[str, bool] = {}
    for path, text in texts:
        if is_secret(path, text, seen):
            yield subject.origins.warning(
                "secret-in-file",
                path,
                "a credential is written into the file",
                "write `${env:NAME}` or `${file:/path}`, and replace the credential: it has been seen",
            )


def is_secret(path: Path, text: str, seen: dict[str, bool] | None = None) -> bool:
    """Whether what the file says at `path` is a credential, or has one in it. References are not. seen: what was found
    of texts before, for who asks about a whole file: most are names that stand in it a hundred times."""
    if not text or not path:
        return False
    if _is_for_secrets(path):
        return "${" not in text or any(_DEFAULT.findall(text))
    # Neither hashes nor the ids of keys are secrets, and a base URL with a password in it is an error by itself.
    if len(text) < 8 or path[-1] in ("hash", "access-key-id", "base-url"):
        return False
    if seen is None:
        return _is_credential(text)
    known = seen.get(text)
    if known is None:
        known = seen[text] = _is_credential(text)
    return known


def _is_credential(text: str) -> bool:
    for written in (text, *_DEFAULT.findall(text)) if "${" in text else (text,):
        bare = _REFERENCE.sub("", written) if "${" in written else written
        if _KNOWN.search(bare) or _has_password(written) or _is_random(bare):
            return True
    return False


def _is_for_secrets(path: Path) -> bool:
    """Whether the schema wants a credential here. A name that a file gives to a header is no key of the schema."""
    if path[0] == "routers" and "keys" not in path:
        # Nearly all of a large file, and soon said.
        return False
    match path:
        case ("auth", "pepper"):
            return True
        case ("auth", "keys", int(), key):
            return key == "signing-secret"
        case ("alerts", "webhooks", int(), key):
            return key == "secret"
        case ("audit", "hash-key" | "encryption-key") | ("audit", "old-encryption-keys", int()):
            return True
        case ("traces" | "audit", "headers", str(header)):
            return bool(_SECRET_HEADER.search(header))
        case ("providers", str(), "headers", str(header)):
            return bool(_SECRET_HEADER.search(header))
        case ("providers" | "routers" | "unified-api", *_, "keys", int()):
            return True
        case ("providers" | "routers" | "unified-api", *_, str(last)):
            return last in _SECRET_KEYS and "keys" in path[2:]
        case _:
            return False


def _has_password(text: str) -> bool:
    found = _PASSWORD.match(text) if "@" in text else None
    return found is not None and bool(_REFERENCE.sub("", found["password"]))


def _is_random(text: str) -> bool:
    return any(_has_no_pattern(run) for run in _RUN.findall(text))


def _has_no_pattern(run: str) -> bool:
    counts = Counter(run)
    bits = -sum(count / len(run) * math.log2(count / len(run)) for count in counts.values())
    return bits > _BITS and all(
        any(test(character) for character in run) for test in (str.isupper, str.islower, str.isdigit)
    )


def _gather(node: Node, path: Path, texts: list[tuple[Path, str]]) -> None:
    """Every text below a node, with where it stands. No generator: it would be resumed through all levels for each."""
    value = node.value
    if type(value) is str:
        texts.append((path, value))
    elif type(value) is dict:
        for key, child in value.items():
            _gather(child, (*path, key), texts)
    elif type(value) is list:
        for index, child in enumerate(value):
            _gather(child, (*path, index), texts)


SECRET_RULES: Final[tuple[Rule, ...]] = (secrets_in_the_file,)
