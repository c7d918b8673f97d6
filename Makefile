# Everything a developer or a user runs, by name. `make help` lists it.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Compiled once at the installation, and not by each of the processes that a stack starts at the same time.
PACKAGES := studio web jobs sensors schedules resources greenlight_dagster
LOCK := requirements-dev.lock
STAMP := $(VENV)/.installed
IDEA ?=

.DEFAULT_GOAL := help
.PHONY: help install demo demo-full up check format test chaos bench bench-fleet soak simulate types kubernetes deploy-check docs lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(STAMP) ## create .venv and install the locked dependencies

# The build runs without isolation, so that not even hatchling comes unpinned.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Greenlight needs Python 3.11 or newer: set PYTHON=/path/to/python3."; exit 1; }
	@echo "Installing the locked dependencies into $(VENV), once; this takes about a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $(STAMP)

demo: $(STAMP) ## run an idea through Phase 0 on a throw-away stack (IDEA="…" takes your own)
	@$(BIN)/greenlight demo $(if $(value IDEA),-- "$$GREENLIGHT_IDEA")
# As it was typed: make would take "$50 a month" for its variable 5.
demo: export GREENLIGHT_IDEA := $(value IDEA)

demo-full: $(STAMP) ## the same through all four phases: page, mails and decks end up in greenlight-demo/
	@$(BIN)/greenlight demo --full $(if $(value IDEA),-- "$$GREENLIGHT_IDEA")
demo-full: export GREENLIGHT_IDEA := $(value IDEA)

up: $(STAMP) ## start the stack on .greenlight/ and keep it until Ctrl-C
	@$(BIN)/greenlight up

check: $(STAMP) ## formatting, lint, strict types, layering, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/readme.py --check
	$(BIN)/python scripts/types_ts.py --check
	$(BIN)/python scripts/charts.py --check
	$(BIN)/python scripts/migrations.py

format: $(STAMP) ## format and sort imports
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# Much of the suite waits for processes, so three workers are of use even on two cores. A file stays together: the tests
# of a stack build on each other. In the order of the files, what takes long begins first.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(STAMP) ## the whole test suite, chaos in reduced size
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

chaos: $(STAMP) ## the chaos tests in full size, property tests with fresh examples
	GREENLIGHT_CHAOS=full $(BIN)/pytest -m "chaos or hypothesis"

deploy-check: $(STAMP) ## the deployment files; the Dockerfile carried out and run (Linux, root, mmdebstrap, caddy)
	GREENLIGHT_CHAOS=full $(BIN)/pytest -rs tests/unit/test_deploy_files.py tests/unit/test_deploy_fit.py tests/integration/deploy tests/chaos/test_image.py

bench: $(STAMP) ## benchmarks next to stock Dagster (ARGS="--quick --only latency", ARGS=--flame)
	$(BIN)/python -m benchmarks $(ARGS)

bench-fleet: $(STAMP) ## workers behind a broker beside the launcher of one machine (needs redis-server)
	$(BIN)/python -m benchmarks.fleet $(ARGS)

simulate: $(STAMP) ## what 1,000 to 10 million projects need, and what stops first (ARGS=ceilings, ARGS="measure --patience 60")
	$(BIN)/python -m benchmarks.simulation $(ARGS)

soak: $(STAMP) ## an hour of steady load: does anything grow that should not? (ARGS="--minutes 5 --fleet")
	$(BIN)/python -m benchmarks.soak $(ARGS)

lock: $(STAMP) ## pin the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --no-header --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras --no-header -c requirements-dev.lock --extra kubernetes pyproject.toml -o requirements.lock

types: $(STAMP) ## write the TypeScript types of the API and the database schema (needs npm)
	@$(BIN)/python scripts/types_ts.py

kubernetes: $(STAMP) ## render the chart of deploy/kubernetes for the tests (needs npm)
	@$(BIN)/python scripts/charts.py

docs: $(STAMP) ## write the generated parts of the README, and record the demo
	$(BIN)/python scripts/readme.py
	$(BIN)/python scripts/record_demo.py docs/demo.svg

clean: ## remove the virtual environment and caches (the data folder stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
