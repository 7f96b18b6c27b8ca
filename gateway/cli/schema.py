"""`gateway schema`: what editors and readers are told about routers.yaml."""

from __future__ import annotations

import argparse
import sys

from gateway.config.reference import configuration_page
from gateway.config.schema import schema_text
from gateway.providers.page import providers_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--docs, --providers: a page of the documentation instead. --tests, --audit, --admin: another schema."""
    pages = parser.add_mutually_exclusive_group()
    pages.add_argument("--docs", action="store_true", help="print docs/configuration.md instead of the schema")
    pages.add_argument("--providers", action="store_true", help="print docs/providers.md instead of the schema")
    pages.add_argument("--tests", action="store_true", help="print the schema of *.test.yaml")
    pages.add_argument("--admin", action="store_true", help="print the OpenAPI document of the admin API")
    pages.add_argument("--audit", action="store_true", help="print the schema of a line of the audit log")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    if args.tests:
        from gateway.rehearsal.reading import cases_schema

        sys.stdout.write(schema_text(cases_schema()))
        return 0
    if args.audit:
        from gateway.telemetry.audit_schema import audit_schema

        sys.stdout.write(schema_text(audit_schema()))
        return 0
    if args.admin:
        from gateway.ingress.admin.openapi import openapi_text

        sys.stdout.write(openapi_text())
        return 0
    text = configuration_page() if args.docs else providers_page() if args.providers else schema_text()
    sys.stdout.write(text)
    return 0
