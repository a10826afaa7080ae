# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
WORKERS ?= auto

.PHONY: demo test test-all lint types bench lock generate clean

# The stamps make each install happen once, and again when what it installs from has changed.
$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kiebatch needs Python 3.11 or newer; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml requirements-dev.txt | $(BIN)/python
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	$(PIP) install --no-deps --editable .
	touch $@ $(VENV)/installed

demo: $(VENV)/installed
	rm -rf demo && cp -r examples/lighthouse demo
	$(BIN)/kiebatch run demo/scenes.yaml --draft
	$(BIN)/kiebatch board demo/scenes.yaml --draft --output demo/board.html
	@echo
	@echo "The pictures lie in demo/draft, the storyboard is demo/board.html."
	@echo "Change a prompt in demo/scenes.yaml, then: $(BIN)/kiebatch run demo/scenes.yaml --draft"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-all: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(if $(SLOW_ONLY),-m slow)

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/installed-dev
	$(BIN)/mypy --strict kiebatch

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench

# Everything that is derived from the models' data: schemas and docs/models.md.
generate: $(VENV)/installed-dev
	$(BIN)/python -m kiebatch.catalogue.generate

# The development lock: exact versions with hashes, from the ranges in pyproject.toml.
lock: | $(BIN)/python
	$(PIP) install uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra e2e --universal --generate-hashes \
	  --no-emit-index-url --no-header --output-file requirements-dev.txt

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
