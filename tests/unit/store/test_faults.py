"""A store's refusals as its server words them, and what is made of them."""

from __future__ import annotations

import ssl

import pytest

from gateway.store.faults import ends_the_connection, refusal, unreachable
from gateway.store.protocol import StoreDown


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("NOAUTH Authentication required.", "auth", "wants a password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "auth", "refuses the user name or password"),
        ("ERR invalid password", "auth", "refuses the password"),
        (
            "ERR AUTH <password> called without any password configured for the default user. Are you sure?",
            "auth",
            "has no password",
        ),
        ("NOPERM this user has no permissions to run the 'eval' command", "permission", "may not do this"),
        ("READONLY You can't write against a read only replica.", "read-only", "name the primary"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "full", "maxmemory"),
        (
            "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory",
            "full",
            "maxmemory",
        ),
        ("MISCONF Redis is configured to save RDB snapshots, but", "disk", "cannot save"),
        ("NOREPLICAS Not enough good replicas to write.", "replicas", "too few replicas"),
        ("BUSY Redis is busy running a script.", "busy", "SCRIPT KILL"),
        ("UNKILLABLE Sorry the script already executed write commands", "busy", "has written"),
        ("ERR Error running script: Script killed by user with SCRIPT KILL.", "killed", "ended our script"),
        ("LOADING Redis is loading the dataset in memory", "loading", "still loading"),
        ("MASTERDOWN Link with MASTER is down", "loading", "lost its primary"),
        ("CLUSTERDOWN Hash slot not served", "cluster", "all its slots"),
        ("MOVED 3999 127.0.0.1:6381", "cluster", "redis+cluster://"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "cluster", "several slots"),
    ],
)
def test_a_refusal_is_named_with_what_to_do(text: str, kind: str, words: str) -> None:
    fault = refusal(text)
    assert fault.kind == kind
    assert words in str(fault)
    assert ends_the_connection(fault) == (kind != "killed")


def test_an_answer_that_quotes_what_was_sent_is_not_repeated() -> None:
    fault = refusal("ERR unknown command 'AUTHX', with args beginning with: 'hush-0123456789' ")
    assert str(fault) == "the store answers with an error: ERR unknown command"
    assert not ends_the_connection(fault)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "refused"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls"),
        (OSError(113, "No route to host"), "unreachable"),
        (RuntimeError("hush"), "unreachable"),
        (StoreDown("known", "full"), "full"),
    ],
)
def test_why_there_is_no_connection(failure: Exception, kind: str) -> None:
    fault = unreachable("h:1", failure)
    assert fault.kind == kind
    assert "hush" not in str(fault)
