from __future__ import annotations

import pytest

from gateway.config.time_zone import zone_of


def test_a_zone_is_found_by_its_name_and_is_utc_without_one() -> None:
    assert str(zone_of("Europe/Berlin")) == "Europe/Berlin"
    assert str(zone_of(None)) == "UTC"


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe", "a" * 300])
def test_a_name_that_no_zone_has_is_said(name: str) -> None:
    with pytest.raises(ValueError, match=f"^there is no time zone `{name[:60]}`$"):
        zone_of(name)
