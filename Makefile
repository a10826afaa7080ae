# Two commands on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
WORKERS ?= auto
# The slow tests wait for processes, servers and clocks more than they compute.
SLOW_WORKERS ?= 4

# The tests start many interpreters; each would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo shell test test-all lint types docs bench lock audit generate dist check-dist check-tag clean

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
	@echo "The pictures are in demo/draft, the storyboard is demo/board.html."
	@echo "Change a prompt in demo/scenes.yaml, then: $(BIN)/kiebatch run demo/scenes.yaml --draft"
	@echo "\`make shell\` opens a shell in which the command is \`kiebatch\`."

# A shell with the program on its PATH.
shell: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" $${SHELL:-sh}

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(COVERAGE)

# `make test`, with coverage; its floor is in pyproject.toml.  Then what it leaves out: the slow tests, and each property
# with more examples.  Their coverage is not measured: it slows every program that they start.
test-all: $(VENV)/installed-dev
	$(MAKE) test COVERAGE="--cov --cov-report=term:skip-covered"
	$(BIN)/python -m pytest -n $(SLOW_WORKERS) --dist worksteal -m "slow or hypothesis" --durations=40

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/zizmor --offline --persona auditor --no-progress --quiet action.yml examples/ci/github*.yml .github/workflows

types: $(VENV)/installed-dev
	$(BIN)/mypy --strict

# The site, into build/site. A broken link, or a page that is in no menu, is an error.
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

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

# Known weaknesses of the locked versions.  It asks the package index, and fails where that cannot say.
audit: | $(BIN)/python
	$(PIP) install pip-audit
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements-dev.txt

dist: $(VENV)/installed-dev
	rm -rf dist
	$(BIN)/python -m build --no-isolation

# Both distributions, installed apart, and what can fail in the unpacked sdist.
check-dist: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 0 -m slow tests/test_package.py

# A release is made from the tag `v` and the version.
check-tag: $(VENV)/installed-dev
	$(BIN)/python -c 'import kiebatch, sys; sys.exit(sys.argv[1] != f"v{kiebatch.__version__}" and f"{sys.argv[1]} is not the tag of version {kiebatch.__version__}")' "$(TAG)"

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
