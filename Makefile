# Every command a person or CI runs.  `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
RUN := PYTHONPATH=tests $(PYTHON)
PACED := PYTHONPATH=tests python3 -m pace --log build/install.log
PACKAGES := installing Python packages into .venv, for Fairlead and its tests
# The order of tests is shuffled, by the same number each time, so that a run says what the change did.
SEED ?= 1
PYTEST := $(PYTHON) -m pytest --randomly-seed=$(SEED)
# Unit and scenario tests wait for nothing and share nothing: one process for each core.  All of
# them must find the same tests in the same order, also those whose names come from a set.
AT_ONCE := PYTHONHASHSEED=0 $(PYTEST) --numprocesses=auto
# Integration tests wait for servers, of which each process has its own: a file's tests stay together.
SIDE_BY_SIDE := $(AT_ONCE) --dist=loadfile
APT_INSTALL := apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the two commands to begin with ---------------------------------------------------------

.PHONY: demo
demo: install ## Bring up a cluster, install Fairlead, and run the whole demo on it
	@$(RUN) -m e2e.story

.PHONY: test
test: install tools gateway-tools s3-tools test-packages ## Run all tests: unit, scenario, integration, end to end; with coverage
	$(AT_ONCE) tests/unit tests/scenario --cov --cov-report=
	$(SIDE_BY_SIDE) tests/integration --cov --cov-append --cov-report=term --cov-fail-under=85
	$(PYTEST) tests/e2e

# --- tests in parts -------------------------------------------------------------------------

.PHONY: test-unit
test-unit: install tools ## Run unit and scenario tests (seconds)
	$(AT_ONCE) tests/unit tests/scenario

.PHONY: test-integration
test-integration: install tools gateway-tools s3-tools test-packages ## Run integration tests on a real API server
	$(SIDE_BY_SIDE) tests/integration

.PHONY: test-e2e
test-e2e: install ## Run end-to-end tests on a real cluster; a running cluster keeps running
	$(PYTEST) tests/e2e

.PHONY: properties
properties: install tools ## Look for examples that break a property: many, and others each time
	PROPERTIES=search $(AT_ONCE) tests/unit -m hypothesis

.PHONY: bench
bench: install ## Measure what docs/benchmarks.md reports
	$(RUN) -m bench

.PHONY: bench-scale
bench-scale: install ## Measure operator and gateway with thousands of Models on simulated nodes
	$(RUN) -m bench many-models operator-scale

.PHONY: bench-serving
bench-serving: install ## Measure requests a second beside a bare FastAPI server (a minute)
	$(RUN) -m bench serving

.PHONY: chaos
chaos: install ## Take each part away during rollouts: at every call, and on a real cluster
	$(AT_ONCE) tests/scenario/test_faults.py --faults all
	@$(RUN) -m chaos

# --- the local cluster ----------------------------------------------------------------------

.PHONY: cluster-up
cluster-up: install ## Bring up the local cluster
	@$(RUN) -m cluster up

.PHONY: cluster-status
cluster-status: install ## Show which parts of the local cluster are running
	@$(RUN) -m cluster status

.PHONY: cluster-down
cluster-down: install ## Remove the local cluster and all it made, except caches
	@$(RUN) -m cluster down

.PHONY: images
images: install ## Build the images whose sources changed
	@$(RUN) -m images build

.PHONY: images-push
images-push: install ## Push the images to REGISTRY=host/path, and write build/images.yaml for Helm
	@$(RUN) -m images push "$(REGISTRY)"

# --- checks ---------------------------------------------------------------------------------

.PHONY: lint
lint: install type ## Check style, types, import contracts, generated files and the chart
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(PYTHON) -m fairlead_operator.crds --check
	$(RUN) -m e2e.helm lint charts/fairlead

.PHONY: type
type: install ## Check types
	$(VENV)/bin/mypy

.PHONY: fmt
fmt: install ## Format the code
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: crds
crds: install ## Generate the CRDs from the Python types
	$(PYTHON) -m fairlead_operator.crds

# One after the other, also under -j: the first two write what the others check.
.PHONY: verify
verify: install ## Do all that CI does; fail when files change that were not committed
	$(MAKE) fmt
	$(MAKE) crds
	$(MAKE) lint
	$(MAKE) test
	git diff --exit-code

.PHONY: clean
clean: ## Remove what tests and the demo wrote; keep .venv and the caches in ~/.cache/fairlead
	rm -rf build .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# --- what the commands stand on -------------------------------------------------------------

# The lock is for two makes at once: the second finds everything done.
.PHONY: install
install: ## Create .venv with the locked dependencies, unless it is up to date
	@+mkdir -p build && flock build/install.lock $(MAKE) --no-print-directory $(INSTALLED)

# The distribution was called fairlead once; removed later, it would take the command along.
# pip would spend two fifths of its time on compiling modules that nothing here imports.
# Two packages ship opentelemetry/proto, and the one of xds-protos is too old for MLflow's server.
$(INSTALLED): constraints.txt pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: Python 3.11 or later is needed; python3 is $$(python3 --version 2>&1)" >&2; exit 1; }
	@if compgen -G '$(VENV)/lib/python*/site-packages/fairlead-*.dist-info' >/dev/null; then \
	  $(PYTHON) -m pip uninstall --quiet --yes fairlead; \
	fi
	@if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then \
	  [ -x $(PYTHON) ] || uv venv --quiet --seed --python python3 $(VENV); \
	  $(PACED) --about 40 '$(PACKAGES)' \
	    uv pip install --python $(PYTHON) -c constraints.txt -e '.[dev]' pip; \
	else \
	  python3 -c 'import ensurepip, venv' 2>/dev/null \
	    || $(PACED) --about 20 'installing python3-venv' bash -c '$(APT_INSTALL) python3-venv'; \
	  $(PYTHON) -m pip --version >/dev/null 2>&1 \
	    || $(PACED) --about 5 'making .venv' python3 -m venv --clear $(VENV); \
	  $(PACED) --about 55 '$(PACKAGES)' \
	    $(PYTHON) -m pip install --no-compile --disable-pip-version-check --progress-bar off \
	      -c constraints.txt -e '.[dev]'; \
	fi
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
	  -c constraints.txt opentelemetry-proto
	@touch $@

# Helm, kubectl and an API server from one Go module, promtool from another; minutes the first time.
.PHONY: tools
tools: install
	@$(RUN) -m e2e.helm version --short >/dev/null
	@$(RUN) -m images promtool >/dev/null

# A real implementation of the Gateway API for one integration test; minutes the first time.
.PHONY: gateway-tools
gateway-tools: install
	@$(RUN) -m images envoy-gateway >/dev/null

# An S3 server for the tests of sources; two minutes the first time.
.PHONY: s3-tools
s3-tools: install
	@$(RUN) -m images versitygw >/dev/null

# KEDA itself for one integration test, which is skipped without it; five minutes the first time.
.PHONY: keda-tools
keda-tools: install ## Build KEDA, which one integration test needs (5 minutes, once)
	@$(RUN) -m images keda >/dev/null

.PHONY: test-packages
test-packages:
	@mkdir -p build && flock build/install.lock bash -c 'compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null \
	  && test -x /usr/sbin/pgbouncer || { $(APT_INSTALL) postgresql pgbouncer; }'
