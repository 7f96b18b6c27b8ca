# One verb each. Needs python3 (3.11 or newer) with its venv module, and a package index; `make bench` also wrk and nginx.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check format schema prices lock bench image sbom clean dev

PYTHON ?= python3
CONFIG ?= routers.yaml
ARGS ?=
PYTEST_ARGS ?= -n auto --dist loadfile

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
# `.venv/installed-X` is a copy of the lock that it was installed from, so a lock that was merely touched installs nothing.
install = @if cmp -s $(1) $(2); then touch $(2); else \
	echo "installing $(1) into $(VENV)"; \
	$(PIP) install --quiet --require-hashes --requirement $(1) && cp $(1) $(2); fi

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@echo "  variables: PYTHON=$(PYTHON) CONFIG=$(CONFIG) ARGS= PYTEST_ARGS='$(PYTEST_ARGS)'"

run: $(VENV)/installed-run ## set up and serve routers.yaml (CONFIG=file, ARGS=more options)
	@exec $(PY) -m gateway.cli serve "$(CONFIG)" $(ARGS)

test: dev ## set up and run all tests (ARGS=paths and options)
	@$(PY) -m pytest $(PYTEST_ARGS) $(ARGS)

check: dev ## lint, format, types, layers, the shipped config and schema
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-cache --no-logo
	$(PY) -m gateway.cli check routers.yaml
	$(PY) -m gateway.cli test routers.test.yaml
	@$(PY) -m gateway.cli schema | cmp -s - schemas/routers.schema.json \
		|| { echo "schemas/routers.schema.json is stale: make schema" >&2; exit 1; }
	@$(PY) -m gateway.cli schema --tests | cmp -s - schemas/policy-test.schema.json \
		|| { echo "schemas/policy-test.schema.json is stale: make schema" >&2; exit 1; }
	@$(PY) -m gateway.cli schema --audit | cmp -s - schemas/audit.schema.json \
		|| { echo "schemas/audit.schema.json is stale: make schema" >&2; exit 1; }
	@$(PY) -m gateway.cli schema --admin | cmp -s - schemas/admin.openapi.json \
		|| { echo "schemas/admin.openapi.json is stale: make schema" >&2; exit 1; }
	@$(PY) -m gateway.cli schema --docs | cmp -s - docs/configuration.md \
		|| { echo "docs/configuration.md is stale: make schema" >&2; exit 1; }
	@$(PY) -m gateway.cli schema --providers | cmp -s - docs/providers.md \
		|| { echo "docs/providers.md is stale: make schema" >&2; exit 1; }

format: dev ## put the source into its one format
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

schema: dev ## generate schemas/, docs/configuration.md, docs/providers.md and what of helm/ follows from them
	@mkdir -p schemas
	$(PY) -m gateway.cli schema > schemas/routers.schema.json
	$(PY) -m gateway.cli schema --tests > schemas/policy-test.schema.json
	$(PY) -m gateway.cli schema --audit > schemas/audit.schema.json
	$(PY) -m gateway.cli schema --admin > schemas/admin.openapi.json
	$(PY) -m gateway.cli schema --docs > docs/configuration.md
	$(PY) -m gateway.cli schema --providers > docs/providers.md
	$(PY) tools/make_chart.py
	$(PY) tools/make_dashboard.py
	$(PY) tools/make_matrix.py
	$(PY) tools/make_severities.py

prices: dev ## write the table of prices anew (needs genai-prices: .venv/bin/pip install genai-prices)
	$(PY) tools/make_prices.py
	$(PY) -m ruff format --quiet gateway/providers/price_table.py

bench: dev ## measure against the floor (ARGS='--quick', '--only whole,stream')
	@$(PY) -m benchmarks.bench $(ARGS)

# Resolved for every platform and for Python 3.11 and later; no registry address is written down.
lock: dev ## resolve pyproject.toml into requirements*.txt, with hashes (ARGS=--upgrade)
	$(PY) -m uv pip compile pyproject.toml $(UV_FLAGS) --output-file requirements.txt $(ARGS)
	$(PY) -m uv pip compile pyproject.toml $(UV_FLAGS) --group dev --constraints requirements.txt \
		--output-file requirements-dev.txt $(ARGS)
	$(PY) -m uv pip compile .ci/tools/tools.in $(UV_FLAGS) --output-file .ci/tools/tools.txt $(ARGS)
	$(PY) -m uv pip compile .ci/tools/checkov.in $(UV_FLAGS) --output-file .ci/tools/checkov.txt $(ARGS)

UV_FLAGS := --quiet --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

image: ## build the image router-gateway:VERSION (ENGINE=docker, podman or buildah)
	$(ENGINE) build --tag router-gateway:$(VERSION) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION="$$(git rev-parse HEAD)" --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" .

ENGINE ?= docker
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' gateway/__init__.py)

sbom: .cache/sbom/installed ## write build/router-gateway.cdx.json: what the lock installs, as CycloneDX
	@mkdir -p build
	.cache/tools/tools/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
		--pyproject pyproject.toml --mc-type application --output-file build/router-gateway.cdx.json .cache/sbom/bin/python

.cache/sbom/installed: requirements.txt .ci/tools/tools.txt
	@.ci/fetch-tools python
	@"$(PYTHON)" -m venv --clear --without-pip .cache/sbom
	@.cache/tools/tools/bin/python -m pip --python .cache/sbom/bin/python install --quiet --disable-pip-version-check \
		--no-deps --require-hashes --requirement requirements.txt
	@cp requirements.txt $@

clean: ## remove what was set up and cached
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/clients/node_modules

dev: $(VENV)/installed-dev

$(VENV)/installed-run: requirements.txt $(VENV)/created
	$(call install,$<,$@)

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/created
	$(call install,$<,$@)

# The project is put on the path by name, not built: that needs neither a build backend nor a network.
$(VENV)/created:
	@command -v "$(PYTHON)" >/dev/null 2>&1 \
		|| { echo "$(PYTHON) is not installed; Python 3.11 or newer is needed (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, this is $$("$(PYTHON)" -V 2>&1) (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) has no venv module (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "creating $(VENV) with $$("$(PYTHON)" -V 2>&1)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(PY) -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "router-gateway.pth").write_text(str(pathlib.Path.cwd()), "utf-8")'
	@printf '%s\n' '#!/bin/sh' 'exec "$$(dirname "$$0")/python" -m gateway.cli "$$@"' > $(VENV)/bin/gateway
	@chmod +x $(VENV)/bin/gateway
	@touch $@
