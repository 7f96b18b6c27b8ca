"""Rules about the keys of providers that stand for tokens or signatures: each is one thing, and is whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.config.problem import Path, Problem
from gateway.config.spec import AwsKey, GoogleKey, ProviderKey
from gateway.config.subject import Known, Rule, Subject
from gateway.providers.sigv4 import read_credentials

_KINDS: Final = ("value", "google", "azure", "aws")


def whole_credentials(subject: Subject) -> Iterator[Problem]:
    for name, tuned in subject.spec.providers.items():
        yield from _of_list(subject, ("providers", name, "keys"), name, tuned.keys if tuned else ())
    for listed in subject.lists:
        for entry in listed.entries:
            if entry.target.keys:
                yield from _of_list(subject, (*entry.path, "keys"), entry.provider, entry.target.keys)


def _of_list(subject: Subject, path: Path, provider: str, keys: Sequence[ProviderKey | str]) -> Iterator[Problem]:
    known = subject.providers.get(provider)
    # Keys whose variable is not set are no longer in the list, so a number could be another's.
    exact = not any(absent.path[: len(path)] == path for absent in subject.loaded.absent)
    for index, key in enumerate(keys):
        place = (*path, index) if exact else path
        found = None if isinstance(key, str) else _problem_of(key, known)
        if found is not None:
            yield subject.origins.error("key-incomplete", place, *found)
        text = key if isinstance(key, str) else key.value
        if text and not (text.isascii() and text.isprintable()):
            yield subject.origins.error(
                "key-unsendable",
                place,
                f"the key holds {'a control character or line break' if text.isascii() else 'a letter beyond ASCII'}, "
                "which no header can carry",
                "look at what the variable or the file really holds",
            )


def _problem_of(key: ProviderKey, known: Known | None) -> tuple[str, str] | None:
    """What is wrong, and what to do."""
    given = [kind for kind in _KINDS if getattr(key, kind) is not None]
    if len(given) != 1:
        has = " and ".join(f"`{kind}`" for kind in given) or "none"
        return f"a key is one of `value`, `google`, `azure` and `aws`, and this has {has}", "give one of them"
    if isinstance(key.google, GoogleKey):
        return _of_google(key.google.service_account)
    if key.azure is not None and (key.azure.secret is None) == (key.azure.token_file is None):
        return "an application proves itself by a `secret` or by a `token-file`", "give one of them"
    if key.aws is not None and known is not None and not _signs(known):
        return "`aws` signs requests, and this provider takes no signature", "say `auth: sigv4` if it does"
    return _of_aws(key.aws) if isinstance(key.aws, AwsKey) else None


def _of_google(text: str) -> tuple[str, str] | None:
    # What stands behind it costs more to import than most configs to read.
    from gateway.providers.grants_google import read_account  # noqa: PLC0415

    try:
        read_account(text)
    except ValueError as error:
        return f"`service-account` is of no use: {error}", "give the file that Google made, as `${file:/path}`"
    return None


def _of_aws(key: AwsKey) -> tuple[str, str] | None:
    pair, role = (key.access_key_id, key.secret_access_key), (key.role, key.token_file)
    paired = all(pair) and not any(role)
    assumed = all(role) and not any(pair) and not key.session_token
    if not (paired or assumed):
        return (
            "it is neither a key pair nor a role with its token",
            "give `access-key-id` and `secret-access-key`, or `role` and `token-file`",
        )
    if paired and read_credentials(":".join(str(part) for part in pair)) is None:
        return "this is no key pair of AWS's", "the id has 16 or more of A-Z 0-9; neither has spaces or colons"
    return None


def _signs(known: Known) -> bool:
    if known.tuned.auth is not None:
        return known.tuned.auth == "sigv4"
    return known.row.auth == "sigv4" if known.row is not None else known.tuned.dialect == "bedrock"


CREDENTIAL_RULES: Final[tuple[Rule, ...]] = (whole_credentials,)
