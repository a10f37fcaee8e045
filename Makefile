# make check   set up, then prove that the versions agree
# make test    set up, then run the test suite
# make test-all  the same, then what takes longer: whole grids, the site
# make bench   set up, then time training steps, and ways of unrolling
# make fuzz    set up, then feed each reader of files for 10 minutes
# make mutants  set up, then plant faults that the tests must notice
# make docs    set up, then build the guide into site/
# make serve   set up, then show the guide at http://127.0.0.1:8000
# All need Python 3.10 to 3.13, and pip and the network the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup check test test-all bench fuzz mutants docs serve lint format record lock clean

help:
	@sed -n 's/^# \(make \)/\1/p' Makefile

setup: $(READY)

# Written last, so that an interrupted set-up is done again.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "rnn-parity needs Python 3.10 to 3.13; name one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

check: $(READY)
	$(BIN)/rnn-parity check

PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup

test: $(READY)
	$(PYTEST)

test-all: test
	$(PYTEST) -m thorough

bench: $(READY)
	$(BIN)/python -m benchmarks.training_step
	$(BIN)/rnn-parity bench --preset quick

fuzz: $(READY)
	$(BIN)/python -m fuzz

mutants: $(READY)
	$(BIN)/python -m mutation

# MkDocs 1 prints an advertisement of its successor unless told not to.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

serve: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

record: $(READY)
	$(BIN)/python -m recorded.record_all

# After a change of dependencies in pyproject.toml.
lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra dev --extra docs --no-header \
	  --output-file requirements.txt pyproject.toml

clean:
	rm -rf $(VENV) build site *.egg-info
