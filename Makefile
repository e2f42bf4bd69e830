PYTHON ?= python3
BIN := .venv/bin
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile
COVER := -m pytest -q -n 2 --dist worksteal --cov --cov-report=
NOT_IN_A_BROWSER := -m pytest -q -rs -n 2 --dist worksteal --ignore=tests/browser

.PHONY: lab test deep slow oldest newest coverage mutants packages accuracy figures font site slides walk bench clean

lab: .venv/ready-lab
	@$(BIN)/psipo lab

test: .venv/ready-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python $(NOT_IN_A_BROWSER) -m "not slow"
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" tests/browser

deep: slow coverage packages walk oldest newest

slow: .venv/ready-test
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m slow tests

oldest: .venv-oldest/ready
	.venv-oldest/bin/python $(NOT_IN_A_BROWSER)

newest:
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python $(INSTALL) --editable '.[check]'
	.venv-newest/bin/python $(NOT_IN_A_BROWSER)

coverage: .venv/ready-check
	$(BIN)/python $(COVER) psipo_explore README.md docs tests/test_*.py tests/views
	$(BIN)/python $(COVER) --cov-append --cov-config=.ci/coverage-of-app.toml tests/browser/test_app.py tests/browser/test_crowd.py
	$(BIN)/coverage report --show-missing --skip-covered
	$(BIN)/coverage report --show-missing --skip-covered --omit='*/views/*,*/app/*,*/site/*,*/cli.py,*/__main__.py' --fail-under=100

mutants: .venv/ready-check
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results
	@echo "tests/mutants.md says why those live that are known."

packages: .venv/ready-check
	$(BIN)/python -m pytest -q tests/packages -o 'norecursedirs=.*'

accuracy: .venv/ready-test
	PSIPO_ACCURACY_CASES=2000 $(BIN)/python -m pytest -q -s tests/test_accuracy.py

figures: .venv/ready-lab
	$(BIN)/psipo figures

font: .venv/ready-test
	PYTHONPATH=tests $(BIN)/python .ci/font.py

site: .venv/ready-site
	$(BIN)/psipo site --out site --cache .site

slides: .venv/ready-site
	$(BIN)/psipo slides --out slides --cache .site

walk: .venv/ready-test
	$(MAKE) site slides
	$(BIN)/python -m pytest -q -rs -n 2 --dist worksteal tests/site -o 'norecursedirs=.*'

bench: .venv/ready-bench
	$(BIN)/python -m pytest -q tests/benchmarks -o 'norecursedirs=.*' --benchmark-quiet --benchmark-autosave

.venv/ready-lab: EXTRAS =
.venv/ready-test: EXTRAS = [test]
.venv/ready-site: EXTRAS = [site]
.venv/ready-check: EXTRAS = [check]
.venv/ready-bench: EXTRAS = [bench]

.venv/ready-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) --constraint constraints.txt --editable '.$(EXTRAS)'
	touch $@

.venv-oldest/ready: pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv --clear .venv-oldest
	$(PYTHON) .ci/lowest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python $(INSTALL) --constraint .venv-oldest/constraints.txt --editable '.[check]'
	touch $@

clean:
	rm -rf .venv .venv-oldest .venv-newest .site site slides
