from __future__ import annotations

import json

import pytest

from gateway.cli.main import main


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "routers.yaml"


def test_the_reference_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--docs"]) == 0
    assert capsys.readouterr().out.startswith("# Configuration\n")


def test_the_page_of_providers_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--providers"]) == 0
    assert capsys.readouterr().out.startswith("# Providers\n")


def test_the_schema_of_policy_tests_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--tests"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "*.test.yaml"
