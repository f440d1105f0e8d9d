# Everything from a fresh clone, with nothing but Python 3.11, 3.12 or 3.13, pip and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow check install

demo: install  ## deblur a clip that is made here, and print the gain
	$(BIN)/deblur demo demo

test: check  ## lint, types and the default tests
	$(BIN)/pytest

slow: install  ## the soak tests too: minutes
	$(BIN)/pytest -m "slow or not slow"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@$(BIN)/python -c "import cv2" || { echo "OpenCV needs system libraries: apt-get install libgl1 libglib2.0-0, or your system's likes of them" >&2; exit 1; }
	touch $@
