# make demo   sells a small network end to end on this machine (installs itself first)
# make test   runs the default test tier
# make test-snarkjs  runs the tests against npm's snarkjs and circom, where node and npm are
# make test-regtest  runs the tests against a real bitcoind, named by BITCOIND or obtained by apt
# make test-faults   runs two hundred settlements in which commands die and nodes fail
# make coverage  the default test tier, measured; fails where less than 90 % is run
# make mutation  changes the verifiers' code in one place at a time; a test must notice each
# make experiments        the paper's tables and figures, full size (DATA=directory of MNIST)
# make experiments-quick  the same with a small network, to see that they run
# make docs   the API reference, as HTML in build/reference
# make check  lint and types
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-snarkjs test-regtest test-faults coverage mutation experiments experiments-quick docs check clean

demo: $(VENV)/.run
	$(BIN)/zkcmp demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-snarkjs: $(VENV)/.dev
	PYTHON=$(BIN)/python tests/snarkjs/run.sh

test-faults: $(VENV)/.dev
	$(BIN)/python -m pytest -s -n 0 -m faults tests/faults

mutation: $(VENV)/.dev
	$(BIN)/python tests/mutation/run.py

test-regtest: $(VENV)/.dev
	$(BIN)/python -m pytest -m regtest -rs tests/regtest

coverage: $(VENV)/.dev
	rm -rf build/coverage
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet --fail-under=0
	$(BIN)/coverage report --show-missing
	$(BIN)/python tests/coverage_table.py build/coverage/report.json

experiments: $(VENV)/.dev
	$(BIN)/python experiments/reproduce.py $(if $(DATA),--data $(DATA))

experiments-quick: $(VENV)/.dev
	$(BIN)/python experiments/reproduce.py --quick

docs:
	$(PYTHON) docs/make_reference.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("zkcmp needs Python \
	3.11 or later, and $(PYTHON) is %d.%d; name another: make demo PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist *.egg-info
