# Two commands for a newcomer: `make demo` and `make test`. Everything lands in .venv.

PYTHON ?= python3
DATA ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check acceptance lock clean

demo: $(INSTALLED)  ## teach and run the simulated line
	$(BIN)/edge-agent demo --output demo-output

test: $(INSTALLED)  ## all tests that a change must pass
	$(BIN)/python -m pytest

check: $(INSTALLED)  ## what CI runs: format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

acceptance: $(INSTALLED)  ## long checks on real data (DATA=folder of the inspection sets)
	DATA=$(DATA) $(BIN)/python -m pytest -m acceptance

lock:  ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --extra tflite --extra gpio --extra page --extra demo --extra dev \
	    --no-emit-index-url --no-header --output-file requirements.lock

clean:
	rm -rf $(VENV) demo-output

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] in ((3,11),(3,12),(3,13)) else "Python 3.11, 3.12 or 3.13 is needed; this is %d.%d. Name another with make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@$(PYTHON) -c 'import struct, sys; sys.exit(0 if struct.calcsize("P") == 8 else "A 64-bit system is needed: 32-bit ARM has no wheels of Numba and ONNX Runtime. Install the 64-bit Pi OS.")'
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: sudo apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(INSTALLED): $(VENV)/pyvenv.cfg requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
