from __future__ import annotations

import pytest

from gateway.config.ledger_url import read_ledger_url


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///gateway.db", "gateway.db"),
        ("sqlite:////var/lib/gateway.db", "/var/lib/gateway.db"),
        ("sqlite:///here%20there/ledger.db", "here there/ledger.db"),
    ],
)
def test_a_file(text: str, path: str) -> None:
    url = read_ledger_url(text)
    assert (url.kind, url.path, url.place, url.dsn, url.secrets) == ("sqlite", path, path, None, ())


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_server(scheme: str) -> None:
    url = read_ledger_url(f"{scheme}://me:p%40ss-word@a:5432,b/ledger?sslmode=verify-full&sslrootcert=/ca.pem")
    assert (url.kind, url.path, url.place) == ("postgresql", "", "a:5432,b/ledger")
    assert url.dsn is not None
    assert url.dsn.reveal().startswith("postgresql://me:p%40ss-word@a:5432,b/ledger?sslmode")
    assert [secret.reveal() for secret in url.secrets] == ["p%40ss-word", "p@ss-word"]
    assert "word" not in repr(url)


def test_a_server_without_credentials() -> None:
    url = read_ledger_url("postgresql://localhost/ledger")
    assert (url.place, url.secrets) == ("localhost/ledger", ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mysql://host/db", "begins with neither"),
        ("gateway.db", "begins with neither"),
        ("sqlite://gateway.db", "three slashes"),
        ("sqlite:///", "name of the file"),
        ("sqlite:///folder/", "name of the file"),
        ("sqlite:///:memory:", "it is a file"),
        ("sqlite:///a.db?mode=ro", "it is a file"),
        ("postgresql:///db", "a host"),
        ("postgresql://me:hush@/db", "a host"),
        ("postgresql://host", "name of the database"),
        ("postgresql://host/", "name of the database"),
        ("postgresql://host/a/b", "name of the database"),
        ("postgresql://:hush@host/db", "a user"),
        ("postgresql://me:hush@host/db?options=-c", "only `sslmode`"),
    ],
)
def test_what_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        read_ledger_url(text)
    assert "hush" not in str(refused.value)
