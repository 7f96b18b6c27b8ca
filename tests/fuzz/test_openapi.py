"""docs/openapi.yaml against a gateway process that answers by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.processes import Program, start_gateway

pytestmark = pytest.mark.real_time

ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = schemathesis.openapi.from_dict(yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text()))
SCHEMA.config.generation.update(modes=list(GenerationMode))
CONFIG: Final = """
server: {engine: granian, drain-timeout: 1s}
default-router: demo
routers: {demo: {load-balance: {default: {providers: [echo]}}}}
"""

CHECKED: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with start_gateway(tmp_path_factory.mktemp("openapi"), CONFIG, {}) as made:
        yield made


@SCHEMA.parametrize()
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_gateway_keeps_to_its_description(case: schemathesis.Case, program: Program) -> None:
    if "name" in case.path_parameters and len(str(case.path_parameters["name"])) % 2:
        case.path_parameters["name"] = "demo"
    case.call_and_validate(base_url=program.url, checks=CHECKED)
