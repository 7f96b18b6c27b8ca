"""Rules about the certificate of the gateway's own port: it is loaded, as the server will."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

from gateway.config.problem import Problem
from gateway.config.subject import Rule, Subject


def certificate_and_key(subject: Subject) -> Iterator[Problem]:
    tls = subject.spec.server.tls
    if tls is None:
        return
    missing = False
    for key, name in (("certificate", tls.certificate), ("key", tls.key)):
        if not FilePath(name).is_file():
            missing = True
            yield subject.origins.error(
                "tls-file", ("server", "tls", key), f"there is no file `{name[:200]}`", "give the path of a PEM file"
            )
    problem = "" if missing else _problem_of(tls.certificate, tls.key)
    if problem:
        yield subject.origins.error(
            "tls-pair",
            ("server", "tls"),
            f"`{tls.certificate[:200]}` and `{tls.key[:200]}` cannot be used together: {problem}",
            "give a certificate with its chain and the key that belongs to it, both as PEM, the key without a password",
        )


def _problem_of(certificate: str, key: str) -> str:
    # Only who serves HTTPS pays for the import.
    import ssl  # noqa: PLC0415

    def ask_nobody() -> str:
        """In place of OpenSSL's own question at the terminal."""
        return ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, ask_nobody)
    except ssl.SSLError as error:
        return error.reason or "they are not PEM"
    except OSError as error:
        return error.strerror or "they cannot be read"
    return ""


TLS_RULES: Final[tuple[Rule, ...]] = (certificate_and_key,)
