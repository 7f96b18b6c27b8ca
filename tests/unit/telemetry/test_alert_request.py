"""An event as a webhook gets it."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.core.events import KINDS, SEVERITIES, Event
from gateway.core.secret import Secret
from gateway.policy.alerting import Told
from gateway.telemetry.alert_request import Alert, alert_of, body_of, headers_of

EVENT = Event("provider-outage", "openai/gpt-4o", 1_800_000_000.5, "critical", {"seconds": 10.0, "fault": "silent"})
ALERT = alert_of(Told(EVENT, 3), "gw-1", "gw")


def test_the_body_says_all_that_is_known() -> None:
    assert msgspec.json.decode(body_of(ALERT, "json")) == {
        "id": "gw-1",
        "kind": "provider-outage",
        "key": "openai/gpt-4o",
        "severity": "critical",
        "time": "2027-01-15T08:00:00Z",
        "summary": "openai/gpt-4o fails: it is left alone until it answers again.",
        "repeats": 3,
        "gateway": "gw",
        "fields": {"seconds": 10.0, "fault": "silent"},
    }


def test_the_signature_is_over_the_time_and_the_body() -> None:
    body = body_of(ALERT, "json")
    headers = dict(headers_of(ALERT, body, Secret("s", "0123456789abcdef"), 1_800_000_123.9))
    assert headers["x-gateway-timestamp"] == "1800000123"
    assert (headers["x-gateway-event"], headers["x-gateway-delivery"]) == ("provider-outage", "gw-1")
    expected = hmac.new(b"0123456789abcdef", b"1800000123." + body, hashlib.sha256).hexdigest()
    assert headers["x-gateway-signature"] == f"v1={expected}"


def test_without_a_secret_there_is_no_signature() -> None:
    assert "x-gateway-signature" not in dict(headers_of(ALERT, b"{}", None, 0.0))


def test_slack_gets_a_text_in_which_no_name_is_a_link_or_a_mention() -> None:
    event = Event("budget-exceeded", "team:<!channel> & <https://x|y>", 0.0, "critical", {"note": "<@U1>"})
    (text,) = msgspec.json.decode(body_of(alert_of(Told(event), "1", "gw"), "slack"), type=dict[str, str]).values()
    assert "<" not in text
    assert ">" not in text
    assert "team:&lt;!channel&gt; &amp; &lt;https://x|y&gt;" in text
    assert "note: &lt;@U1&gt;" in text


def test_every_kind_has_its_words() -> None:
    alerts: list[Alert] = [alert_of(Told(Event(kind, "k", 0.0, SEVERITIES[kind], {})), "1", "gw") for kind in KINDS]
    assert len({alert.summary for alert in alerts}) == len(KINDS)
    assert all(body_of(alert, "slack") for alert in alerts)


def test_braces_in_a_key_are_but_text() -> None:
    event = Event("keys-exhausted", "{0.__class__}", 0.0, "critical", {})
    assert "{0.__class__}" in alert_of(Told(event), "1", "gw").summary


def documented_check() -> Callable[[str, str, str, bytes], bool]:
    """The code by which docs/alerts.md checks a signature, as it stands there."""
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Callable[[str, str, str, bytes], bool]] = {}
    exec(code, names)
    return names["is_genuine"]


def test_the_check_in_the_docs_takes_what_is_sent_and_nothing_else() -> None:
    is_genuine = documented_check()
    body = body_of(ALERT, "json")
    now = time.time()
    sent = dict(headers_of(ALERT, body, Secret("secret", "shh-of-the-tests"), now))
    timestamp, signature = sent["x-gateway-timestamp"], sent["x-gateway-signature"]
    assert is_genuine("shh-of-the-tests", timestamp, signature, body)
    assert not is_genuine("another", timestamp, signature, body)
    assert not is_genuine("shh-of-the-tests", timestamp, signature, body + b" ")
    assert not is_genuine("shh-of-the-tests", str(int(timestamp) + 1), signature, body)
    assert not is_genuine("shh-of-the-tests", "soon", signature, body)
    old = dict(headers_of(ALERT, body, Secret("secret", "shh-of-the-tests"), now - 3600))
    assert not is_genuine("shh-of-the-tests", old["x-gateway-timestamp"], old["x-gateway-signature"], body)
