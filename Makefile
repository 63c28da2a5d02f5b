# The two commands of the README are `make run` and `make test`; both make the environment when it is missing or old.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.made
OUT ?= runs/peas

.PHONY: help setup setup-browser run test check format bench docs example example-smoke clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

setup: $(STAMP)  ## the environment, in .venv

# torch first and alone: its exact pin takes a CPU wheel where one is at hand. The lock is complete, and without dependencies nothing
# in it (bergson: torchvision, torchaudio) brings builds that do not fit that wheel.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mendel needs Python 3.11 or newer: make PYTHON=python3.11 …" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install -q --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps -e .
	@touch $(STAMP)

# The tests of the page drive a real one. Root (a container, CI) gets it installed; anybody else is told what to install.
setup-browser:  ## Chromium, for the tests of the page
	@if command -v chromium || command -v chromium-browser || command -v google-chrome-stable || command -v google-chrome; then :; \
	elif ! command -v apt-get >/dev/null; then echo "the tests of the page need Chromium: install it, so that 'chromium' is found" >&2; exit 2; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -y -q --no-install-recommends chromium; \
	elif sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo apt-get install -y -q --no-install-recommends chromium; \
	else echo "the tests of the page need Chromium: sudo apt-get install chromium" >&2; exit 2; fi

run: $(STAMP)  ## diagnose the embedded study `peas`; says where the report is
	@$(BIN)/mendel run --out $(OUT)

test: $(STAMP)  ## all tests
	@$(BIN)/python -m pytest

check: $(STAMP)  ## format, lint, types, layers, the rules of the layout
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --durations=0 tests/test_layout.py

format: $(STAMP)  ## format and mend what can be mended
	$(BIN)/ruff format src tests benchmarks examples docs
	$(BIN)/ruff check --fix src tests benchmarks examples docs

bench: $(STAMP)  ## the benchmarks of benchmarks/README.md
	$(BIN)/python benchmarks/run_peas.py
	$(BIN)/python benchmarks/calibration.py --quick

docs: $(STAMP)  ## the reference pages and the documentation, in site/
	$(BIN)/python docs/_generate.py
	$(BIN)/mkdocs build --strict

example: $(STAMP)  ## diagnose SmolLM2-135M (an hour or more on two cores)
	$(BIN)/python examples/smollm2/prepare.py
	$(BIN)/mendel run examples/smollm2/study.yaml --out runs/smollm2
	@echo "report: runs/smollm2/report.html"

example-smoke: $(STAMP)  ## the same path in five minutes: too few prompts to say anything
	$(BIN)/python examples/smollm2/prepare.py --smoke
	$(BIN)/mendel run examples/smollm2/smoke.yaml --out runs/smollm2-smoke

clean:  ## everything that was made, but not the store of finished work
	rm -rf .venv runs site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
