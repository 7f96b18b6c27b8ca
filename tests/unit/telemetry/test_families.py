from __future__ import annotations

import re

from gateway.telemetry.families import FAMILIES, SECONDS


def test_every_family_stands_under_its_own_name() -> None:
    assert all(name == family.name for name, family in FAMILIES.items())


def test_names_and_labels_are_prometheus_names_of_ours() -> None:
    assert [name for name in FAMILIES if not re.fullmatch(r"gateway(_[a-z]+)+", name)] == []
    labels = {label for family in FAMILIES.values() for label in family.labels}
    assert [label for label in labels if not re.fullmatch(r"[a-z]+", label) or label in ("le", "quantile")] == []


def test_no_name_ends_in_a_suffix_that_the_format_adds() -> None:
    assert [n for n in FAMILIES if n.endswith(("_total", "_bucket", "_sum", "_count", "_created"))] == []


def test_every_family_says_what_it_is_in_a_sentence() -> None:
    assert [n for n, family in FAMILIES.items() if not family.help.endswith(".") or "\n" in family.help] == []


def test_no_label_is_a_client_or_a_key() -> None:
    labels = {label for family in FAMILIES.values() for label in family.labels}
    assert labels.isdisjoint({"caller", "client", "user", "key", "path", "message", "url"})


def test_bounds_rise() -> None:
    assert list(SECONDS) == sorted(set(SECONDS))
