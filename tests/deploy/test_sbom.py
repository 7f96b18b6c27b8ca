"""The bill of materials that `make sbom` has written: what the lock installs here, no more and no less."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from tests.deploy.conftest import ROOT

WRITTEN: Final = ROOT / "build" / "router-gateway.cdx.json"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_it_lists_what_the_lock_installs() -> None:
    if not WRITTEN.exists():
        pytest.skip("no bill of materials: make sbom")
    bill = json.loads(WRITTEN.read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "router-gateway"
    listed = {normal(component["name"]): component["version"] for component in bill["components"]}
    lock = (ROOT / "requirements.txt").read_text("utf-8")
    locked = {normal(name): (version, marker) for name, version, marker in
              re.findall(r"^([a-zA-Z0-9._-]+)==(\S+)( ;.*)? \\$", lock, re.MULTILINE)}  # fmt: skip
    assert len(locked) > 20
    everywhere = {name: version for name, (version, marker) in locked.items() if not marker}
    assert everywhere.items() <= listed.items()
    assert listed.items() <= {name: version for name, (version, _) in locked.items()}.items()
    # Their metadata name none; docs/dependencies.md has it from the packages' licence files.
    unnamed = [component["name"] for component in bill["components"] if not component.get("licenses")]
    assert unnamed == ["protobuf", "pyreqwest"]
