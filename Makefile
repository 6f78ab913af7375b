# Every word that people and CI use. Nothing is installed outside .venv and .cache.
# A stamp carries the hash of what it was made from, so `make setup` is a no-op until a lock changes.

PYTHON ?= python3
BIN := .venv/bin
NODE_TOOLS := .cache/node

PYTHON_STAMP := .venv/.ready-$(shell cat pyproject.toml requirements/*.txt | git hash-object --stdin)
NODE_STAMP := $(NODE_TOOLS)/.ready-$(shell cat package.json package-lock.json | git hash-object --stdin)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --custom-compile-command "make lock"

.PHONY: help setup test generate check fmt demo bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make setup   install everything into .venv and .cache (fast when nothing changed)"
	@echo "make demo    hold a conversation, kill the handlers in the middle, see it survive"
	@echo "make test    every test, with the real Restate server"
	@echo "make generate  write openapi.json, KrakenD's file and the pages made from contracts"
	@echo "make check   format, lint, types, import rules"
	@echo "make bench   measure what the platform costs and write docs/benchmarks.md (needs wrk)"
	@echo "make fmt     format and fix what can be fixed"
	@echo "make lock    resolve the dependencies of pyproject.toml and package.json again"
	@echo "make clean   remove .venv, .cache and .data"

setup: $(PYTHON_STAMP) $(NODE_STAMP)

$(PYTHON_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(BIN)/uv --version >/dev/null 2>&1 && $(BIN)/python -c '' || { \
		$(PYTHON) -m venv --clear .venv \
			|| { echo "The venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--require-hashes -r requirements/bootstrap.txt; }
	@VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@rm -f .venv/.ready-* && touch $@

$(NODE_STAMP):
	@command -v npm >/dev/null || { echo "Node 20 with npm is needed; on Debian: apt-get install nodejs npm"; exit 1; }
	@mkdir -p $(NODE_TOOLS) && cp package.json package-lock.json $(NODE_TOOLS)/
	@cd $(NODE_TOOLS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -f $(NODE_TOOLS)/.ready-* && touch $@

test: setup
	$(BIN)/python -m pytest

generate: setup
	@$(BIN)/python -m app generate

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(NODE_TOOLS)/node_modules/.bin/pyright --project pyproject.toml --warnings
	$(BIN)/lint-imports --no-logo

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: setup
	@$(BIN)/python -m devstack.demo

bench: setup
	$(BIN)/python -m bench --write

lock: setup
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	echo uv | $(COMPILE) - --constraints requirements/dev.txt --output-file requirements/bootstrap.txt
	npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved=true

clean:
	rm -rf .venv .cache .data
