"""Rules about callers' keys, the issuers of their tokens, and the lists of what each may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import urlsplit

from gateway.config.check_access import is_loopback, suggest_router
from gateway.config.problem import Path, Problem
from gateway.config.spec import GatewayKey, JwtIssuer
from gateway.config.subject import Rule, Subject
from gateway.core.moments import end_of
from gateway.policy.networks import network

SOON: Final = 14 * 86400.0
"""Seconds before its expiry in which a key is warned of."""

MIN_PEPPER: Final = 16
MIN_SIGNING_SECRET: Final = 32
_KEYS: Final = ("auth", "keys")
_ISSUERS: Final = ("auth", "jwt")


def keys_wanted(subject: Subject) -> Iterator[Problem]:
    auth = subject.spec.auth
    if auth.mode == "keys" and not auth.keys and not auth.jwt:
        # The last key of a keys file may have been revoked: that must not be what keeps it in use.
        tell = subject.origins.warning if auth.keys_file is not None else subject.origins.error
        yield tell(
            "auth-without-keys",
            ("auth", "mode"),
            "a key is demanded, and there is none",
            "`gateway keys new NAME` makes one and prints the entry for `auth.keys`",
        )
    elif auth.mode != "keys" and (auth.keys or auth.jwt):
        yield subject.origins.warning(
            "auth-keys-ignored",
            _KEYS if auth.keys else _ISSUERS,
            "keys are given, and nobody is asked for one" if auth.keys else "nobody is asked for a token",
            "say `mode: keys`",
        )


def distinct_keys(subject: Subject) -> Iterator[Problem]:
    names: dict[str, Path] = {}
    hashes: dict[str, Path] = {}
    for path, key in _keys(subject):
        stated = [(names, "name", (*path, "name"), key.name)]
        if key.hash is not None:
            stated.append((hashes, "hash", (*path, "hash"), key.hash))
        if key.previous is not None:
            stated.append((hashes, "hash", (*path, "previous", "hash"), key.previous.hash))
        for seen, what, place, value in stated:
            first = seen.setdefault(value, place)
            if first != place:
                yield subject.origins.error(
                    "auth-key-twice",
                    place,
                    f"another key has the same {what}",
                    f"it stands at {subject.origins.place(first)}",
                )


def secrets(subject: Subject) -> Iterator[Problem]:
    auth = subject.spec.auth
    if auth.pepper is not None and len(auth.pepper) < MIN_PEPPER:
        yield subject.origins.error(
            "pepper-short", ("auth", "pepper"), f"it has fewer than {MIN_PEPPER} characters", _RANDOM
        )
    for path, key in _keys(subject):
        hashed = [("hash", key.hash)] if key.hash is not None else []
        if key.previous is not None:
            hashed.append(("previous", key.previous.hash))
        for where, text in hashed:
            if text.startswith("hmac-") and auth.pepper is None:
                yield subject.origins.error(
                    "pepper-missing",
                    (*path, where),
                    "the hash is keyed, and there is no `auth.pepper`",
                    "give the pepper that it was made with, as `auth: {pepper: '${env:GATEWAY_PEPPER}'}`",
                )
        if key.hash is None and (key.signing is None or key.previous is not None):
            yield subject.origins.error(
                "key-without-hash", path, "the key has no `hash`", "`gateway keys new` prints the whole entry"
            )
        if (key.signing is None) != (key.signing_secret is None):
            missing = "signing" if key.signing is None else "signing-secret"
            yield subject.origins.error(
                "signing-incomplete",
                path,
                f"there is no `{missing}`",
                "say both `signing: required` (or `optional`) and `signing-secret: ${env:NAME}`, or neither",
            )
        elif key.signing_secret is not None and len(key.signing_secret) < MIN_SIGNING_SECRET:
            yield subject.origins.error(
                "signing-secret-short",
                (*path, "signing-secret"),
                f"it has fewer than {MIN_SIGNING_SECRET} characters",
                _RANDOM,
            )


def times(subject: Subject) -> Iterator[Problem]:
    for path, key in _keys(subject):
        stated = [("expires", key.expires), ("created", key.created)]
        if key.previous is not None:
            stated.append(("previous", key.previous.until))
        for what, text in stated:
            if text is None:
                continue
            try:
                end = end_of(text)
            except (ValueError, OverflowError):
                where = (*path, what, "until") if what == "previous" else (*path, what)
                yield subject.origins.error(
                    "moment-wrong", where, f"the calendar has no `{text}`", "write `2027-01-31`, or with a time and `Z`"
                )
                continue
            if what == "expires" and subject.now is not None and end - subject.now < SOON:
                over = end <= subject.now
                yield subject.origins.warning(
                    "key-expired" if over else "key-expires",
                    (*path, what),
                    f"`{key.name}` has expired" if over else f"`{key.name}` expires within 14 days",
                    f"`gateway keys rotate {key.name} --expires DAY` makes a new secret, or remove the entry",
                )


def lists(subject: Subject) -> Iterator[Problem]:
    for path, holder in holders(subject):
        for name, values in (
            ("routers", holder.routers),
            ("models", holder.models),
            ("providers", holder.providers),
            ("networks", holder.networks),
        ):
            if values == ():
                yield subject.origins.warning(
                    "list-empty", (*path, name), "an empty list admits nothing", f"leave `{name}` out to admit all"
                )
        yield from _unknown(
            subject,
            (*path, "routers"),
            holder.routers,
            "router",
            subject.spec.routers,
            lambda n: suggest_router(n, subject),
        )
        yield from _unknown(
            subject, (*path, "providers"), holder.providers, "provider", subject.providers, lambda n: "see `providers`"
        )
        yield from _networks(subject, (*path, "networks"), holder.networks or ())


def issuers(subject: Subject) -> Iterator[Problem]:
    seen: dict[tuple[str, str], Path] = {}
    for path, issuer in _issuers(subject):
        for what, value in (("issuer", issuer.issuer), ("name", issuer.name)):
            first = seen.setdefault((what, value), path)
            if first != path:
                yield subject.origins.error(
                    "issuer-twice",
                    (*path, what),
                    f"another issuer has the same {what}",
                    "one entry may have several audiences"
                    if what == "issuer"
                    else "give each a `name` of its own: it stands in front of its bearers' names",
                )
        if issuer.audience == () or issuer.audience == "":
            yield subject.origins.error(
                "audience-empty",
                (*path, "audience"),
                "no token is for nobody",
                "give the `aud` of this gateway's tokens",
            )
        yield from _key_source(subject, path, issuer)


def replays(subject: Subject) -> Iterator[Problem]:
    spec = subject.spec
    if spec.server.workers > 1 and spec.store.url.startswith("memory:"):
        for path, key in _keys(subject):
            if key.signing is not None:
                yield subject.origins.warning(
                    "signing-per-process",
                    (*path, "signing"),
                    "each of several workers knows only the nonces that it has seen, so each would take a replay once",
                    "give `store` a Redis, or let `server.workers` be 1",
                )


def trusted_proxies(subject: Subject) -> Iterator[Problem]:
    path: Path = ("server", "trusted-proxies")
    yield from _networks(subject, path, subject.spec.server.trusted_proxies)
    for index, text in enumerate(subject.spec.server.trusted_proxies):
        if text.endswith("/0"):
            yield subject.origins.warning(
                "everybody-trusted",
                (*path, index),
                "everybody may say in `x-forwarded-for` what their address is",
                "name the networks of the proxies alone",
            )


def holders(subject: Subject) -> Iterator[tuple[Path, GatewayKey | JwtIssuer]]:
    """All that a caller is admitted by, with its place."""
    yield from _keys(subject)
    yield from _issuers(subject)


def _keys(subject: Subject) -> Iterator[tuple[Path, GatewayKey]]:
    for index, key in enumerate(subject.spec.auth.keys):
        yield (*_KEYS, index), key


def _issuers(subject: Subject) -> Iterator[tuple[Path, JwtIssuer]]:
    for index, issuer in enumerate(subject.spec.auth.jwt):
        yield (*_ISSUERS, index), issuer


def _unknown(
    subject: Subject,
    path: Path,
    names: Sequence[str] | None,
    what: str,
    known: object,
    hint: Callable[[str], str],
) -> Iterator[Problem]:
    for index, name in enumerate(names or ()):
        if name not in known:  # type: ignore[operator]  # a mapping by name, of whatever
            yield subject.origins.error(
                f"{what}-unknown", (*path, index), f"there is no {what} `{name[:60]}`", hint(name)
            )


def _networks(subject: Subject, path: Path, texts: Sequence[str]) -> Iterator[Problem]:
    for index, text in enumerate(texts):
        try:
            network(text)
        except ValueError:
            yield subject.origins.error(
                "network-wrong",
                (*path, index),
                f"`{text[:60]}` is no network",
                "write `10.0.0.0/8`, `2001:db8::/32` or one address; bits behind the prefix are zero",
            )


def _key_source(subject: Subject, path: Path, issuer: JwtIssuer) -> Iterator[Problem]:
    if issuer.jwks_url is not None and issuer.jwks_file is not None:
        yield subject.origins.error(
            "jwks-twice", (*path, "jwks-file"), "there is a `jwks-url` too", "its keys come from one place: remove one"
        )
    elif issuer.jwks_file is not None:
        yield from _jwks_file(subject, path, issuer)
    else:
        where, url = ("jwks-url", issuer.jwks_url) if issuer.jwks_url is not None else ("issuer", issuer.issuer)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield subject.origins.error(
                "jwks-unknown",
                (*path, where),
                "it is no URL, and nothing says where its public keys are",
                "give `jwks-url` or `jwks-file`",
            )
        elif parts.scheme == "http" and not is_loopback(parts.hostname):
            yield subject.origins.warning(
                "jwks-unencrypted",
                (*path, where),
                "public keys that come unencrypted can be replaced on the way, and tokens forged with others",
                "use https",
            )


def _jwks_file(subject: Subject, path: Path, issuer: JwtIssuer) -> Iterator[Problem]:
    # Only for who has such a file: what stands behind it costs more to import than most configs to read.
    from gateway.policy.token import read_keys  # noqa: PLC0415

    assert issuer.jwks_file is not None
    try:
        read_keys(FilePath(issuer.jwks_file).read_bytes(), issuer.algorithms)
    except OSError:
        problem = "it cannot be read"
    except ValueError as error:
        problem = str(error)
    else:
        return
    yield subject.origins.error(
        "jwks-file", (*path, "jwks-file"), problem, 'give the path of a file like {"keys": [...]} of public keys'
    )


_RANDOM: Final = "`openssl rand -base64 32` makes one"

KEY_RULES: Final[tuple[Rule, ...]] = (
    keys_wanted,
    distinct_keys,
    secrets,
    times,
    lists,
    issuers,
    replays,
    trusted_proxies,
)
