# One needs Python 3.11 or newer and make; everything else comes into .venv, locked.
PYTHON ?= python3
BIN := .venv/bin
FLAGS := --quiet --disable-pip-version-check --require-hashes

.PHONY: help demo test test-long check bench format lock clean

help:  ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: .venv/ready  ## See it work: seven agencies' exports become one timeline, on real Kafka
	@$(BIN)/crosstown demo

test: .venv/dev  ## All tests, on the embedded Kafka
	$(BIN)/pytest -m "not long" --timeout 900

test-long: .venv/dev  ## The long orders, histories and kills
	$(BIN)/pytest -m long

check: .venv/dev  ## Style, types, the law of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev  ## Measure against the peers; tables and picture go to docs/bench.md
	$(BIN)/python -m bench

format: .venv/dev  ## Put the code into form
	$(BIN)/ruff format .

lock:  ## Make the locks anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-header --upgrade -o requirements.lock
	uv pip compile pyproject.toml --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header -o requirements-dev.lock

clean:  ## Remove what was made here; data under a home stays
	rm -rf .venv dist build

.venv/ready: requirements.lock pyproject.toml
	@echo "preparing .venv (once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Crosstown needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install $(FLAGS) -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.venv/dev: requirements-dev.lock .venv/ready
	@$(BIN)/python -m pip install $(FLAGS) -r requirements-dev.lock
	@touch $@
