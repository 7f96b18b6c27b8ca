"""schemas/admin.openapi.json against a gateway process with a ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.core.key_text import key_text
from gateway.ingress.admin.openapi import openapi
from tests.support.processes import Program, start_gateway

pytestmark = pytest.mark.real_time

KEY: Final = key_text(1)
SCHEMA: Final = schemathesis.openapi.from_dict(openapi())
SCHEMA.config.generation.update(modes=list(GenerationMode))
CHECKED: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def config(folder: Path) -> str:
    return (
        "server: {engine: granian, drain-timeout: 1s}\n"
        f"admin: {{keys: [{{name: a, role: write, hash: 'sha256:{hashlib.sha256(KEY.encode()).hexdigest()}'}}]}}\n"
        f"ledger: {{url: 'sqlite:///{folder / 'ledger.db'}', spool: '{folder / 'spool'}'}}\n"
        "routers: {demo: {load-balance: {default: {providers: [echo]}}}}\n"
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("admin")
    with start_gateway(folder, config(folder), {}) as made:
        yield made


@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_admin_api_keeps_to_its_description(case: schemathesis.Case, program: Program) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    case.call_and_validate(base_url=program.url, headers=headers, checks=CHECKED)
