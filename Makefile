# Everything a person or CI does here. Needs Python 3.11 or newer, and make; nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check lint format notebooks test-e2e schema modules clean

help:           ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

demo: $(VENV)/.core    ## install kubesim and run the main story
	$(BIN)/kubesim run mixed-pool

test: $(VENV)/.dev    ## install the dev extras and run every test
	$(BIN)/python -m pytest -n auto tests --ignore=tests/e2e
	$(MAKE) notebooks

check: $(VENV)/.dev lint test    ## format, lint, types, contracts, tests

lint: $(VENV)/.dev    ## everything but the tests
	$(BIN)/ruff format --check kubesim tests tools
	$(BIN)/ruff check kubesim tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate -q tests

format: $(VENV)/.dev    ## put the code into shape
	$(BIN)/ruff format kubesim tests tools
	$(BIN)/ruff check --fix kubesim tests tools

notebooks: $(VENV)/.dev    ## execute the notebooks
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 -p no:cacheprovider -W ignore notebooks

test-e2e: $(VENV)/.dev    ## tests that install tools: modules rebuilt from source, a real registry, real containers
	$(BIN)/python -m pytest tests/e2e

schema: $(VENV)/.core    ## write the JSON Schema of the scenario format
	$(BIN)/kubesim schema > scenarios/scenario.schema.json

modules: $(VENV)/.core    ## rebuild the Wasm modules from their sources
	$(BIN)/python tools/build_modules.py
	$(BIN)/python tools/compose_components.py

clean:          ## remove what was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kubesim needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.core
