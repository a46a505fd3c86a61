# Two commands: `make lab` opens the course, `make test` proves it. Both set up what they need and are quick again later.
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY  := "$(BIN)/python"
# Make cuts names at spaces: in targets they need a backslash, in recipes quotation marks.
SPACE := $(subst ,, )
READY := $(subst $(SPACE),\$(SPACE),$(VENV))/.ready
# Notebooks are compared with their stored outputs, which need the real data: without it they are left out. Exercises and
# their masters only print: tests/test_course_notebooks.py runs those without kernels.
NOTEBOOKS := from minibert.corpora import is_cached as c; print('notebooks' * (c('minilm') and c('sotu')))
PIP := $(PY) -m pip --disable-pip-version-check install --quiet -c .ci/constraints.txt

.PHONY: lab test test-quick exercises site lint clean help
help:
	@echo "make lab    set up, fetch the course's data (about 200 MB, once) and open JupyterLab; ARGS=--no-browser on servers"
	@echo "make test   set up and run every test and notebook"
	@echo "make test-quick   the tests that take seconds, for whoever is writing"
	@echo "make exercises   write exercises/ from solutions/, for teachers"
	@echo "make site   the course as pages that open without a server or a network, in build/site"
	@echo "make lint   ruff"
	@echo "make clean  remove the virtual environment and build leftovers (fetched data stays in its cache)"

$(READY)-lab: pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and f'minibert needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12 ...')"
	@test -x $(PY) || { echo "== creating $(VENV)"; $(PYTHON) -m venv "$(VENV)"; }
	@echo "== installing PyTorch 2.13.0 (the largest download)"
	@$(PIP) torch==2.13.0
	@echo "== installing minibert and JupyterLab"
	@$(PIP) -e .
	@touch "$@"

$(READY)-test: $(READY)-lab
	@echo "== installing the test tools"
	@$(PIP) -e ".[test]"
	@touch "$@"

$(READY)-site: $(READY)-lab
	@echo "== installing what makes the site"
	@$(PIP) -e ".[site]"
	@touch "$@"

lab: $(READY)-lab
	@echo "== data (skipped where it is in the cache)"
	@$(PY) -m minibert data fetch || echo "== some data is missing; the notebooks say so and use generated text instead"
	@echo "== opening notebooks/00_start_here.ipynb; stop with Ctrl-C"
	@$(PY) -m minibert lab $(ARGS)

test: $(READY)-test
	@echo "== data (skipped where it is in the cache)"
	@$(PY) -m minibert data fetch || echo "== some data is missing; the tests and notebooks that need it are left out"
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --nbval --nbval-current-env \
	    --nbval-cell-timeout=300 $$($(PY) -c "$(NOTEBOOKS)") tests minibert $(ARGS)

test-quick: $(READY)-test
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -m "not slow" tests $(ARGS)

exercises: $(READY)-test
	OMP_NUM_THREADS=1 PATH="$$(cd "$(BIN)" && pwd):$$PATH" $(PY) -m minibert.course.build $(ARGS)

site: $(READY)-site
	OMP_NUM_THREADS=1 $(PY) -m minibert.site.build $(ARGS)

lint: $(READY)-test
	$(PY) -m ruff check . && $(PY) -m ruff format --check .

clean:
	rm -rf "$(VENV)" build dist *.egg-info .pytest_cache .ruff_cache .hypothesis runs artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
