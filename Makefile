# Everything from a fresh clone, with nothing but Python 3.11, 3.12 or 3.13, pip and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# of the tests: each takes a gigabyte and more
PROCESSES := -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test quick slow check install test-latest

demo: install  ## deblur a clip that is made here, and print the gain
	$(BIN)/deblur demo demo

test: check  ## lint, types and the default tests
	$(BIN)/pytest $(PROCESSES)

quick: install  ## the tests that notice first when Python or a package is another one
	$(BIN)/pytest tests/integration/test_clean_file.py tests/integration/test_file_source.py \
	    tests/unit/test_pyav.py tests/unit/test_undocumented.py tests/unit/test_dependencies.py

slow: install  ## what is long or timed, too
	$(BIN)/pytest -m "slow or not slow"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-latest:  ## the default tests with the newest of all packages, also those that are not let in yet
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/python tests/unbounded.py > .venv-latest/requirements.txt
	.venv-latest/bin/pip install --quiet --disable-pip-version-check --upgrade --pre \
	    --requirement .venv-latest/requirements.txt
	.venv-latest/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	.venv-latest/bin/pytest --deselect tests/unit/test_dependencies.py

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@$(BIN)/python -c "import cv2" || { echo "OpenCV needs system libraries: apt-get install libgl1 libglib2.0-0, or your system's likes of them" >&2; exit 1; }
	touch $@
