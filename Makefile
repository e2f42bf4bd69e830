PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: lab test coverage mutants packages accuracy figures bench clean

lab: .venv/ready-lab
	@$(BIN)/psipo lab

test: .venv/ready-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -rs -n 2 --dist worksteal --ignore=tests/browser
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/browser

coverage: .venv/ready-check
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered psipo_explore README.md tests/test_*.py

mutants: .venv/ready-check
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

packages: .venv/ready-check
	$(BIN)/python -m pytest -q tests/packages -o 'norecursedirs=.*'

accuracy: .venv/ready-test
	PSIPO_ACCURACY_CASES=2000 $(BIN)/python -m pytest -q -s tests/test_accuracy.py

figures: .venv/ready-lab
	$(BIN)/psipo figures

bench: .venv/ready-bench
	$(BIN)/python -m pytest tests/benchmarks -o 'norecursedirs=.*' --benchmark-columns=min,median,max,rounds

.venv/ready-lab: EXTRAS =
.venv/ready-test: EXTRAS = [test]
.venv/ready-check: EXTRAS = [check]
.venv/ready-bench: EXTRAS = [bench]

.venv/ready-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --no-compile --editable '.$(EXTRAS)'
	touch $@

clean:
	rm -rf .venv
